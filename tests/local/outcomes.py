"""Outcomes of runs that were never made, for whoever only needs their figures."""

from llmd_autoscaler.core.score import ScalingEvent
from llmd_autoscaler.local.comparison import Comparison
from llmd_autoscaler.simulator.contest import (
    Constant,
    Contender,
    Kind,
    LookAhead,
    Ours,
    Outcome,
    Way,
)
from llmd_autoscaler.simulator.load_law import Setting, Signal
from tests.simulator.setups import A100, setup


def outcome(
    name: str,
    kind: Kind,
    way: Way,
    gpu_hours: float,
    strain: float,
    events: tuple[ScalingEvent, ...] = (),
) -> Outcome:
    """One that misses so many times the one percent that interactive allows, and nothing of relaxed."""
    return Outcome(
        contender=Contender(name, kind, way),
        gpu_hours=gpu_hours,
        cost_usd=3.5 * gpu_hours,
        attainment={"interactive": 1.0 - 0.01 * strain, "relaxed": 1.0},
        attained_frac=1.0 - 0.007 * strain,
        strain=strain,
        keeps_slo=strain <= 1.0,
        n_events=len(events),
        n_reversals=0,
        n_bad_minutes=0,
        events={A100: events},
    )


def in_flight(target: float, gpu_hours: float, strain: float) -> Outcome:
    """A plain HPA at one target."""
    way = Setting(Signal.IN_FLIGHT, target, 300.0)
    return outcome("hpa-in-flight", Kind.SIMPLE, way, gpu_hours, strain)


def static(n: int, gpu_hours: float, strain: float) -> Outcome:
    """A constant fleet."""
    return outcome("static", Kind.STATIC, Constant((n,)), gpu_hours, strain)


def ours(gpu_hours: float, strain: float, events: tuple[ScalingEvent, ...] = ()) -> Outcome:
    """Our controller."""
    return outcome("ours", Kind.OURS, Ours(), gpu_hours, strain, events)


def bound(gpu_hours: float, strain: float) -> Outcome:
    """The look-ahead bound."""
    return outcome("look-ahead", Kind.BOUND, LookAhead(), gpu_hours, strain)


def comparison(*outcomes: Outcome) -> Comparison:
    """On the first ten minutes of the default trace, started at six."""
    return Comparison(setup=setup(start=6), outcomes=outcomes)
