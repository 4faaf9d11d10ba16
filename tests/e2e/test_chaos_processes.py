"""Processes of the cluster and of ours are killed, or stand still and go on: no wrong number is ever told, and all goes on."""

import asyncio
import contextlib

import pytest
import pytest_asyncio

from tests.e2e.rivals import kill, rivalling

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# Longer than any of ours waits for an answer of the API server, shorter than a decision is valid.
STOPPED_S = 5.5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(plane, adapter, tmp_path_factory):
    async with rivalling(plane, adapter, tmp_path_factory.mktemp("rivals")) as it:
        yield it


@contextlib.contextmanager
def standing_still(*components):
    """Processes that accept connections and answer nothing, while the context lasts."""
    for each in components:
        each.pause()
    try:
        yield
    finally:
        for each in components:
            each.resume()


@pytest.mark.parametrize("part", ["controller_manager", "apiserver", "etcd"])
async def test_a_part_of_the_cluster_is_killed_and_the_fleet_follows_again(
    it, part, record_property
):
    component = getattr(it.plane, part)
    kill(component)
    await asyncio.to_thread(it.plane.restart, component)
    await it.recovers(f"{part} killed", record_property)


@pytest.mark.parametrize(
    ("part", "for_s"), [("controller_manager", 2.0), ("apiserver", STOPPED_S), ("etcd", STOPPED_S)]
)
async def test_a_part_of_the_cluster_stands_still_and_the_fleet_follows_again(
    it, part, for_s, record_property
):
    with standing_still(getattr(it.plane, part)):
        await it.stays(for_s)
    await it.recovers(f"{part} stopped", record_property)


async def test_one_of_two_adapters_is_killed_and_the_fleet_follows_the_other(it, record_property):
    kill(it.adapter.replicas[0])
    try:
        await it.recovers("one adapter killed", record_property)
    finally:
        await asyncio.to_thread(it.adapter.start, 0)


async def test_one_of_two_adapters_stands_still_and_says_nothing_old_when_it_goes_on(
    it, record_property
):
    with standing_still(it.adapter.replicas[0]):
        await it.ask()
        await asyncio.sleep(3.0)
    await it.recovers("one adapter stopped", record_property)


async def test_both_adapters_stand_still_while_the_leader_dies_and_serve_nothing_of_its_epoch(
    it, record_property
):
    """What they knew when they stopped is of a leader that is gone when they go on, and still valid by its time."""
    epoch, (leader, _) = it.epoch, await it.leader()
    with standing_still(*it.adapter.replicas):
        kill(leader.program)
        try:
            await it.ask()
            await it.site.until(lambda: it.epoch > epoch, within_s=60.0)
            await asyncio.sleep(it.ledger.settle_s)
        finally:
            leader.program.start()
            it.plane.renew_guard()
    await it.recovers("both adapters stopped, leader killed", record_property)
