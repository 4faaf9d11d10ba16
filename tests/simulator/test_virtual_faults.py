"""Random schedules of faults in virtual time: withheld metrics, lost ticks, blind ticks, instances that die."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmd_autoscaler.controller.ports import ClusterView, ModelCounts, ModelKey
from llmd_autoscaler.core.engine.state import install
from llmd_autoscaler.simulator.deployment import ended
from llmd_autoscaler.simulator.virtual import (
    HPA_SYNC_S,
    KEY,
    Published,
    Result,
    Setup,
    new_fleet,
    play,
)
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet
from tests.simulator.setups import A100, setup, trace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TICK_S = 15.0
UNTIL_S = 900.0
# Faults end here: what is left of the run is time to recover in.
LAST_FAULT_S = 600.0
N_TICKS = int(LAST_FAULT_S / TICK_S)
MIN, MAX = 3, 10


@dataclass(frozen=True)
class Faults:
    """What goes wrong, by the number of the tick."""

    lost: frozenset[int] = frozenset()  # the controller does not come to it
    blind: frozenset[int] = frozenset()  # no router answers
    withheld: frozenset[int] = frozenset()  # an HPA that asks in its period is told nothing
    deaths: tuple[int, ...] = ()  # one instance dies right before it


class Blind(Published):
    """The controller, whose routers do not answer at some ticks."""

    def __init__(self, fleet: VirtualFleet, of: Setup, blind: frozenset[int]) -> None:
        super().__init__(fleet, of)
        self._blind = blind

    async def counts(self, view: ClusterView, *, now_s: float) -> Mapping[ModelKey, ModelCounts]:
        if round(now_s / TICK_S) in self._blind:
            return {KEY: ModelCounts("router", {})}
        return await super().counts(view, now_s=now_s)


@dataclass
class Faulty:
    """A scaler with all of that between it and the world."""

    fleet: VirtualFleet
    published: Blind
    faults: Faults
    n_died: int = 0
    told: list[tuple[float, int]] = field(default_factory=list)

    async def tick(self, now_s: float) -> None:
        n = round(now_s / TICK_S)
        for _ in range(self.faults.deaths.count(n)):
            self.n_died += die(self.fleet)
        if n not in self.faults.lost:
            await self.published.tick(now_s)

    def served(self, target: str, now_s: float) -> int | None:
        if int(now_s / TICK_S) in self.faults.withheld:
            return None
        value = self.published.served(target, now_s)
        if value is not None:
            self.told.append((now_s, value))
        return value


def die(fleet: VirtualFleet) -> bool:
    """One ready instance ends with all that it had; its Deployment makes another."""
    deployment = fleet.deployments[A100]
    victim = next((i for i in deployment.active if i.is_ready(fleet.now_s)), None)
    if victim is None:
        return False
    n = len(deployment.active)
    fleet.deployments[A100] = ended(deployment, victim.name, fleet.now_s)
    row = fleet._row.pop(victim.name)
    fleet._is_routable[row] = 0
    install(fleet._fleet, row, fleet.targets[A100].profile, now_s=fleet.now_s)
    fleet._free.append(row)
    fleet.scale(A100, n)
    return True


def played(faults: Faults) -> tuple[Faulty, Result]:
    of = setup(start=5, replay=trace(UNTIL_S))
    fleet = new_fleet(of)
    scaler = Faulty(fleet, Blind(fleet, of, faults.blind), faults)
    return scaler, asyncio.run(play(of, fleet, scaler))


ticks = st.integers(min_value=1, max_value=N_TICKS)
some = st.frozensets(ticks, max_size=12)


@st.composite
def spells(draw: st.DrawFn) -> frozenset[int]:
    """A few ticks here and there, or a long spell."""
    first, length = draw(ticks), draw(st.integers(min_value=0, max_value=24))
    spell = frozenset(range(first, min(first + length, N_TICKS + 1)))
    return spell | draw(some)


schedules = st.builds(
    Faults,
    lost=spells(),
    blind=spells(),
    withheld=spells(),
    deaths=st.lists(ticks, max_size=4).map(tuple),
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(schedules)
def test_no_schedule_of_faults_brings_out_a_wrong_number_or_loses_the_fleet(faults: Faults) -> None:
    scaler, result = played(faults)
    decisions = [publication.decision for publication in scaler.published.publications]
    published = {d.targets[0].desired for d in decisions}
    assert scaler.published.failures == []
    for decision in decisions:
        (of_target,) = decision.targets
        assert MIN <= of_target.desired <= MAX
        assert math.isfinite(of_target.load)
        assert np.isfinite(decision.qps).all()
        assert (decision.qps >= 0.0).all()
        assert of_target.desired >= min(of_target.wanted, MAX)
    assert {value for _, value in scaler.told} <= published
    # every change of the fleet is a number that an HPA was told in that very moment
    told = dict(scaler.told)
    for event in result.events[A100]:
        assert told[event.at_s] == event.after
    # and when the faults are over, the fleet is what was decided last, or one period behind it
    *_, before, last = (d.targets[0].desired for d in decisions)
    assert len(scaler.fleet.deployments[A100].active) in {before, last}
    assert decisions[-1].targets[0].desired >= decisions[-1].targets[0].wanted


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(spells(), spells())
def test_a_controller_that_sees_nothing_never_takes_an_instance_away(
    lost: frozenset[int], blind: frozenset[int]
) -> None:
    scaler, _ = played(Faults(lost=lost, blind=blind))
    numbers = {
        round(p.decided_at_s / TICK_S): p.decision.targets[0].desired
        for p in scaler.published.publications
    }
    for n in blind & numbers.keys():
        earlier = max((k for k in numbers if k < n), default=n)
        assert numbers[n] == numbers[earlier]


def test_only_what_the_dead_instances_had_is_lost() -> None:
    scaler, result = played(Faults(deaths=(12, 20)))
    n_lost = int((~result.answers.is_completed).sum())
    assert scaler.n_died == 2
    # a batch of such an instance holds some tens of requests
    assert 0 < n_lost < 2 * 256
    late = result.answers.at_s > 20 * TICK_S
    assert result.answers.is_completed[late].all()


def test_the_hpa_follows_within_a_period_once_it_is_told_again() -> None:
    withheld = frozenset(range(8, 30))
    scaler, result = played(Faults(withheld=withheld))
    free_s = (max(withheld) + 1) * TICK_S
    first_s, first = next((at_s, value) for at_s, value in scaler.told if at_s >= free_s)
    assert first_s < free_s + HPA_SYNC_S
    assert not [e for e in result.events[A100] if min(withheld) * TICK_S <= e.at_s < free_s]
    after = [e.after for e in result.events[A100] if e.at_s <= first_s]
    assert (after or [5])[-1] == first
