"""Parts of the control plane die or hang and come back: no wrong number, and all goes on by itself."""

import asyncio

import pytest


@pytest.mark.parametrize("name", ["controller_manager", "apiserver", "etcd"])
async def test_after_a_restart_of_a_part_the_fleet_follows_again(following, plane, name):
    await asyncio.to_thread(plane.restart, getattr(plane, name))
    await following.eventually_publishes("on", 12, decision="1-2")
    await following.reaches("on", 12, within_s=60.0)
    await following.publish("on", 11, decision="1-3")
    await following.reaches("on", 11)


async def test_an_api_server_that_hangs_for_a_while_changes_no_number(following, plane, adapter):
    """It accepts connections and answers none: a watch that breaks is easy, one that is silent is not."""
    plane.apiserver.pause()
    try:
        await asyncio.sleep(5.0)
    finally:
        plane.apiserver.resume()
    await asyncio.to_thread(adapter.wait_until_available)
    await following.stays("on", 3)
    await following.eventually_publishes("on", 5, decision="1-2")
    await following.reaches("on", 5, within_s=60.0)


async def test_what_the_hpa_put_to_sleep_wakes_after_a_restart_of_the_controllers(site, plane):
    """Its memory is the condition ScaledToZero in its status, and not the process."""
    await site.declare("sleeper", replicas=1)
    await site.publish("sleeper", 1)
    await site.autoscale("sleeper", minReplicas=0)
    await site.publish("sleeper", 0, decision="1-2")
    await site.reaches("sleeper", 0)

    async def remembers():
        return (await site.condition("sleeper", "ScaledToZero")).startswith("True")

    await site.until(remembers)
    await asyncio.to_thread(plane.restart, plane.controller_manager)
    await site.publish("sleeper", 2, decision="1-3")
    await site.reaches("sleeper", 2)
