"""What the same traffic would have taken with hindsight: bounds of scoring.md, never competitors."""

from collections.abc import Mapping
from dataclasses import dataclass

from llmd_autoscaler.core.score import keeps_slo
from llmd_autoscaler.errors import InfeasibleError, PlanError
from llmd_autoscaler.simulator.bounds import best_static, look_ahead
from llmd_autoscaler.simulator.virtual import Setup


@dataclass(frozen=True, slots=True)
class Hindsight:
    """The best static fleet and the look-ahead bound; None where none keeps the SLO within the limits."""

    static_instances: Mapping[str, int] | None = None
    static_gpu_hours: float | None = None
    lookahead_gpu_hours: float | None = None


def static_hindsight(setup: Setup) -> Hindsight:
    """The smallest constant fleet on the traffic of a setup."""
    try:
        found = best_static(setup)
    except InfeasibleError:
        return Hindsight()
    return Hindsight(found.numbers, found.result.gpu_hours)


def lookahead_gpu_hours(setup: Setup) -> float | None:
    """GPU-hours of the policy that knows the next lead time; None where even it misses an SLO."""
    try:
        result = look_ahead(setup)
    except PlanError:
        return None
    return result.gpu_hours if keeps_slo(setup.classes, result.attainment) else None
