"""Which capacity tables a decision needs, and when one that is remembered still holds."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.burstiness import POISSON, Burstiness
from llmd_autoscaler.core.capacity import CapacityTable, capacity_table
from llmd_autoscaler.core.load import work_s
from llmd_autoscaler.core.sample import Seen, draw
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.world import Policy, TableEntry, TargetState, World
from llmd_autoscaler.errors import PlanError

Array = NDArray[np.float64]
Tables = Mapping[tuple[str, float], TableEntry]


def tiers(classes: Sequence[QosClass]) -> tuple[float, ...]:
    """The TPOT bounds that classes ask for, strictest first; inf for those that ask for none."""
    return tuple(sorted({qos.bounds.tpot_max_s for qos in classes}))


def needed_tiers(
    targets: Sequence[TargetState], classes: Sequence[QosClass], rates: Array
) -> tuple[float, ...]:
    """The tiers that a plan can differ by: a single target serves all, so its tier is the strictest in demand."""
    if len(targets) > 1:
        return tiers(classes)
    asked = [qos for qos, rate in zip(classes, rates.sum(axis=1), strict=True) if rate > 0.0]
    return tiers(asked or classes)[:1]


def rides(qos: QosClass, tier_s: float) -> bool:
    """Whether a class may ride on a tier: its own or a stricter one."""
    return qos.bounds.tpot_max_s >= tier_s


def tables(
    known: Tables,
    world: World,
    traffic: tuple[Array, Seen],
    policy: Policy,
) -> Tables:
    """A table for every target and tier, those that still hold taken over.

    Args: traffic: (class, isl) rates, and what the traffic looks like.
    Raises: PlanError: a table is missing and none may be made in this tick.
    """
    targets, classes = world.targets, world.classes
    rates, seen = traffic
    found: dict[tuple[str, float], TableEntry] = {}
    made: dict[tuple[object, ...], TableEntry] = {}
    for target in targets:
        for tier_s in needed_tiers(targets, classes, rates):
            entry = known.get((target.name, tier_s))
            work = work_s(target.profile, seen.mix)
            riding = np.array([rides(qos, tier_s) for qos in classes])
            now = fingerprint(rates * riding[:, None], work)
            if not world.may_tabulate:
                if entry is None or not _is_for(entry, target, classes):
                    raise PlanError(
                        f"the capacity of {target.name} is being tabulated, other models first"
                    )
            elif (
                entry is None
                or not _still_holds(entry, target, classes, now, policy)
                or not entry.bursts.is_like(_felt(seen.bursts, rates))
            ):
                key = (target.profile, tier_s, target.max_instances)
                entry = made.get(key) or _made(
                    target, classes, tier_s, (rates * riding[:, None], seen), policy
                )
                made[key] = entry
            found[target.name, tier_s] = entry
    return found


def providing(found: Tables, urgency: float) -> Tables:
    """The tables between those of even arrivals, at an urgency of 0, and those of the bursts that were seen, at 1."""
    return {
        key: entry
        if entry.of_bursts is None
        else dataclasses.replace(entry, capacity=entry.capacity.towards(entry.of_bursts, urgency))
        for key, entry in found.items()
    }


def _felt(bursts: Burstiness, rates: Array) -> Burstiness:
    """The bursts, or none where no fleet would feel them."""
    return bursts if bursts.is_felt(float(rates.sum())) else POISSON


def fingerprint(rates: Array, work: Array) -> Array:
    """(class, 2) what a table depends on: each class's share of the work, and its mean work in seconds."""
    per_class = (rates * work).sum(axis=1)
    requests = rates.sum(axis=1)
    mean = np.divide(per_class, requests, out=np.zeros_like(per_class), where=requests > 0)
    return np.stack([per_class / max(per_class.sum(), 1e-12), mean], axis=1)


def _still_holds(
    entry: TableEntry,
    target: TargetState,
    classes: tuple[QosClass, ...],
    now: Array,
    policy: Policy,
) -> bool:
    """Whether a table was made for the same promise and about the same traffic."""
    if not _is_for(entry, target, classes):
        return False
    share_moved = np.abs(entry.cell_work[:, 0] - now[:, 0]).max(initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        work_moved = np.abs(
            np.where(now[:, 1] > 0, entry.cell_work[:, 1] / now[:, 1] - 1.0, 0.0)
        ).max(initial=0.0)
    return bool(share_moved <= policy.table_drift_frac and work_moved <= policy.table_drift_frac)


def _is_for(entry: TableEntry, target: TargetState, classes: tuple[QosClass, ...]) -> bool:
    """Whether a table was made for this variant, this promise and so many instances."""
    return (entry.profile, entry.classes) == (
        target.profile,
        classes,
    ) and entry.most >= target.max_instances


def _made(
    target: TargetState,
    classes: tuple[QosClass, ...],
    tier_s: float,
    traffic: tuple[Array, Seen],
    policy: Policy,
) -> TableEntry:
    """A table from the engine; a tier that no request rides on needs none and carries all the engine can."""
    rates, seen = traffic
    work, mix = work_s(target.profile, seen.mix), seen.mix
    bursts = _felt(seen.bursts, rates)
    if rates.sum() <= 0.0:
        rates = np.where(np.array([rides(qos, tier_s) for qos in classes])[:, None], mix.share, 0.0)
    if rates.sum() <= 0.0:
        rates = np.full_like(rates, 1.0)
    mean_work = float((rates * work).sum() / rates.sum())

    def table(bursts: Burstiness) -> CapacityTable:
        sample = draw(
            rates,
            dataclasses.replace(seen, bursts=bursts),
            n=policy.n_table_requests,
            seed=policy.seed,
        )
        return capacity_table(target.profile, classes, sample, mean_work, most=target.max_instances)

    return TableEntry(
        capacity=table(POISSON),
        profile=target.profile,
        classes=classes,
        most=target.max_instances,
        cell_work=fingerprint(rates, work),
        of_bursts=None if bursts == POISSON else table(bursts),
        bursts=bursts,
    )
