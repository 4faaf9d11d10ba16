"""Whole runs in virtual time."""

import asyncio
import itertools

import numpy as np
import pytest

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.core.world import ReasonCode
from llmd_autoscaler.simulator.virtual import (
    HPA_SYNC_S,
    Published,
    Result,
    Scaler,
    Setup,
    Static,
    new_fleet,
    play,
    run,
)
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet
from tests.simulator.setups import A100, H100, POLICY, setup, target, trace

pytestmark = pytest.mark.slow


class Killed:
    """Our controller, whose process dies at a time and is started again at once."""

    def __init__(self, fleet: VirtualFleet, of: Setup, *, at_s: float) -> None:
        self.published = Published(fleet, of)
        self._setup = of
        self._dies_at_s = at_s
        self.numbers: dict[float, int] = {}

    async def tick(self, now_s: float) -> None:
        """The tick of whichever process lives."""
        it = self.published
        if now_s == self._dies_at_s:
            # all that outlives it is the status: what was published last
            it._loop = Loop(it, it, it, settings=self._setup.tick, policy=POLICY)
        await it.tick(now_s)
        self.numbers[now_s] = it.publications[-1].decision.targets[0].desired

    def served(self, target: str, now_s: float) -> int | None:
        """What the adapter would answer."""
        return self.published.served(target, now_s)


class Scripted:
    """Wants more from a time on, and cannot be read until another."""

    def __init__(self, *, more_at_s: float, readable_at_s: float) -> None:
        self._more_at_s, self._readable_at_s = more_at_s, readable_at_s

    async def tick(self, now_s: float) -> None:
        """Nothing to decide."""

    def served(self, target: str, now_s: float) -> int | None:
        del target
        if self._more_at_s <= now_s < self._readable_at_s:
            return None
        return 4 if now_s < self._more_at_s else 7


def played(of: Setup, scaler: Scaler, fleet: VirtualFleet | None = None) -> Result:
    return asyncio.run(play(of, fleet or new_fleet(of), scaler))


def test_a_run_repeated_gives_the_same_bits() -> None:
    (one, first), (two, second) = run(setup()), run(setup())
    for name in ("first_s", "last_s"):
        assert np.array_equal(getattr(one.answers, name), getattr(two.answers, name))
    assert (one.gpu_hours, one.events) == (two.gpu_hours, two.events)
    assert [p.decision.reasons for p in first.publications] == [
        p.decision.reasons for p in second.publications
    ]


def test_every_request_of_a_run_is_answered_and_no_model_fails() -> None:
    result, published = run(setup())
    assert result.answers.is_completed.all()
    assert published.failures == []
    # a decision every 15 s from second 0 on, the last before the last arrival
    assert result.n_decisions == len(published.publications) == int(trace().duration_s // 15) + 1


def test_a_larger_static_fleet_never_attains_less() -> None:
    attained = [
        played(setup(), Static({A100: n}), new_fleet(setup(), {A100: n})).attainment
        for n in (3, 5, 7, 9)
    ]
    for fewer, more in itertools.pairwise(attained):
        # half a point: another instance deals every request anew
        assert (more >= fewer - 0.005).all()
    assert attained[0][0] < attained[-1][0]


def test_a_static_fleet_costs_its_size_times_the_time_and_has_no_event() -> None:
    result = played(setup(start=5), Static({A100: 5}))
    hours = trace().duration_s / 3600.0
    assert result.gpu_hours == pytest.approx(5 * 4 * hours)
    assert result.cost_usd == pytest.approx(5 * 14.0 * hours)
    assert (result.n_events, result.n_reversals) == (0, 0)


def test_a_controller_killed_in_mid_run_goes_on_without_a_jump() -> None:
    of = setup(start=8)
    fleet = new_fleet(of)
    scaler = Killed(fleet, of, at_s=300.0)
    played(of, scaler, fleet)
    before = scaler.numbers[285.0]
    window_end_s = 300.0 + of.policy.scale_in_window_s
    after = [m for now_s, m in scaler.numbers.items() if 300.0 <= now_s < window_end_s]
    assert after[0] == before
    # before it has seen a full window the new process takes nothing away
    assert after == sorted(after)
    codes = [
        p.decision.reasons[0].code for p in scaler.published.publications if p.decided_at_s == 300.0
    ]
    assert codes == [ReasonCode.WARMING_UP]


def test_a_withheld_status_freezes_the_hpa() -> None:
    result = played(setup(start=4), Scripted(more_at_s=100.0, readable_at_s=300.0))
    (event,) = result.events[A100]
    assert (event.before, event.after) == (4, 7)
    assert 300.0 <= event.at_s < 300.0 + HPA_SYNC_S


def test_a_status_that_nobody_renews_is_withheld_when_it_has_run_out() -> None:
    of = setup()
    scaler = Published(new_fleet(of), of)
    assert scaler.served(A100, 0.0) is None
    asyncio.run(scaler.tick(0.0))
    valid_s = of.tick.valid_s
    assert scaler.served(A100, valid_s - 1.0) == scaler.served(A100, 1.0)
    assert scaler.served(A100, valid_s + 1.0) is None


def test_two_variants_are_scaled_each_by_its_own_number() -> None:
    both = (target(limits=(1, 6)), target(H100, usd_per_hour=22.0, limits=(1, 6)))
    result, published = run(setup(*both, start=3))
    assert published.failures == []
    assert result.answers.is_completed.all()
    last = published.publications[-1].decision
    assert {t.name for t in last.targets} == {A100, H100}
    for route in last.routes:
        assert sum(route.fractions.values()) == pytest.approx(1.0)
