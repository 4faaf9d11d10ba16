"""The engine as the judge of a plan: mixes that miss their percentile are cut off, published ones are predicted.

A table says what one target carries of the mix of all classes. A plan over several targets splits the
classes, and pools are smaller than their sum: only the whole fleet under its own routes tells.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core import capacity
from llmd_autoscaler.core.demand import Cells
from llmd_autoscaler.core.plan import Plan, plan
from llmd_autoscaler.core.routing import routing_table
from llmd_autoscaler.core.sample import Sample, Seen, draw
from llmd_autoscaler.core.score import keeps_slo
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.tables import Tables
from llmd_autoscaler.core.world import Memory, Policy, Route, Verified, World

Array = NDArray[np.float64]

# A verification holds for this long while neither the fleet nor the rate (by a tenth) moved.
VERIFIED_FOR_S = 120.0
# A plan is rejected when a class falls short by more than the noise of the sample: at 99 % of 3,000
# requests one standard deviation is 0.2 points.
SHORTFALL_POINTS_FRAC = 0.004
# What the tables say is trusted to this share in each new attempt.
CUTS = (0.95, 0.90, 0.85)


def verified_plan(
    world: World,
    cells: Cells,
    seen: Seen,
    tables: Tables,
    policy: Policy,
) -> Plan:
    """The cheapest plan that the engine confirms; after three rejections the last one.

    Raises: PlanError: the targets' minimum exceeds the stock.
    """
    planned = plan(world, cells, seen.mix, tables)
    if len(world.targets) == 1:
        return planned  # its table is the engine's own answer for the whole fleet
    weights = np.tensordot(cells.rate_qps, cells.weights, axes=1)
    sample = draw(weights, seen, n=policy.n_verify_requests, seed=policy.seed + 2)
    for carried_frac in CUTS:
        if planned.infeasible or _confirms(world, planned, sample, float(cells.rate_qps.sum())):
            break
        planned = plan(world, cells, seen.mix, tables, carried_frac=carried_frac)
    return planned


def judged(planned: Plan, classes: Sequence[QosClass], predicted: Array | None) -> Plan:
    """The plan, short of capacity only where the prediction of now is, too.

    What is provided for is more than what is expected: a limit below it breaks no promise by itself.
    """
    if predicted is None or not keeps_slo(classes, predicted):
        return planned
    left = tuple(each for each in planned.infeasible if each.bound != "capacity")
    return dataclasses.replace(planned, infeasible=left)


def _confirms(world: World, planned: Plan, sample: Sample, qps: float) -> bool:
    """Whether every class reaches its percentile on the planned fleet, within the sample's noise."""
    attained = _attainment(world, planned.instances, planned.planned_routes, sample, qps)
    return keeps_slo(world.classes, attained + SHORTFALL_POINTS_FRAC)


def _attainment(
    world: World, numbers: Mapping[str, int], routes: Sequence[Route], sample: Sample, qps: float
) -> Array:
    """(class,) attainment of so many instances of each target under some routes."""
    names = [target.name for target in world.targets]
    target_of = [g for g, name in enumerate(names) for _ in range(numbers[name])]
    profiles = [world.targets[g].profile for g in target_of]
    routing = routing_table(world.classes, names, routes, target_of)
    return capacity.fleet_attainment(profiles, world.classes, sample, qps, routing)


def predict(
    world: World,
    numbers: Mapping[str, int],
    planned: Plan,
    traffic: tuple[Array, Seen],
    memory: Memory,
    policy: Policy,
) -> tuple[Array | None, Memory]:
    """What the oracle says of the published fleet at the present rate: (class,) attainment.

    An answer is kept while fleet and rate stay about the same.
    """
    qps, seen = traffic
    total = float(qps.sum())
    instances = tuple(numbers[target.name] for target in world.targets)
    last = memory.verified
    if total <= 0.0:
        return None, memory
    if (
        last is not None
        and last.instances == instances
        and abs(last.qps / total - 1.0) < 0.1  # noqa: PLR2004 (a tenth, as VERIFIED_FOR_S says)
        and world.now_s - last.at_s < VERIFIED_FOR_S
    ):
        return last.attainment, memory
    rates = qps[:, None] * seen.mix.share
    sample = draw(rates, seen, n=policy.n_verify_requests, seed=policy.seed + 1)
    attained = _attainment(world, numbers, planned.planned_routes, sample, total)
    verified = Verified(world.now_s, instances, total, attained)
    return attained, dataclasses.replace(memory, verified=verified)
