"""The reasons of a decision, in sentences with numbers: the same words reach log, status, Event and page."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.burstiness import Burstiness
from llmd_autoscaler.core.forecast import Forecast
from llmd_autoscaler.core.plan import Plan, load_of
from llmd_autoscaler.core.traffic import TrafficMix
from llmd_autoscaler.core.world import Reason, ReasonCode, TargetDecision, TargetState, World

Array = NDArray[np.float64]


def targets(
    world: World, planned: Plan, numbers: Mapping[str, int], rates: tuple[Array, Forecast]
) -> tuple[TargetDecision, ...]:
    """Each target's number with its load and reasons."""
    return tuple(_target(target, planned, numbers[target.name], rates) for target in world.targets)


def _target(
    target: TargetState, planned: Plan, desired: int, rates: tuple[Array, Forecast]
) -> TargetDecision:
    wanted = planned.instances[target.name]
    load = load_of(planned, target.name, target.max_instances)
    carried = planned.tables[target.name].carried(target.n_ready)
    return TargetDecision(
        name=target.name,
        desired=desired,
        wanted=wanted,
        tier_s=planned.tier_s[target.name],
        load=load,
        utilization=planned.work[target.name] / carried if carried > 0.0 else None,
        reasons=(_reason(target, planned, (wanted, desired, load), rates),),
    )


def _reason(
    target: TargetState,
    planned: Plan,
    numbers: tuple[int, int, float],
    rates: tuple[Array, Forecast],
) -> Reason:
    """The one reason that decided a target's number."""
    wanted, desired, load = numbers
    present = target.desired or target.n_present
    qps, ahead = rates
    demand = (
        f"{qps.sum():.2f} req/s, {ahead.quantile_qps.sum():.2f} to provide for within {ahead.horizon_s:.0f} s, "
        f"is load {load:.2f}{_tier_text(planned.tier_s[target.name])}"
    )
    if target.is_paused:
        return Reason(ReasonCode.PAUSED, f"paused at {desired}; {demand} would want {wanted}")
    if planned.binding is not None and wanted == target.max_instances:
        return Reason(
            ReasonCode.AT_LIMIT, f"{demand}: maxReplicas {target.max_instances} is the limit"
        )
    if desired > present:
        return Reason(ReasonCode.DEMAND_UP, f"{demand}: {present} → {desired}")
    if desired < present:
        return Reason(ReasonCode.DEMAND_DOWN, f"{demand}: {present} → {desired}")
    if desired > wanted:
        return Reason(
            ReasonCode.HELD,
            f"{demand}: {wanted} would do, {desired} are kept until they have done so long enough",
        )
    return Reason(ReasonCode.DEMAND_MET, f"{demand}: {desired} carry it")


def _tier_text(tier_s: float) -> str:
    return f" at tier {tier_s * 1000:.0f}ms" if math.isfinite(tier_s) else ""


def model(planned: Plan, ahead: Forecast, bursts: Burstiness) -> tuple[Reason, ...]:
    """Reasons that concern the model as a whole."""
    if planned.infeasible:
        return tuple(Reason(ReasonCode.INFEASIBLE, i.text) for i in planned.infeasible)
    mix = " + ".join(f"{m} x {name}" for name, m in planned.instances.items() if m)
    if planned.binding is not None:
        text = (
            f"{mix} is the limit: it carries what comes now, not the {ahead.quantile_qps.sum():.2f} req/s to provide for "
            f"({ahead.p50_qps.sum():.2f} expected in {ahead.horizon_s:.0f} s{_bursts_text(ahead, bursts)})"
        )
        return (Reason(ReasonCode.AT_LIMIT, text),)
    text = (
        f"{mix} carries {ahead.quantile_qps.sum():.2f} req/s "
        f"({ahead.p50_qps.sum():.2f} expected in {ahead.horizon_s:.0f} s, forecast off by {ahead.error_frac:.0%} in the median"
        f"{_bursts_text(ahead, bursts)})"
    )
    return (Reason(ReasonCode.DEMAND_MET, text),)


def _bursts_text(ahead: Forecast, bursts: Burstiness) -> str:
    """How uneven the arrivals are, where a fleet feels it."""
    qps = float(ahead.p50_qps.sum())
    if not bursts.is_felt(qps):
        return ""
    return f", in bursts: from second to second {bursts.dispersion(qps):.1f} times the variance of chance"


def usd_per_million_tokens(usd_per_hour: float, qps: Array, mix: TrafficMix) -> float | None:
    """Cost ÷ (prompt + output tokens) x 10^6 at the present rate; None without traffic."""
    tokens = (mix.share * (mix.isl_tokens + mix.osl_tokens)).sum(axis=1)
    per_hour = float(qps @ tokens) * 3600.0
    return usd_per_hour / per_hour * 1e6 if per_hour > 0.0 else None
