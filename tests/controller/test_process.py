"""The whole controller in one process, on loopback, until SIGTERM."""

import asyncio
import contextlib
import os
import signal
import socket

import aiohttp
import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.process import Ticking, run_controller
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from llmd_autoscaler.settings import Settings, TickSettings
from llmd_autoscaler.telemetry import Telemetry


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@contextlib.asynccontextmanager
async def controller(api, *, port=None, clock=None, period_s=15.0):
    port = port or free_port()
    task = asyncio.create_task(
        run_controller(
            api=api,
            host="127.0.0.1",
            port=port,
            namespace="llm",
            clock=clock or Clock.starting_at(1_700_000_000.0, 60.0),
            routers=(),
            settings=Settings(tick=TickSettings(period_s=period_s)),
            policy=Policy(),
        )
    )
    try:
        yield f"http://127.0.0.1:{port}", task
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.gather(task, return_exceptions=True)


async def published(world, claim):
    """The status of the variant once it holds."""
    changed = asyncio.Event()
    mirror = Mirror(world.kube, VARIANT_AUTOSCALINGS, "llm", on_change=changed.set)
    following = asyncio.create_task(mirror.run())
    try:
        async with asyncio.timeout(20):
            while True:
                status = mirror.objects.get(("llm", "a100"), {}).get("status", {})
                if claim(status):
                    return status
                changed.clear()
                await changed.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


@pytest.mark.slow
async def test_it_publishes_and_tells_how_it_is(world):
    await world.all_of_one_model()
    async with controller(world.address) as (url, task):
        status = await published(world, lambda status: "decisionID" in status)
        health = await get(f"{url}/healthz")
        _, page = await get(f"{url}/metrics")
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await task
    assert (status["decisionID"].split("-")[0], status["desiredReplicas"]) == ("1", 1)
    assert health == (200, "ok\n")
    assert "llmd_autoscaler_desired_instances{" in page


@pytest.mark.slow
async def test_what_cannot_be_done_is_a_condition_and_a_metric(world):
    await world.level()
    await world.profile()
    await world.variant()  # of a Deployment that is not there
    async with controller(world.address) as (url, _):
        await published(world, lambda status: "conditions" in status)
        _, page = await get(f"{url}/metrics")
    assert (
        'llmd_autoscaler_failing_condition{kind="VariantAutoscaling",name="a100",namespace="llm",'
        'reason="NotFound",type="TargetResolved"} 1.0' in page
    )


@pytest.mark.slow
async def test_started_again_it_goes_on_from_the_stored_number_in_a_new_epoch(world):
    await world.all_of_one_model()
    stored = {"decisionID": "7-12", "desiredReplicas": 5}
    await world.kube.apply_status(
        VARIANT_AUTOSCALINGS, "llm", "a100", stored, manager="llmd-controller"
    )
    async with controller(world.address):
        status = await published(world, lambda s: s.get("decisionID", "").startswith("8-"))
    # one pod runs, but five were wanted: nothing has been seen yet that would say otherwise
    assert status["desiredReplicas"] == 5


async def test_it_stops_while_it_waits_for_an_api_server():
    async with controller("http://127.0.0.1:1") as (url, task):
        async with asyncio.timeout(10):
            while (await _answer(f"{url}/readyz")) != 503:  # noqa: ASYNC110 (its port opens by itself)
                await asyncio.sleep(0.01)
        health = await get(f"{url}/healthz")
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await task
    assert health == (200, "ok\n")


async def _answer(url):
    with contextlib.suppress(aiohttp.ClientError):
        return (await get(url))[0]


async def test_a_port_in_use_is_a_configuration_error(world):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with controller(world.address, port=port) as (_, task):
            with pytest.raises(ConfigError, match="cannot listen"):
                await task


class Steps:
    """A loop that does what the test says, and a cluster that is there; time is what the loop makes it."""

    def __init__(self, stopped, *outcomes):
        self.stopped, self.outcomes, self.ticks_s = stopped, list(outcomes), []
        self.is_connected, self.missing = True, ()

    async def tick(self, *, now_s):
        self.ticks_s.append(now_s)
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.stopped.set()
        if outcome is not None:
            raise outcome

    async def synced(self):
        return


def ticking(*outcomes, rate=1000.0, period_s=15.0):
    stopped = asyncio.Event()
    steps = Steps(stopped, *outcomes)
    clock = Clock.starting_at(1_700_000_000.0, rate)
    return Ticking(steps, steps, Telemetry(), clock, period_s), steps, stopped


async def test_ticks_begin_on_whole_periods_of_the_clock():
    loop, steps, stopped = ticking(None, None, None, None)
    async with asyncio.timeout(10):
        await loop.run(stopped)
    numbers = [int(at_s // 15.0) for at_s in steps.ticks_s]
    # the first comes at once, the others in periods of their own
    assert (len(numbers), len(set(numbers))) == (4, 4)


async def test_a_tick_that_fails_does_not_end_the_next():
    failing = (ObservationError("no API server"), ZeroDivisionError("ours"), None)
    loop, steps, stopped = ticking(*failing)
    async with asyncio.timeout(10):
        await loop.run(stopped)
    page = loop.telemetry.page(now_s=0.0).decode()
    assert (len(steps.ticks_s), loop.has_ticked) == (3, True)
    assert 'llmd_autoscaler_tick_failures_total{step="tick"} 2.0' in page


async def test_a_tick_that_hangs_is_unhealthy():
    loop, _, _ = ticking(None)
    assert (await loop._healthz(None)).status == 200  # none has begun: the API server is waited for
    loop.began_s = loop.clock.now_s() - 46.0  # three periods of 15 s and one
    assert (await loop._healthz(None)).status == 503


async def test_it_is_ready_once_a_tick_went_through_and_changes_arrive():
    loop, steps, _ = ticking(None)
    steps.missing = ("Deployment",)
    assert (await loop._readyz(None)).text == "not listed yet: Deployment\n"
    steps.missing = ()
    before = (await loop._readyz(None)).status
    loop.has_ticked = True
    after = (await loop._readyz(None)).status
    steps.is_connected = False
    assert (before, after, (await loop._readyz(None)).status) == (503, 200, 503)
