"""What a policy can reach at all: of all its settings those that nothing of its own beats, and what lies between them."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from llmd_autoscaler.simulator.contest import Kind, Outcome

# Below this misses are too few to count: 0 has no logarithm.
LEAST_STRAIN = 1e-2


@dataclass(frozen=True, slots=True)
class Point:
    """One setting on the frontier."""

    gpu_hours: float
    strain: float
    missed_frac: float


def frontier(outcomes: Iterable[Outcome]) -> list[Point]:
    """The settings for which no other takes fewer GPU-hours and strains less, from the cheapest up."""
    points: list[Point] = []
    for each in sorted(outcomes, key=lambda o: (o.gpu_hours, o.strain)):
        if not points or each.strain < points[-1].strain:
            points.append(Point(each.gpu_hours, each.strain, 1.0 - each.attained_frac))
    return points


def hours_at(outcomes: Iterable[Outcome], strain: float) -> float | None:
    """GPU-hours at a strain; None where no setting gets so low.

    Targets of a law are continuous, so between two settings of its frontier hours are interpolated,
    straight over the logarithm of the strain. Fleets that never change have no in-between.
    """
    played = list(outcomes)
    points = frontier(played)
    if not points or points[-1].strain > strain:
        return None
    if points[0].strain <= strain:
        return points[0].gpu_hours
    for before, after in itertools.pairwise(points):
        if after.strain <= strain:
            if not _is_continuous(played):
                return after.gpu_hours
            part = _part(_log(before.strain), _log(after.strain), _log(strain))
            return before.gpu_hours + part * (after.gpu_hours - before.gpu_hours)
    return None


def missed_frac_at(outcomes: Iterable[Outcome], gpu_hours: float) -> float | None:
    """Share of all requests missed at so many GPU-hours; None where even the cheapest setting takes more."""
    played = list(outcomes)
    points = frontier(played)
    if not points or points[0].gpu_hours > gpu_hours:
        return None
    for before, after in itertools.pairwise(points):
        if after.gpu_hours > gpu_hours:
            if not _is_continuous(played):
                return before.missed_frac
            part = _part(before.gpu_hours, after.gpu_hours, gpu_hours)
            return before.missed_frac + part * (after.missed_frac - before.missed_frac)
    return points[-1].missed_frac


def _is_continuous(outcomes: list[Outcome]) -> bool:
    return outcomes[0].contender.kind is Kind.SIMPLE


def _log(strain: float) -> float:
    return math.log(max(strain, LEAST_STRAIN))


def _part(start: float, end: float, at: float) -> float:
    return 1.0 if end == start else (at - start) / (end - start)
