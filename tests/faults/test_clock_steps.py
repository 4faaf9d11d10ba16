"""A controller whose clock is stepped, in one process: what it decides on a demand that never changes."""

from dataclasses import dataclass

import pytest

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import ModelKey, ModelView
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.settings import TickSettings
from tests.core.worlds import INTERACTIVE, QUICK, counted, target
from tests.fakes import FakeCluster, FakeRecorder, FakeSource

TICK_S = 15.0
KEY = ModelKey("llm", "one")
QPS = 12.0
# A full window of scale-in has passed by then, and the table is made.
STEP_AT_S = 375.0
SETTINGS = TickSettings()


@dataclass
class Stepped:
    """A loop whose clock shows the right time until a moment, and from then on is off."""

    by_s: float
    right_s: float = 0.0

    def __post_init__(self) -> None:
        self.cluster = FakeCluster(ModelView(KEY, "one", (INTERACTIVE,), (target(),)))
        self.recorder = FakeRecorder()
        source = FakeSource({KEY: self._counter})
        self.loop = Loop(self.cluster, source, self.recorder, settings=SETTINGS, policy=QUICK)

    def _counter(self, _: float) -> CountSnapshot:
        return counted(QPS * self.right_s)  # the router has a clock of its own

    @property
    def shown_s(self) -> float:
        return self.right_s + (self.by_s if self.right_s >= STEP_AT_S else 0.0)

    async def run(self, until_s: float) -> None:
        while self.right_s <= until_s:
            await self.loop.tick(now_s=self.shown_s)
            self.right_s += TICK_S

    async def numbers(self) -> list[int]:
        """What is decided from the tick before the step on, for twice the window of a scale-in."""
        await self.run(STEP_AT_S + 2.0 * QUICK.scale_in_window_s)
        first = int(STEP_AT_S / TICK_S) - 1
        return [p.decision.targets[0].desired for p in self.recorder.decisions[first:]]


# From two minutes to an hour ahead a step looks to the loop like a time in which nobody came: its process
# must tell it (test_control.test_a_clock_that_steps_ahead_takes_no_instance_away).
@pytest.mark.parametrize("by_s", [-3600.0, -60.0, 60.0, 3600.0, 86400.0])
async def test_a_step_that_the_loop_can_tell_takes_no_instance_away(by_s: float) -> None:
    it = Stepped(by_s)
    numbers = await it.numbers()
    # 12 requests a second of 1000 + 200 tokens are worth more than one instance
    assert numbers[0] > 1
    assert min(numbers) == numbers[0]


@pytest.mark.parametrize("by_s", [-3600.0, 3600.0])
async def test_a_decision_is_never_valid_for_longer_than_the_setting_says_by_the_clock_of_its_time(
    by_s: float,
) -> None:
    it = Stepped(by_s)
    await it.run(STEP_AT_S + 60.0)
    shown_s = it.shown_s
    (_, written) = it.cluster.written[-1]
    # whoever reads it after a step back would else serve it for an hour after the controller died
    assert written.valid_until_s - shown_s <= SETTINGS.valid_s
