"""The adapter dies: nothing moves by a wrong number, and all goes on when it is back (checks 10 and 12)."""

import asyncio

import pytest

from tests.controlplane.api import ApiError


async def test_while_the_adapter_is_dead_the_fleet_stands_and_afterwards_it_follows(site, adapter):
    await site.declare("held", replicas=3)
    await site.publish("held", 3)
    await site.autoscale("held")
    await site.reaches("held", 3)
    adapter.kill()
    try:
        await site.publish("held", 7, decision="1-2")
        await asyncio.to_thread(adapter.wait_until_away)
        await site.stays("held", 3)
        assert "False FailedGetObjectMetric" in await site.condition("held", "ScalingActive")
    finally:
        adapter.start()
    await asyncio.to_thread(adapter.wait_until_available)
    await site.reaches("held", 7)


async def test_a_dead_adapter_blocks_the_end_of_namespaces_and_not_of_objects(site, adapter):
    """Why the adapter is worth two replicas: an APIService that nobody answers is the cluster's trouble."""
    await site.declare("owner")
    adapter.kill()
    try:
        await asyncio.to_thread(adapter.wait_until_away)
        await site.api.call("DELETE", site.deployment("owner"), {"propagationPolicy": "Background"})
        pods = site.path("v1", "pods")

        async def are_gone():
            return not (await site.api.get(f"{pods}?labelSelector=app%3Downer"))["items"]

        await site.until(are_gone)
        await site.api.call("DELETE", f"/api/v1/namespaces/{site.namespace}")

        async def is_blocked():
            status = (await site.api.get(f"/api/v1/namespaces/{site.namespace}"))["status"]
            found = {each["type"]: each for each in status.get("conditions", [])}
            return found.get("NamespaceDeletionDiscoveryFailure", {}).get("status") == "True"

        await site.until(is_blocked)
    finally:
        adapter.start()
    await asyncio.to_thread(adapter.wait_until_available)

    async def is_over():
        try:
            await site.api.get(f"/api/v1/namespaces/{site.namespace}")
        except ApiError as error:
            return error.code == 404
        return False

    async with asyncio.timeout(60):
        while not await is_over():  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.5)


@pytest.fixture
async def two_adapters(adapter):
    """A second replica beside the first."""
    await asyncio.to_thread(adapter.start, 1)
    yield adapter
    adapter.kill(1)
    if not adapter.replicas[0].alive:
        await asyncio.to_thread(adapter.start, 0)


async def test_one_of_two_adapters_is_killed_and_no_number_is_wrong_or_missing(site, two_adapters):
    await site.declare("pair", replicas=3)
    await site.publish("pair", 3)
    await site.autoscale("pair")
    await site.reaches("pair", 3)
    seen = []

    async def watching():
        while True:
            seen.append(await site.replicas("pair"))
            await asyncio.sleep(0.05)

    watch = asyncio.create_task(watching())
    try:
        two_adapters.kill(0)
        await site.stays("pair", 3)
        await site.publish("pair", 12, decision="1-2")
        await site.reaches("pair", 12)
        await site.stays("pair", 12)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    assert set(seen) == {3, 12}
    assert sorted(seen) == seen
    assert two_adapters.available("v1beta2") == "True"
