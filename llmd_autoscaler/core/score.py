"""How results are scored: attainment, GPU-hours, scaling events, reversals; each defined once, here."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.slo import QosClass

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

# An event in the opposite direction within this time of the one before is a reversal.
REVERSAL_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Requests and what became of them: arrays (request,); times are infinite where no token came."""

    at_s: Array
    class_of: Ints
    isl: Ints
    osl: Ints
    first_s: Array
    last_s: Array

    @property
    def is_completed(self) -> NDArray[np.bool_]:
        """(request,) whether it was answered in full."""
        return np.isfinite(self.last_s)

    def since(self, first: int) -> "Answers":
        """The requests from a position on."""
        return Answers(
            self.at_s[first:],
            self.class_of[first:],
            self.isl[first:],
            self.osl[first:],
            self.first_s[first:],
            self.last_s[first:],
        )


@dataclass(frozen=True, slots=True)
class ScalingEvent:
    """A change of one object's desired count."""

    at_s: float
    before: int
    after: int


def attained(classes: Sequence[QosClass], answers: Answers) -> NDArray[np.bool_]:
    """(request,) whether it was answered in full within every bound of its class: `slo.missed_bound` over arrays."""
    bounds = np.array(
        [
            (
                q.bounds.ttft_max_s,
                q.bounds.ttft_per_prompt_token_s,
                q.bounds.tpot_max_s,
                q.bounds.e2e_bound_s(),
            )
            for q in classes
        ]
    )[answers.class_of]
    answered = answers.is_completed
    first = np.where(answered, answers.first_s, answers.at_s)
    last = np.where(answered, answers.last_s, answers.at_s)
    tpot = np.where(answers.osl > 1, (last - first) / np.maximum(answers.osl - 1, 1), 0.0)
    return np.asarray(
        answered
        & (first - answers.at_s <= bounds[:, 0] + bounds[:, 1] * answers.isl)
        & (tpot <= bounds[:, 2])
        & (last - answers.at_s <= bounds[:, 3])
    )


def attainment(classes: Sequence[QosClass], answers: Answers) -> Array:
    """(class,) attained ÷ arrived; NaN for a class without requests."""
    flags = attained(classes, answers)
    arrived = np.bincount(answers.class_of, minlength=len(classes)).astype(np.float64)
    kept = np.bincount(answers.class_of, weights=flags, minlength=len(classes))
    return np.asarray(
        np.divide(kept, arrived, out=np.full(len(classes), np.nan), where=arrived > 0)
    )


def keeps_slo(classes: Sequence[QosClass], attained_frac: Array) -> bool:
    """Whether every class reaches its percentile; a class without requests (NaN) does."""
    return all(
        math.isnan(frac) or frac >= qos.percentile_frac
        for qos, frac in zip(classes, attained_frac, strict=True)
    )


def attained_frac(classes: Sequence[QosClass], answers: Answers) -> float:
    """Attained ÷ arrived over all classes together; NaN without requests."""
    flags = attained(classes, answers)
    return float(flags.mean()) if len(flags) else math.nan


def strain(classes: Sequence[QosClass], fracs: Array) -> float:
    """Misses ÷ the misses that the percentile allows, of the class where this is highest: the SLOs hold up to 1.

    | attained | percentile | strain |
    | 0.995    | 0.99       | 0.5    |
    | 0.90     | 0.95       | 2      |
    | 1        | 1          | 0      |
    | 0.999    | 1          | inf    |

    A class without requests (NaN) does not count.
    """
    worst = 0.0
    for qos, frac in zip(classes, fracs, strict=True):
        if frac < 1.0:
            allowed = 1.0 - qos.percentile_frac
            worst = max(worst, (1.0 - float(frac)) / allowed if allowed > 0.0 else math.inf)
    return worst


def n_bad_minutes(classes: Sequence[QosClass], answers: Answers, *, frac: float) -> int:
    """Minutes of the scored interval whose arrivals, of all classes together, attained less than a share."""
    if not len(answers.at_s):
        return 0
    minute = ((answers.at_s - answers.at_s.min()) // 60.0).astype(np.int64)
    arrived = np.bincount(minute)
    kept = np.bincount(minute, weights=attained(classes, answers))
    return int(((arrived > 0) & (kept < frac * arrived)).sum())


def minutes_below(classes: Sequence[QosClass], answers: Answers, *, frac: float) -> tuple[int, ...]:
    """(class,) minutes, by arrival, in which less than a share of the class's requests attained."""
    flags = attained(classes, answers)
    minute = ((answers.at_s - answers.at_s.min()) // 60.0).astype(np.int64)
    counts = []
    for c in range(len(classes)):
        mine = answers.class_of == c
        arrived = np.bincount(minute[mine])
        kept = np.bincount(minute[mine], weights=flags[mine])
        counts.append(int(((arrived > 0) & (kept < frac * arrived)).sum()))
    return tuple(counts)


def gpu_hours(
    spans_s: Iterable[tuple[float, float, int]], *, first_s: float, last_s: float
) -> float:
    """Sum over instances of (deletion - creation) x accelerators within the scored interval, in hours."""
    total = sum(max(0.0, min(end, last_s) - max(start, first_s)) * n for start, end, n in spans_s)
    return total / 3600.0


def reversals(events: Sequence[ScalingEvent]) -> int:
    """Events of one object that go back on the one before within ten minutes."""
    return sum(
        1
        for before, after in itertools.pairwise(events)
        if (before.after - before.before) * (after.after - after.before) < 0
        and after.at_s - before.at_s <= REVERSAL_WITHIN_S
    )
