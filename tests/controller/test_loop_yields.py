"""A tick of many models leaves room for what must not wait: the lease, the watches, the probes."""

import asyncio
import itertools

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import ModelKey, ModelView, Publication
from llmd_autoscaler.settings import TickSettings
from tests.core.worlds import INTERACTIVE, QUICK, counted, target
from tests.fakes import FakeCluster, FakeRecorder, FakeSource

N_MODELS = 5


class Pulse(FakeRecorder):
    """Notes how often another task had run when a model was decided."""

    def __init__(self) -> None:
        super().__init__()
        self.n_beats = 0
        self.beats_at: list[int] = []

    async def beat(self) -> None:
        while True:
            self.n_beats += 1
            await asyncio.sleep(0)

    def decided(self, publication: Publication, took_s: float) -> None:
        super().decided(publication, took_s)
        self.beats_at.append(self.n_beats)


async def test_other_tasks_run_between_the_decisions_of_a_tick() -> None:
    keys = [ModelKey("llm", f"m{i}") for i in range(N_MODELS)]
    views = (ModelView(key, key.model_id, (INTERACTIVE,), (target(),)) for key in keys)
    source = FakeSource({key: lambda now_s: counted(2.0 * now_s) for key in keys})
    pulse = Pulse()
    loop = Loop(FakeCluster(*views), source, pulse, settings=TickSettings(), policy=QUICK)
    beating = asyncio.create_task(pulse.beat())
    await loop.tick(now_s=0.0)
    beating.cancel()
    assert len(pulse.beats_at) == N_MODELS
    assert all(before < after for before, after in itertools.pairwise(pulse.beats_at))
