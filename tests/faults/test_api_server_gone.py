"""An API server that refuses connections for a while and comes back with all that it had: both sides of the hand-over."""

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from adapter.cluster import connected as adapter_connected
from adapter.store import MAX_SILENCE_S, Key, Store, WithheldError
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.local.ports import next_free_port
from llmd_autoscaler.settings import TickSettings
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store as ApiStore
from tests.controller.conftest import NOW_S, World, following
from tests.fakes import FakeRecorder, FakeSource

pytestmark = pytest.mark.slow

CLOCK = Clock(wall_s=0.0, sim_s=NOW_S, rate=1e-12)  # stands still; ticks are told their time
SETTINGS = TickSettings()
KEY = Key("llm", "a100")


@dataclass
class Sides:
    """A controller and an adapter on one address."""

    loop: Loop
    adapter: Store

    def value(self, at_s: float, *, silence_s: float = 0.0) -> str:
        """What the HPA is told at a time, or the reason why nothing."""
        monotonic_s = self.adapter.heard_at_s + silence_s
        try:
            served = self.adapter.served(
                KEY, "desired_replicas", now_s=at_s, monotonic_s=monotonic_s
            )
        except WithheldError as error:
            return error.reason
        return served.value


async def until(claim):
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110 (what is waited for has no event of its own)
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def sides(kube, address):
    """Both follow the API server; nobody counts any traffic, so the number is the one that runs."""
    adapter = Store()
    async with (
        following(World(kube, address)) as cluster,
        adapter_connected(address, adapter, CLOCK) as follower,
    ):
        running = asyncio.create_task(follower.run())
        try:
            await until(lambda: adapter.is_synced)
            recorder = FakeRecorder()
            loop = Loop(cluster, FakeSource({}), recorder, settings=SETTINGS, policy=Policy())
            yield Sides(loop, adapter)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_was_published_is_served_to_its_end_and_the_next_tick_after_the_return_is_read():
    store, port = ApiStore(CLOCK), next_free_port("127.0.0.1", 8300)
    address = f"http://127.0.0.1:{port}"
    renewed_s = NOW_S + SETTINGS.renew_at_s
    async with await Kube.connect(address) as kube, contextlib.AsyncExitStack() as stack:
        async with serving(store, port=port):
            await World(kube, address).all_of_one_model(n_ready=2)
            it = await stack.enter_async_context(sides(kube, address))
            await it.loop.tick(now_s=NOW_S)
            await until(lambda: it.value(NOW_S) == "2")
        await until(lambda: not it.adapter.is_connected)
        with pytest.raises(ObservationError):
            await it.loop.tick(now_s=renewed_s)
        while_away = it.value(renewed_s)
        too_silent = it.value(renewed_s, silence_s=MAX_SILENCE_S + 1.0)
        run_out = it.value(NOW_S + SETTINGS.valid_s + 1.0)
        async with serving(store, port=port):
            await it.loop.tick(now_s=renewed_s + SETTINGS.period_s)
            # valid by what was written after the return, and by nothing else
            await until(lambda: it.value(NOW_S + SETTINGS.valid_s + 1.0) == "2")
    assert (while_away, too_silent, run_out) == ("2", "disconnected", "expired")
