"""A clock that is put forward or back while the controller runs."""

import asyncio

import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import ModelKey, ModelView
from llmd_autoscaler.controller.process import Ticking
from llmd_autoscaler.core.world import ReasonCode
from llmd_autoscaler.settings import TickSettings
from llmd_autoscaler.telemetry import Telemetry
from tests.core.worlds import INTERACTIVE, QUICK, counted, target
from tests.fakes import FakeCluster, FakeRecorder, FakeSource

KEY = ModelKey("llm", "one")


class Steps:
    """A loop that is told of steps, and puts the clock off in its third tick."""

    def __init__(self, stopped, by_s):
        self.stopped, self.by_s, self.n_ticks, self.n_told, self.off_s = stopped, by_s, 0, 0, 0.0
        self.missing = ()

    async def tick(self, *, now_s):
        del now_s
        self.n_ticks += 1
        self.off_s = self.by_s if self.n_ticks >= 3 else 0.0
        if self.n_ticks == 6:
            self.stopped.set()

    def clock_stepped(self):
        self.n_told += 1


class OffClock(Clock):
    """A thousand times as fast, and off by what the loop says."""

    __slots__ = ("steps",)

    def now_s(self):
        return Clock.now_s(self) + self.steps.off_s


@pytest.mark.parametrize(("by_s", "n_told"), [(0.0, 0), (300.0, 1), (-300.0, 1), (1.0, 0)])
async def test_the_loop_is_told_once_of_a_step_longer_than_a_tick(by_s, n_told):
    stopped = asyncio.Event()
    steps = Steps(stopped, by_s)
    right = Clock.starting_at(1_700_000_000.0, 1000.0)
    clock = OffClock(right.wall_s, right.sim_s, right.rate)
    object.__setattr__(clock, "steps", steps)
    async with asyncio.timeout(20):
        await Ticking(steps, steps, Telemetry(), clock, 15.0).run(stopped)
    assert steps.n_told == n_told


async def test_after_a_step_the_loop_watches_anew_and_writes_when_its_decision_ends_now():
    cluster, recorder = (
        FakeCluster(ModelView(KEY, "one", (INTERACTIVE,), (target(),))),
        FakeRecorder(),
    )
    right_s = 0.0
    source = FakeSource({KEY: lambda _: counted(12.0 * right_s)})
    loop = Loop(cluster, source, recorder, settings=TickSettings(), policy=QUICK)
    while right_s < 375.0:
        await loop.tick(now_s=right_s)
        right_s += 15.0
    before = cluster.desired(KEY)[-1]
    loop.clock_stepped()
    await loop.tick(now_s=right_s + 300.0)
    (at_s, written) = cluster.written[-1]
    assert recorder.decisions[-1].decision.reasons[0].code is ReasonCode.WARMING_UP
    assert (at_s, written.valid_until_s) == (right_s + 300.0, right_s + 900.0)
    # then on through a whole window: twelve a second are as many as before
    for _ in range(20):
        right_s += 15.0
        await loop.tick(now_s=right_s + 300.0)
    assert before > 1
    assert set(cluster.desired(KEY)[-3:]) == {before}
