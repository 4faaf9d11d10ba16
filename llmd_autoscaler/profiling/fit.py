"""A profile's numbers from its points, with what is known of each: intervals, and errors on points left out.

Three linear fits, each on the points that show its part alone: the step model on mean steps, the front
end on what the steps leave over of unloaded TTFT, the API server on the points that it limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.least_squares import bootstrap, non_negative_least_squares
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.regime import (
    USUAL_API_PER_REQUEST_S,
    USUAL_API_PER_TOKEN_S,
    Regime,
    api_server_use,
    regime,
)
from llmd_autoscaler.profiling.step_terms import (
    StepRows,
    coefficients,
    front_end_rows,
    least_prefill_s,
    step_rows,
)

Array = NDArray[np.float64]

STEP_NAMES = (
    "base",
    "per_decode",
    "per_prefill_token",
    "per_context_token",
    "per_attention_token_sq",
)
# Five coefficients from fewer rows would fit anything.
LEAST_ROWS = 8
# Where no lone prompt was measured: the HTTP path of client and server, the same machine.
USUAL_PER_REQUEST_S = 0.006
_N_BOOTSTRAP = 200
_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A coefficient, and the range that 90 of 100 resamplings of the points give."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted profile and what is known of it."""

    profile: EngineProfile
    step: dict[str, Interval]
    front_end: FrontEnd
    median_frac: float  # of the step model, on rows whose prompt length it had not seen
    p95_frac: float
    worst_frac: float
    n_rows: int
    n_points: int
    is_front_end_measured: bool
    is_api_server_measured: bool


def fit(points: Sequence[Point], engine: EngineProfile, *, seed: int) -> Fit:
    """Fit the points of one server.

    Args:
        points: those in trouble or of other servers are left out here.
        engine: the KV cache and the flags; its step and front end are replaced.

    Raises: ConfigError: too few points to tell the coefficients apart.
    """
    usable = [p for p in points if not p.left_out and not p.trouble]
    plain = [p for p in usable if not p.flags]
    rows = step_rows(plain, engine)
    _check_enough(rows, len(usable))
    step = step_of(rows)
    low, high = np.quantile(
        bootstrap(*rows.weighted(), n=_N_BOOTSTRAP, seed=seed), (_LOW, _HIGH), axis=0
    )
    errors = cross_validated_errors(rows)
    fitted = replace(engine, step=step)
    front, is_front, is_api = _front_end(plain, fitted)
    fitted = replace(fitted, front_end=front)
    least_s = significant(least_prefill_s(plain, fitted))
    fitted = replace(fitted, step=replace(step, least_prefill_s=least_s))
    return Fit(
        profile=fitted,
        step={
            # written digits may lie outside of what exact ones leave
            name: Interval(value, min(value, float(low[i])), max(value, float(high[i])))
            for i, (name, value) in enumerate(zip(STEP_NAMES, coefficients(step), strict=True))
        },
        front_end=front,
        median_frac=float(np.median(errors)),
        p95_frac=float(np.quantile(errors, 0.95)),
        worst_frac=float(errors.max()),
        n_rows=len(rows.step_s),
        n_points=len(plain),
        is_front_end_measured=is_front,
        is_api_server_measured=is_api,
    )


def step_of(rows: StepRows) -> StepModel:
    """The step model with the smallest squared relative error."""
    a, b, c, k, e = (significant(float(x)) for x in non_negative_least_squares(*rows.weighted()))
    return StepModel(a, b, c, k, e)


def cross_validated_errors(rows: StepRows) -> Array:
    """(row,) the error of each row by a model that has seen no row of its prompt length.

    Whole lengths, not random cells: neighbours in concurrency would give each other away.
    """
    lengths = np.array([round(point.load.isl) for point in rows.points])
    errors = np.empty(len(lengths))
    for isl in np.unique(lengths):
        is_out = lengths == isl
        if is_out.all():
            return rows.errors(step_of(rows))
        model = step_of(_only(rows, ~is_out))
        errors[is_out] = _only(rows, is_out).errors(model)
    return errors


def significant(value: float) -> float:
    """A value to the four significant digits that a profile carries."""
    return float(f"{value:.4g}")


def _only(rows: StepRows, which: NDArray[np.bool_]) -> StepRows:
    points = tuple(p for p, is_in in zip(rows.points, which, strict=True) if is_in)
    return StepRows(rows.terms[which], rows.step_s[which], points)


def _check_enough(rows: StepRows, n_points: int) -> None:
    n_lengths = len({round(p.load.isl) for p in rows.points})
    if len(rows.step_s) < LEAST_ROWS or n_lengths < 2:  # noqa: PLR2004 (one length tells no slope)
        raise ConfigError(
            f"{len(rows.step_s)} of {n_points} points time the engine's steps, of {n_lengths} prompt lengths: measure "
            f"at least {LEAST_ROWS} of 2 lengths, with the server's own counters"
        )
    if not rows.terms[:, 1].any():
        raise ConfigError(
            "no point times a decode step: measure closed loops of several clients, too"
        )


def _front_end(points: Sequence[Point], profile: EngineProfile) -> tuple[FrontEnd, bool, bool]:
    terms, rest = front_end_rows(points, profile)
    is_front = len(np.unique(terms[:, 1] / terms[:, 0])) > 1 if len(rest) else False
    per_request, per_token = (
        non_negative_least_squares(terms, rest) if is_front else (USUAL_PER_REQUEST_S, 0.0)
    )
    use = [
        api_server_use(p, n_api_servers=profile.n_api_servers)
        for p in points
        if regime(p, n_api_servers=profile.n_api_servers) is Regime.API_SERVER
    ]
    # Few points are limited by it, and they seldom tell its two parts apart: the usual ratio is kept. The
    # fullest point says how large both can be at most.
    scale = 1.0 / max(use) if use else 1.0
    front = FrontEnd(
        per_request_s=significant(float(per_request)),
        per_prompt_token_s=significant(float(per_token)),
        api_server_per_request_s=significant(scale * USUAL_API_PER_REQUEST_S),
        api_server_per_token_s=significant(scale * USUAL_API_PER_TOKEN_S),
    )
    return front, is_front, bool(use)
