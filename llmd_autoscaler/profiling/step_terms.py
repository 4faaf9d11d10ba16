"""What points say about the engine's steps, the front end and the API server, each as rows of a linear system."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.variant import EngineProfile, StepModel
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.regime import Regime, regime

Array = NDArray[np.float64]

# A cell is the engine's when nearly all of its clients are in the engine; the rest are on their way.
_LEAST_IN_ENGINE_FRAC = 0.8
# Shorter answers have too few gaps to tell a step from what the scheduler holds back.
_LEAST_OSL_ALONE = 32
# Below this a lone prompt is shorter than what starting its kernels takes (H100: 15 ms at 32 tokens).
_LEAST_ISL_ALONE = 1024
_LEAST_ISL_FRONT = 512


@dataclass(frozen=True, slots=True, eq=False)
class StepRows:
    """Rows of `t = a + b d + c p + k C + e W`: (row, 5) terms and (row,) seconds, and the points they are from."""

    terms: Array
    step_s: Array
    points: tuple[Point, ...]

    def weighted(self) -> tuple[Array, Array]:
        """The system whose residuals are relative errors."""
        return self.terms / self.step_s[:, np.newaxis], np.ones(len(self.step_s))

    def errors(self, step: StepModel) -> Array:
        """Relative errors of a step model."""
        found = self.terms @ np.array(coefficients(step))
        return np.asarray(np.abs(found / self.step_s - 1.0))


def coefficients(step: StepModel) -> tuple[float, float, float, float, float]:
    """a, b, c, k, e."""
    return (
        step.base_s,
        step.per_decode_s,
        step.per_prefill_token_s,
        step.per_context_token_s,
        step.per_attention_token_sq_s,
    )


def step_rows(points: Sequence[Point], profile: EngineProfile) -> StepRows:
    """Every point that times the engine's steps.

    The model is linear, so the mean step belongs to the mean of what the steps carry (a maximum would not).
    """
    rows = [(*row, point) for point in points for row in _rows_of(point, profile)]
    return StepRows(
        terms=np.array([terms for terms, _, _ in rows]).reshape(-1, 5),
        step_s=np.array([step_s for _, step_s, _ in rows]),
        points=tuple(point for _, _, point in rows),
    )


def _rows_of(point: Point, profile: EngineProfile) -> list[tuple[tuple[float, ...], float]]:
    if point.load.concurrency == 1 and len(point.load.shapes) == 1:
        return [*_lone_decode(point), *_lone_prefill(point, profile)]
    return _busy(point) if is_engine_bound(point) else []


def is_engine_bound(point: Point) -> bool:
    """Whether the engine never waits for work, so that 1 / steps_per_s is the time of a step.

    Points with prefix hits are not for fitting: where all requests share one prefix the engine reads its
    context once for all of them, and real sessions have many.
    """
    server, load = point.server, point.load
    if load.concurrency is None or server.n_running is None or not server.steps_per_s:
        return False
    in_engine = server.n_running + (server.n_waiting or 0.0)
    return (
        regime(point) in {Regime.ENGINE, Regime.KV_FULL, Regime.NOT_STEADY}
        and not server.hit_tokens
        and in_engine >= _LEAST_IN_ENGINE_FRAC * load.concurrency
    )


def _busy(point: Point) -> list[tuple[tuple[float, ...], float]]:
    """The mean step of a loaded engine: what its server counted, over its number of steps."""
    server, load = point.server, point.load
    steps, in_tps, out_tps = server.steps_per_s, server.in_tps, server.out_tps
    if not steps or in_tps is None or out_tps is None:
        return []
    prompts = in_tps / load.isl / steps
    generated = out_tps / steps
    # the first token of an answer comes out of the step that ends its prefill
    decodes = max(0.0, generated - prompts)
    if server.tokens_per_step is not None:
        computed = max(0.0, server.tokens_per_step - generated)
    else:
        computed = in_tps / steps
    shapes = load.shapes
    total = sum(s.weight for s in shapes)
    # sum of chunk * (context before + chunk / 2) over a prompt's chunks, however it is cut
    attention = prompts * sum(s.weight * s.isl**2 for s in shapes) / total / 2.0
    tokens = sum(s.weight * s.osl for s in shapes)
    context = sum(s.weight * s.osl * (s.isl + s.osl / 2.0) for s in shapes) / tokens
    return [((1.0, decodes, computed, decodes * context, attention), 1.0 / steps)]


def _lone_decode(point: Point) -> list[tuple[tuple[float, ...], float]]:
    """A lone client's gaps are steps with one sequence and nothing else."""
    load, gap_s = point.load, point.clients.itl_mean_s
    if load.osl < _LEAST_OSL_ALONE or not gap_s:
        return []
    return [((1.0, 1.0, 0.0, load.isl + load.osl / 2.0, 0.0), gap_s)]


def _lone_prefill(point: Point, profile: EngineProfile) -> list[tuple[tuple[float, ...], float]]:
    """A lone prompt's time in the engine, by the server's own histogram."""
    isl, prefill_s = point.load.isl, point.server.prefill_s
    if isl < _LEAST_ISL_ALONE or not prefill_s or point.load.prefix_frac:
        return []
    n_steps = math.ceil(isl / profile.max_num_batched_tokens)
    return [((float(n_steps), 0.0, isl, 0.0, isl * isl / 2.0), prefill_s)]


def _is_lone_prompt(point: Point) -> bool:
    """Whether a point shows one plain prompt at a time."""
    load = point.load
    is_plain = load.concurrency == 1 and not load.prefix_frac and len(load.shapes) == 1
    return is_plain and bool(point.clients.ttft_p50_s)


def least_prefill_s(points: Sequence[Point], profile: EngineProfile) -> float:
    """The least that any short lone prompt takes in an idle engine; 0 where that is no more than a step's base.

    Of its TTFT, as clients saw it, less the front end: the server's own time leaves out what starting costs.
    """
    front, step = profile.front_end, profile.step
    taken = [
        (point.clients.ttft_p50_s or 0.0)
        - front.per_request_s
        - front.per_prompt_token_s * point.load.isl
        for point in points
        if _is_lone_prompt(point) and point.load.isl < _LEAST_ISL_FRONT
    ]
    least_s = min(taken, default=0.0)
    return least_s if least_s > step.base_s else 0.0


def front_end_rows(points: Sequence[Point], profile: EngineProfile) -> tuple[Array, Array]:
    """(row, 2) a request and its prompt tokens, and the seconds of unloaded TTFT that the engine's steps leave over."""
    lone = [p for p in points if _is_lone_prompt(p)]
    # An idle engine takes some 15 ms for any short prompt (H100): that is neither the front end's nor a
    # busy engine's, so short prompts count only where there are no others.
    long = [p for p in lone if p.load.isl >= _LEAST_ISL_FRONT]
    terms, rest = [], []
    for point in long if len({p.load.isl for p in long}) > 1 else lone:
        ttft_s, load = point.clients.ttft_p50_s or math.inf, point.load
        n_steps = math.ceil(load.isl / profile.max_num_batched_tokens)
        step = np.array(coefficients(profile.step))
        engine_s = float(np.array([n_steps, 0.0, load.isl, 0.0, load.isl**2 / 2.0]) @ step)
        # relative to the whole TTFT, which is what is predicted
        terms.append((1.0 / ttft_s, load.isl / ttft_s))
        rest.append(max(0.0, ttft_s - engine_s) / ttft_s)
    return np.array(terms).reshape(-1, 2), np.array(rest)
