"""From demand cells to a plan: sizes, tiers, routes, and what is left over."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.capacity import CapacityTable
from llmd_autoscaler.core.demand import Cells
from llmd_autoscaler.core.load import unreachable_bound, work_s
from llmd_autoscaler.core.optimizer import Demand, Mix, TargetOption, TierOption, cheapest_mix
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.tables import Tables, rides
from llmd_autoscaler.core.traffic import TrafficMix
from llmd_autoscaler.core.world import (
    Infeasible,
    Route,
    TargetState,
    World,
)

Array = NDArray[np.float64]

# Rates below this share of their cell are the solver's dust, not a route.
MIN_FRACTION = 0.01
# A rate this close to nothing left over is the solver's tolerance, not a shed request.
SHED_TOLERANCE_FRAC = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The optimizer's answer in the terms of a decision."""

    instances: dict[str, int]
    tier_s: dict[str, float]
    work: dict[str, float]  # engine seconds a second routed to each target
    tables: dict[str, CapacityTable]  # of the tier that each target serves
    routes: tuple[Route, ...]  # for the instances that are ready
    planned_routes: tuple[Route, ...]  # for those of the plan
    infeasible: tuple[Infeasible, ...]
    binding: str | None


def plan(
    world: World, cells: Cells, mix: TrafficMix, tables: Tables, *, carried_frac: float = 1.0
) -> Plan:
    """The cheapest fleet for the demand, and routes for the fleet that is ready now.

    Args: carried_frac: share of what the tables say that instances are trusted to carry.
    Raises: PlanError: the targets' minimum exceeds the stock.
    """
    options = [
        _option(target, world.classes, (cells, mix), tables, carried_frac)
        for target in world.targets
    ]
    demand = Demand(cells.rate_qps, cells.priority)
    chosen = cheapest_mix(demand, options, dict(world.stock))
    tier_s = {o.name: o.tiers[t].tier_s for o, t in zip(options, chosen.tier, strict=True)}
    routed = _routed_now(world, demand, options, chosen)
    return Plan(
        instances={o.name: m for o, m in zip(options, chosen.instances, strict=True)},
        tier_s=tier_s,
        work={o.name: float(chosen.routed_qps[i] @ o.work_s) for i, o in enumerate(options)},
        tables={name: tables[name, tier].capacity for name, tier in tier_s.items()},
        routes=_routes(world, cells, options, routed),
        planned_routes=_routes(world, cells, options, chosen.routed_qps),
        infeasible=_infeasible(world, cells, mix, options, chosen),
        binding=_binding(options, chosen),
    )


def _option(
    target: TargetState,
    classes: Sequence[QosClass],
    traffic: tuple[Cells, TrafficMix],
    tables: Tables,
    carried_frac: float,
) -> TargetOption:
    """What the optimizer may do with a target."""
    cells, mix = traffic
    isl, osl = cells.mean(mix.isl_tokens), cells.mean(mix.osl_tokens)
    reachable = np.array(
        [
            not unreachable_bound(target.profile, classes[int(c)], i, o)
            for c, i, o in zip(cells.class_of, isl, osl, strict=True)
        ],
        dtype=np.bool_,
    )
    tiers = tuple(
        TierOption(
            tier_s=tier_s,
            capacity=entry.capacity.scaled(carried_frac),
            is_allowed=reachable
            & np.array([rides(classes[int(c)], tier_s) for c in cells.class_of], dtype=np.bool_),
        )
        for (name, tier_s), entry in tables.items()
        if name == target.name
    )
    low, high = target.min_instances, target.max_instances
    if target.is_paused:
        low = high = max(target.desired or target.n_present, 1)
    step_s = (
        1.0 / max(1.0 - tiers[0].capacity.carried(high) / high, 0.1) * target.profile.step.base_s
    )
    return TargetOption(
        name=target.name,
        accelerator=target.accelerator,
        n_accelerators=target.n_accelerators,
        usd_per_hour=target.usd_per_hour,
        min_instances=low,
        max_instances=high,
        present_instances=target.desired or target.n_present,
        work_s=cells.mean(work_s(target.profile, mix)),
        kv_token_s=(isl + 0.5 * osl) * osl * step_s,
        kv_tokens=target.profile.kv_tokens,
        tiers=tiers,
    )


def _routed_now(
    world: World, demand: Demand, options: Sequence[TargetOption], chosen: Mix
) -> Array:
    """(target, cell) rates for the instances that are ready: those that start cannot serve yet."""
    if len(options) == 1:
        return np.asarray(demand.rate_qps[None, :])
    ready = [target.n_ready for target in world.targets]
    if tuple(ready) == chosen.instances or not any(ready):
        return chosen.routed_qps
    now = [
        dataclasses.replace(
            option,
            min_instances=n_ready,
            max_instances=n_ready,
            tiers=tuple(_with_all_allowed_if_alone(tier, n_ready, ready) for tier in option.tiers),
        )
        for option, n_ready in zip(options, ready, strict=True)
    ]
    return cheapest_mix(demand, now).routed_qps


def _with_all_allowed_if_alone(tier: TierOption, n_ready: int, ready: Sequence[int]) -> TierOption:
    """A target that is the only one ready serves everything, as well as it can."""
    if n_ready and sum(1 for n in ready if n) == 1:
        return dataclasses.replace(tier, is_allowed=np.ones_like(tier.is_allowed))
    return tier


def _routes(
    world: World, cells: Cells, options: Sequence[TargetOption], routed: Array
) -> tuple[Route, ...]:
    """Fractions of each cell by target; neighbouring cells of a class with equal fractions become one route."""
    routes: list[Route] = []
    for k in range(len(cells.class_of)):
        total = routed[:, k].sum()
        if total <= 0.0:
            continue
        fractions = {o.name: round(float(routed[g, k] / total), 2) for g, o in enumerate(options)}
        fractions = {name: frac for name, frac in fractions.items() if frac >= MIN_FRACTION}
        scale = sum(fractions.values())
        fractions = {name: frac / scale for name, frac in fractions.items()}
        name = world.classes[int(cells.class_of[k])].name
        if routes and routes[-1].class_name == name and routes[-1].fractions == fractions:
            routes.pop()
        routes.append(Route(name, cells.isl_up_to(k), fractions))
    return tuple(routes)


def _infeasible(
    world: World, cells: Cells, mix: TrafficMix, options: Sequence[TargetOption], chosen: Mix
) -> tuple[Infeasible, ...]:
    """Which class lacks what, by how much."""
    found = []
    isl, osl = cells.mean(mix.isl_tokens), cells.mean(mix.osl_tokens)
    for c, qos in enumerate(world.classes):
        of_class = np.flatnonzero(
            (cells.class_of == c) & (chosen.shed_qps > SHED_TOLERANCE_FRAC * cells.rate_qps)
        )
        if len(of_class) == 0:
            continue
        shed = float(chosen.shed_qps[of_class].sum())
        beyond = [
            k
            for k in of_class
            if not any(tier.is_allowed[k] for option in options for tier in option.tiers)
        ]
        if beyond:
            k = int(beyond[0])
            bounds = {unreachable_bound(t.profile, qos, isl[k], osl[k]) for t in world.targets}
            bound = min(bounds - {""}) if bounds - {""} else "tpot"
            text = f"{qos.name}: prompts of {isl[k]:.0f} tokens miss {bound} on an idle instance of every target"
            found.append(Infeasible(qos.name, bound, shed, text))
        else:
            most = ", ".join(f"{o.max_instances} x {o.name}" for o in options)
            text = f"{qos.name}: {shed:.2f} req/s are more than the limits carry ({most})"
            found.append(Infeasible(qos.name, "capacity", shed, text))
    return tuple(found)


def _binding(options: Sequence[TargetOption], chosen: Mix) -> str | None:
    """The target whose limit leaves demand over."""
    if chosen.shed_qps.sum() <= 0.0:
        return None
    at_limit = [
        o.name for o, m in zip(options, chosen.instances, strict=True) if m == o.max_instances
    ]
    return at_limit[0] if at_limit else None


def load_of(planned: Plan, name: str, max_instances: int) -> float:
    """The m at which cap[m] equals the work routed to a target; its limit where none does."""
    load = planned.tables[name].load(planned.work[name])
    return load if math.isfinite(load) else float(max_instances)
