"""One model's decision: `decide(world, memory) -> (decision, memory)`, the same function for loop, simulator and what-if."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core import budget, demand, explain, oracle, stabilizer
from llmd_autoscaler.core.burstiness import burstiness
from llmd_autoscaler.core.forecast import forecast
from llmd_autoscaler.core.load import work_s
from llmd_autoscaler.core.sample import Seen
from llmd_autoscaler.core.tables import providing, tables
from llmd_autoscaler.core.traffic import TrafficMix, traffic_mix
from llmd_autoscaler.core.world import (
    Decision,
    Memory,
    Policy,
    Reason,
    ReasonCode,
    TargetDecision,
    TargetState,
    World,
)
from llmd_autoscaler.errors import PlanError

Array = NDArray[np.float64]

# Less than this seen, and a rate is a guess: four ticks of the default.
MIN_OBSERVED_S = 60.0
RATE_WINDOW_S = 60.0


def decide(world: World, memory: Memory, policy: Policy) -> tuple[Decision, Memory]:
    """What one model should run on from now on; where no plan follows, the last decision and why."""
    traffic = memory.traffic.observe(world.counts, now_s=world.now_s)
    memory = dataclasses.replace(memory, traffic=traffic)
    if not world.counts:
        return _held(
            world,
            Reason(ReasonCode.NOT_OBSERVED, "no router could be asked: the last decision holds"),
        ), memory
    if traffic.observed_s < MIN_OBSERVED_S:
        seen = f"{traffic.observed_s:.0f} s of traffic seen, {MIN_OBSERVED_S:.0f} s are needed: the last decision holds"
        return _held(world, Reason(ReasonCode.WARMING_UP, seen)), memory
    mix = traffic_mix(traffic.shapes)
    look = Seen(mix, traffic.shapes, burstiness(traffic))
    qps = traffic.rate_qps(RATE_WINDOW_S)
    work = work_s(world.targets[0].profile, mix)
    weights = (mix.share * work).sum(axis=1)
    lead_s = max(target.lead.p90_s for target in world.targets) + world.reaction_s
    urgency = budget.urgency(budget.spent_frac(world.classes, world.realised))
    quantile = policy.quantile + urgency * (policy.quantile_spent - policy.quantile)
    ahead = forecast(traffic, weights, horizon_s=lead_s, quantile=quantile)
    wanted_qps = np.maximum(qps, ahead.quantile_qps)
    rates = wanted_qps[:, None] * mix.share
    if rates.sum() <= 0.0:
        return _idle(world, memory, mix, policy)
    try:
        known = tables(memory.tables, world, (rates, look), policy)
    except PlanError as error:
        return _held(
            world, Reason(ReasonCode.WARMING_UP, f"{error}: the last decision holds")
        ), memory
    memory = dataclasses.replace(memory, tables=known)
    cells = demand.cells(world.classes, wanted_qps, mix.share, work)
    try:
        planned = oracle.verified_plan(world, cells, look, providing(known, urgency), policy)
    except PlanError as error:
        return _held(
            world, Reason(ReasonCode.INFEASIBLE, f"{error}: the last decision holds")
        ), memory
    memory, numbers = _stabilize(world, memory, planned.instances, policy)
    predicted, memory = oracle.predict(world, numbers, planned, (qps, look), memory, policy)
    planned = oracle.judged(planned, world.classes, predicted)
    decision = Decision(
        at_s=world.now_s,
        targets=explain.targets(world, planned, numbers, (qps, ahead)),
        routes=planned.routes,
        qps=qps,
        forecast=ahead,
        isl_mean=(mix.share * mix.isl_tokens).sum(axis=1),
        osl_mean=_class_mean(mix, mix.osl_tokens),
        hit_frac=_class_mean(mix, mix.hit_frac),
        predicted=predicted,
        usd_per_hour=_usd(world.targets, numbers),
        usd_per_million_tokens=explain.usd_per_million_tokens(
            _usd(world.targets, numbers), qps, mix
        ),
        infeasible=planned.infeasible,
        binding=planned.binding,
        reasons=explain.model(planned, ahead, look.bursts),
    )
    return decision, memory


def _stabilize(
    world: World, memory: Memory, instances: dict[str, int], policy: Policy
) -> tuple[Memory, dict[str, int]]:
    """The numbers to publish: those wanted, scaled in only after a full window."""
    recommendations = stabilizer.remember(
        memory.recommendations, instances, now_s=world.now_s, window_s=policy.scale_in_window_s
    )
    has_full_window = memory.traffic.observed_s >= policy.scale_in_window_s
    numbers = {
        target.name: _clamped(
            target,
            stabilizer.stabilized(
                recommendations,
                target.name,
                present=_present(target),
                has_full_window=has_full_window,
            ),
        )
        for target in world.targets
    }
    return dataclasses.replace(memory, recommendations=recommendations), numbers


def _present(target: TargetState) -> int:
    """What was last published, or what runs where nothing was."""
    return target.desired or target.n_present


def _clamped(target: TargetState, number: int) -> int:
    """Within the target's limits; a paused one keeps its number, which is never 0: that would turn its HPA off."""
    if target.is_paused:
        return max(_present(target), 1)
    return min(max(number, target.min_instances), target.max_instances)


def _usd(targets: tuple[TargetState, ...], numbers: dict[str, int]) -> float:
    """Price an hour of the numbers."""
    return sum(target.usd_per_hour * numbers[target.name] for target in targets)


def _class_mean(mix: TrafficMix, values: Array) -> Array:
    """(class,) mean over a class's arrivals."""
    return np.asarray((mix.share * values).sum(axis=1))


def _idle(world: World, memory: Memory, mix: TrafficMix, policy: Policy) -> tuple[Decision, Memory]:
    """Nobody asks for anything: the minimum, once a whole window was quiet."""
    instances = {target.name: target.min_instances for target in world.targets}
    memory, numbers = _stabilize(world, memory, instances, policy)
    reason = Reason(ReasonCode.NO_TRAFFIC, "no request arrived in the last minute")
    decision = _quiet(world, numbers, reason)
    return dataclasses.replace(decision, isl_mean=(mix.share * mix.isl_tokens).sum(axis=1)), memory


def _held(world: World, reason: Reason) -> Decision:
    """The last decision, because nothing better is known."""
    return _quiet(
        world, {target.name: _clamped(target, _present(target)) for target in world.targets}, reason
    )


def _quiet(world: World, numbers: dict[str, int], reason: Reason) -> Decision:
    """A decision without demand behind it."""
    nothing = np.zeros(len(world.classes))
    return Decision(
        at_s=world.now_s,
        targets=tuple(
            TargetDecision(
                name=target.name,
                desired=numbers[target.name],
                wanted=numbers[target.name],
                tier_s=math.inf,
                load=0.0,
                utilization=0.0 if target.n_ready else None,
                reasons=(reason,),
            )
            for target in world.targets
        ),
        routes=(),
        qps=nothing,
        forecast=None,
        isl_mean=nothing,
        osl_mean=nothing,
        hit_frac=nothing,
        predicted=None,
        usd_per_hour=_usd(world.targets, numbers),
        usd_per_million_tokens=None,
        infeasible=(),
        binding=None,
        reasons=(reason,),
    )
