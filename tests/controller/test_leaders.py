"""Two controllers as real processes: one leads, the other waits, and whoever was paused writes nothing."""

import asyncio
import contextlib
import signal
import sys

import aiohttp
import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.resources import LEASES, SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from tests.controller.test_process import free_port, published

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
# Two ticks a second: each tick renews the status, so that a late write would be seen.
CLOCK = Clock.starting_at(1_700_000_000.0, 30.0)
LEASE = "llmd-controller"


class Process:
    """One controller."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    async def page(self, path):
        url = f"http://127.0.0.1:{self.port}/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def leads(self):
        _, page = await self.page("metrics")
        return "llmd_autoscaler_leader 1.0" in page


@contextlib.asynccontextmanager
async def controller(world, name):
    port = free_port()
    flags = ("--leader-elect", "--identity", name, "--lease", f"llm/{LEASE}")
    where = ("--api", world.address, "--namespace", "llm", "--port", str(port))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "llmd_autoscaler", "controller", *where, *flags,
        "--clock", CLOCK.flag(),
    )  # fmt: skip
    try:
        yield Process(process, port)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            await process.wait()


async def holder(world):
    return (await world.get(LEASES, LEASE))["spec"]["holderIdentity"]


async def answers(process):
    with contextlib.suppress(aiohttp.ClientError):
        return (await process.page("readyz"))[0] == 200
    return False


async def until_true(claim, *, within_s=60.0):
    async with asyncio.timeout(within_s):
        while not await claim():  # noqa: ASYNC110 (another process has no event of ours)
            await asyncio.sleep(0.05)


def of_epoch(n):
    return lambda status: status.get("decisionID", "").startswith(f"{n}-")


async def test_a_leader_that_stops_hands_over_at_once_and_its_follower_was_ready(world):
    await world.all_of_one_model()
    async with controller(world, "first") as first:
        await published(world, of_epoch(1))
        async with controller(world, "second") as second:
            await until_true(lambda: answers(second))
            page = (await second.page("readyz"))[1]
            follows = not await second.leads()
            first.process.terminate()
            code = await first.process.wait()
            async with asyncio.timeout(12.0):  # less than the 15 s of a lease that nobody gave back
                status = await published(world, of_epoch(2))
            assert await holder(world) == "second"
    assert (page, follows, code) == ("ok, another controller leads\n", True, 0)
    assert status["desiredReplicas"] == 1


async def test_a_leader_that_was_paused_writes_nothing_when_it_goes_on(world):
    await world.all_of_one_model()
    async with controller(world, "first") as first, controller(world, "second") as second:
        await until_true(lambda: answers(first))
        await until_true(lambda: answers(second))
        await published(world, of_epoch(1))
        leader, other = (first, second) if await first.leads() else (second, first)
        leader.process.send_signal(signal.SIGSTOP)
        await published(world, of_epoch(2))
        leader.process.send_signal(signal.SIGCONT)
        await until_true(lambda: answers(leader))
        before = await world.get(VARIANT_AUTOSCALINGS, "a100")
        await until_true(lambda: _renewed(world, before))
        level = (await world.get(SERVICE_LEVELS, "llama"))["status"]
        variant = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
        assert (await leader.leads(), await other.leads()) == (False, True)
    assert level["decisionID"].startswith("2-")
    assert variant["decisionID"].startswith("2-")


async def _renewed(world, before):
    now = await world.get(VARIANT_AUTOSCALINGS, "a100")
    return now["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
