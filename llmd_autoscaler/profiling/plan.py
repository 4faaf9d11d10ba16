"""Which load to measure next: pure, so that a plan can be read, tested and played against a simulated server.

First what shows one part of the model alone (lone prompts, lone answers), then a coarse grid from the
short and idle to the long and full, then prefixes, an open loop and a mix, then the loads of which the
model knows least for the time that they take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.measurement_length import Length, least_length
from llmd_autoscaler.profiling.point import Load, Point, Shape
from llmd_autoscaler.profiling.prediction import Prediction, predict
from llmd_autoscaler.profiling.step_terms import step_rows

Array = NDArray[np.float64]

LONE_ISLS = (32, 256, 1024, 4096, 16384, 32000)
GRID_ISLS = (128, 1024, 4096, 16384)
GRID_CONCURRENCY = (4, 16, 64)
_OSL, _LONG_OSL = 128, 512
# 90 % shared, as sessions share them, over a few different beginnings.
PREFIX_FRAC, N_PREFIXES = 0.9, 4
_OPEN_USE = 0.7
# A load whose leverage is below this would not move any coefficient by a tenth of its interval.
_LEAST_LEVERAGE = 0.05
# Doubling the clients brings less than this more throughput: the knee.
_KNEE_GAIN = 0.25
_MOST_CONCURRENCY = 256
# A length that is nearer to the one before would say the same again.
_NEXT_ISL = 1.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes."""

    longest_tokens: int  # prompt and answer of one request
    kv_tokens: int
    max_num_seqs: int
    longest_isl: int = 1 << 30  # of what is asked to be measured

    def isls(self, wanted: Sequence[int], osl: int) -> list[int]:
        """Prompt lengths that fit beside an answer, and the longest possible where some do not."""
        longest = min(self.longest_tokens - osl, self.longest_isl)
        fitting = [isl for isl in wanted if isl <= longest]
        if len(fitting) == len(wanted) or (fitting and longest < _NEXT_ISL * fitting[-1]):
            return fitting
        return [*fitting, longest]

    def takes(self, load: Load) -> bool:
        """Whether a load fits: its longest request, and all its clients' requests in the KV cache."""
        n = load.concurrency or 1
        return (
            load.longest_tokens <= self.longest_tokens
            and max(shape.isl for shape in load.shapes) <= self.longest_isl
            and n <= self.max_num_seqs
            and n * load.longest_tokens <= self.kv_tokens
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A load to measure, and why."""

    load: Load
    why: str


def coarse(limits: Limits) -> list[Step]:
    """What is measured whatever comes out, in this order."""
    lone = [Step(Load((Shape(isl, 2),), 1), "unloaded TTFT") for isl in limits.isls(LONE_ISLS, 2)]
    isls = limits.isls(GRID_ISLS, _osl(limits))
    alone = [
        Step(Load((Shape(isl, _osl(limits)),), 1), "decode alone") for isl in (isls[0], isls[-1])
    ]
    grid = [
        Step(Load((Shape(isl, _osl(limits)),), n), "coarse grid")
        for n in GRID_CONCURRENCY
        for isl in isls
    ]
    # a lone prompt and a lone answer first: what they take tells how long everything else will
    steps = lone[:1] + alone[:1] + lone[1:] + alone[1:] + grid
    return [step for step in dict.fromkeys(steps) if limits.takes(step.load)]


def special(limits: Limits, profile: EngineProfile) -> list[Step]:
    """Prefix hits, an open loop and a mix: not fitted, but what the profile is judged by."""
    osl = _osl(limits)
    isls = limits.isls((1024, 4096), osl)
    middle = Load((Shape(isls[0], osl),), rate_qps=1.0)
    rate = _OPEN_USE * saturation_qps(profile, middle.shapes, limits)
    shapes = tuple(
        Shape(isl, each_osl, weight)
        for isl, each_osl, weight in ((128, 256, 0.6), (1024, 128, 0.3), (4096, 64, 0.1))
        if isl + each_osl <= limits.longest_tokens and isl <= limits.longest_isl
    )
    steps = [
        *(
            Step(
                Load((Shape(isl, osl),), 8, prefix_frac=PREFIX_FRAC, n_prefixes=N_PREFIXES),
                "prefix hits",
            )
            for isl in isls
        ),
        Step(Load(middle.shapes, rate_qps=float(f"{rate:.3g}")), "open loop"),
        Step(Load(shapes, 16), "mix"),
    ]
    return [step for step in steps if limits.takes(step.load)]


def next_step(
    points: Sequence[Point], limits: Limits, profile: EngineProfile | None
) -> Step | None:
    """The next load; None where nothing is left that would teach anything.

    Args:
        points: what was measured so far; what is among them is not asked again.
        profile: fitted to them; None while they are too few.
    """
    done = {point.load for point in points}
    for step in coarse(limits):
        if step.load not in done:
            return step
    if profile is None:
        return None
    for step in (*special(limits, profile), *knees(limits, profile)):
        if not _is_near(step.load, done):
            return step
    return _least_known(points, limits, profile, done)


def knees(limits: Limits, profile: EngineProfile) -> list[Step]:
    """For a short and a long prompt, the closed loop in which throughput stops growing."""
    found = []
    isls = limits.isls(GRID_ISLS, _osl(limits))
    for isl in dict.fromkeys((isls[0], isls[-1])):
        shapes = (Shape(isl, _osl(limits)),)
        n, tps = 1, 0.0
        while limits.takes(Load(shapes, n)) and n <= _MOST_CONCURRENCY:
            now_tps = predict(profile, Load(shapes, n)).out_tps
            if tps and now_tps < (1.0 + _KNEE_GAIN) * tps:
                break
            n, tps = 2 * n, now_tps
        load = Load(shapes, n)
        if limits.takes(load):
            found.append(Step(load, "knee"))
    return found


def saturation_qps(profile: EngineProfile, shapes: tuple[Shape, ...], limits: Limits) -> float:
    """Requests a second of a closed loop with as many clients as fit: no open loop can have more."""
    n = _MOST_CONCURRENCY
    while n > 1 and not limits.takes(Load(shapes, n)):
        n //= 2
    return predict(profile, Load(shapes, n)).rps


def length_of(load: Load, profile: EngineProfile | None, *, most_s: float) -> Length:
    """How long a load has to be looked at, as the model has it so far."""
    if profile is None:
        return Length(warm_s=1.0, least_s=2.0, most_s=most_s)
    prediction = predict(profile, load)
    return least_length(
        prediction.e2e_p50_s, prediction.rps, most_s=most_s, is_alone=load.concurrency == 1
    )


def _least_known(
    points: Sequence[Point], limits: Limits, profile: EngineProfile, done: set[Load]
) -> Step | None:
    """The candidate with the most leverage on the coefficients for each second that it takes."""
    rows = step_rows(points, profile)
    x = rows.terms / rows.step_s[:, np.newaxis]
    size = np.sqrt((x**2).sum(axis=0))
    size[size == 0.0] = 1.0
    scaled = x / size
    inverse = np.linalg.pinv(scaled.T @ scaled)
    best, most = None, 0.0
    for load in _candidates(limits):
        if _is_near(load, done):
            continue
        prediction = predict(profile, load)
        row = _terms(load, prediction) * prediction.steps_per_s / size
        leverage = float(row @ inverse @ row)
        length = length_of(load, profile, most_s=math.inf)
        gain = leverage / (length.warm_s + length.least_s)
        if leverage >= _LEAST_LEVERAGE and gain > most:
            best, most = Step(load, f"least known (leverage {leverage:.2f})"), gain
    return best


def _terms(load: Load, prediction: Prediction) -> Array:
    """What the mean step of a predicted load carries."""
    steps = prediction.steps_per_s
    prompts = prediction.rps / steps
    decodes = (prediction.out_tps - prediction.rps) / steps
    isl, osl = load.isl, load.osl
    return np.array(
        [1.0, decodes, prompts * isl, decodes * (isl + osl / 2.0), prompts * isl * isl / 2.0]
    )


def _candidates(limits: Limits) -> list[Load]:
    return [
        load
        for isl in (128, 512, 1024, 2048, 4096, 8192, 16384)
        for osl in (_OSL, _LONG_OSL)
        for n in (2, 4, 8, 16, 32, 64, 128, 256)
        if limits.takes(load := Load((Shape(isl, osl),), n))
    ]


def _is_near(load: Load, done: set[Load]) -> bool:
    """Whether the same was measured, or (an open loop, whose rate follows the fit) all but the same."""
    if load in done:
        return True
    return load.rate_qps is not None and any(
        other.rate_qps is not None and other.shapes == load.shapes for other in done
    )


def _osl(limits: Limits) -> int:
    """Output tokens of the grid; a small model gives a quarter of its length."""
    return min(_OSL, max(2, limits.longest_tokens // 4))
