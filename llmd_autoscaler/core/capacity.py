"""`cap[m]`: the work that m instances carry with every class at its percentile, from the engine in virtual time.

Capacity is not linear in m: one instance carries 0.3 of its engine's seconds within a tight tail, eight
carry 0.9 each (capacity.md section 2). No formula holds this well, and the engine is nearly free.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.engine import fleet as fleets
from llmd_autoscaler.core.engine.compiled import float_table, int_row
from llmd_autoscaler.core.engine.state import FIRST_AT, LAST_AT, column, new_fleet, new_requests
from llmd_autoscaler.core.sample import Sample
from llmd_autoscaler.core.score import Answers, attainment, keeps_slo
from llmd_autoscaler.core.shapes import N_BINS
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.variant import EngineProfile

Array = NDArray[np.float64]

# Table points; between them cap[m] / m is interpolated in log m, where it is nearly straight.
POINTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# Rates are searched to this fraction: the noise of 4,000 requests at the 99th percentile is of that size.
RATE_TOLERANCE_FRAC = 0.01
# From one point to the next the share seldom grows by more, so the search looks that far first.
_STEP_FRAC = 0.1
# Less than this share of the engine is nothing: requests so far apart meet an idle instance, and still miss.
LEAST_SHARE = 1e-3
# The first requests meet an empty fleet; they are simulated and not scored.
WARM_UP_FRAC = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class CapacityTable:
    """Work by number of instances."""

    instances: Array  # (point,) increasing
    work: Array  # (point,) engine seconds a second that so many instances carry; 0: none at all

    def carried(self, m: float) -> float:
        """cap[m], linear in the share of an instance between points; 0 for none."""
        if m <= 0.0:
            return 0.0
        share = np.interp(math.log(max(m, 1.0)), np.log(self.instances), self.work / self.instances)
        return float(share * m)

    def scaled(self, frac: float) -> "CapacityTable":
        """The table of instances that carry only a share of it."""
        return self if frac == 1.0 else CapacityTable(self.instances, self.work * frac)

    def towards(self, other: "CapacityTable", frac: float) -> "CapacityTable":
        """The table at a share of the way to another one of the same numbers of instances."""
        return CapacityTable(self.instances, self.work + frac * (other.work - self.work))

    def load(self, work: float) -> float:
        """The m at which cap[m] equals the work; inf where no number of instances carries it."""
        if work <= 0.0:
            return 0.0
        if self.work[-1] <= 0.0:
            return math.inf
        low, high = 0, 1
        while self.carried(high) < work:
            low, high = high, 2 * high
            if high > 1 << 20:
                return math.inf
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.carried(middle) < work else (low, middle)
        below, above = self.carried(low), self.carried(high)
        return low + (work - below) / (above - below) if above > below else float(high)


def capacity_table(
    profile: EngineProfile,
    classes: Sequence[QosClass],
    sample: Sample,
    mean_work_s: float,
    *,
    most: int,
) -> CapacityTable:
    """Tabulate what up to `most` instances carry of a sample's traffic.

    Args:
        classes: those in the sample; each must reach its percentile.
        mean_work_s: engine seconds of the sample's mean request.
    """
    # Only a work below one engine second a second and instance can last.
    ceiling_qps = 1.0 / mean_work_s
    points = [m for m in POINTS if m < most] + [most]
    share = 0.0
    carried = []
    for m in points:
        qps = _highest_rate(profile, classes, sample, m, (share * m, ceiling_qps * m))
        share = qps / m
        carried.append(qps * mean_work_s)
    return CapacityTable(
        np.array(points, dtype=np.float64), np.maximum.accumulate(np.array(carried))
    )


def _highest_rate(
    profile: EngineProfile,
    classes: Sequence[QosClass],
    sample: Sample,
    m: int,
    bracket: tuple[float, float],
) -> float:
    """The highest rate at which m instances still keep every class's percentile; 0 where none is low enough.

    Args:
        bracket: a rate that they carry, or 0, and one that they do not.
    """

    def keeps(qps: float) -> bool:
        return keeps_slo(classes, fleet_attainment([profile] * m, classes, sample, qps))

    low, high = bracket
    least = LEAST_SHARE * high
    while low > 0.0 and (above := low * (1.0 + _STEP_FRAC)) < high:
        if not keeps(above):
            high = above
            break
        low = above
    while high - low > RATE_TOLERANCE_FRAC * high:
        if high < least:
            return 0.0
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def free_routing(
    n_classes: int, target_of: Sequence[int], *, n_rules: int = 1, n_targets: int = 1
) -> fleets.Routing:
    """Every instance may serve everything, by least expected work; with room for rules."""
    routing = fleets.Routing(
        rule_of=int_row(n_classes * N_BINS, -1),
        fraction=float_table(n_rules, n_targets),
        passes=float_table(n_rules, n_targets + 1),
        target_of=int_row(len(target_of)),
        is_routable=int_row(len(target_of), 1),
        n_routable=int_row(n_targets),
    )
    for i, target in enumerate(target_of):
        routing.target_of[i] = target
        routing.n_routable[target] += 1
    return routing


def fleet_attainment(
    profiles: list[EngineProfile],
    classes: Sequence[QosClass],
    sample: Sample,
    qps: float,
    routing: fleets.Routing | None = None,
) -> Array:
    """(class,) share of requests that attain their bounds on a fleet at a rate; NaN for a class without requests."""
    n = len(sample.at_s)
    requests = new_requests(n)
    fleet = new_fleet(profiles, now_s=0.0)
    traffic = sample.traffic(qps)
    routing = routing or free_routing(len(classes), [0] * len(profiles))
    fleets.serve(fleet, requests, traffic, routing, 0, n)
    fleets.advance_all(fleet, requests, math.inf)
    answers = Answers(
        at_s=np.asarray(traffic.at, dtype=np.float64),
        class_of=sample.class_of,
        isl=sample.isl,
        osl=sample.osl,
        first_s=column(requests, FIRST_AT),
        last_s=column(requests, LAST_AT),
    )
    return attainment(classes, answers.since(int(WARM_UP_FRAC * n)))
