"""A step model fitted to points, and judged on points that it has not seen."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Terms = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """The time of a step, and what the step carries.

    terms: 1, d decode sequences, p prompt tokens, C thousand tokens of decode context and W million
    token^2 of prefill attention: the factors of `t = a + b d + c p + k C + e W`.
    """

    name: str
    kind: str
    terms: Terms
    step_ms: float


@dataclass(frozen=True, slots=True)
class StepFit:
    """Coefficients (a, b, c, k, e) as written, and their relative errors on the points held out."""

    coefficients: tuple[float, ...]
    n_fitted: int
    n_held_out: int
    median_frac: float
    p95_frac: float
    worst_frac: float


def fit_step(points: Sequence[Point], *, seed: int) -> StepFit:
    """The step model of two thirds of the points, judged on the rest."""
    fitted, held_out = split(points, seed=seed)
    coefficients = coefficients_of(fitted)
    errors = errors_of(coefficients, held_out)
    return StepFit(
        coefficients=coefficients,
        n_fitted=len(fitted),
        n_held_out=len(held_out),
        median_frac=float(np.median(errors)),
        p95_frac=float(np.quantile(errors, 0.95)),
        worst_frac=max(errors),
    )


def split(points: Sequence[Point], *, seed: int) -> tuple[list[Point], list[Point]]:
    """Points to fit and points to hold out: one third of each kind, drawn by the seed.

    The shortest and the longest step of a kind are always fitted: a profile answers between its points,
    and without the longest prompts their attention would be extrapolated.
    """
    fitted: list[Point] = []
    held_out: list[Point] = []
    shuffler = random.Random(seed)
    for kind in sorted({point.kind for point in points}):
        of_kind = sorted((p for p in points if p.kind == kind), key=lambda p: p.step_ms)
        inner = of_kind[1:-1]
        shuffler.shuffle(inner)
        n_held_out = len(of_kind) // 3
        held_out += inner[:n_held_out]
        fitted += [of_kind[0], *inner[n_held_out:], of_kind[-1]]
    return fitted, held_out


def coefficients_of(points: Sequence[Point]) -> tuple[float, ...]:
    """The coefficients with the smallest squared relative error, to the digits that are written."""
    step_ms = np.array([point.step_ms for point in points])
    terms = np.array([point.terms for point in points])
    exact = non_negative_least_squares(terms / step_ms[:, np.newaxis], np.ones(len(points)))
    return tuple(significant(float(c)) for c in exact)


def step_ms_of(coefficients: Sequence[float], terms: Sequence[float]) -> float:
    """What a step model says of a step."""
    return sum(c * x for c, x in zip(coefficients, terms, strict=True))


def errors_of(coefficients: Sequence[float], points: Iterable[Point]) -> list[float]:
    """Relative errors of a step model on some points."""
    return [abs(step_ms_of(coefficients, p.terms) / p.step_ms - 1) for p in points]


def significant(value: float) -> float:
    """A value to the four significant digits that a profile carries."""
    return float(f"{value:.4g}")


def non_negative_least_squares(
    matrix: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The x >= 0 that minimises |matrix x - target|^2.

    The best x is the plain solution on the columns where it is not 0. With five columns all 31 sets of
    them can be tried, which is exact and needs no iteration that has to end.
    """
    n = matrix.shape[1]
    best = np.zeros(n)
    smallest = float(target @ target)
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            columns = matrix[:, chosen]
            x = np.linalg.lstsq(columns, target, rcond=None)[0]
            residual = columns @ x - target
            if np.all(x >= 0) and float(residual @ residual) < smallest:
                smallest = float(residual @ residual)
                best = np.zeros(n)
                best[list(chosen)] = x
    return best
