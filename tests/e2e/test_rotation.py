"""Certificates and authorities are exchanged while all of it runs, and whose word is taken (checks 14 and 15)."""

import asyncio

import pytest

from tests.controlplane.api import MERGE
from tests.controlplane.pki import Authority
from tests.e2e.direct import PROXY, Direct

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
# Ten seconds until an adapter looks again, and what a busy machine adds.
LOOKS_WITHIN_S = 60.0
LOOKED = "True ValidMetricFound"


@pytest.fixture
def direct(adapter, tmp_path):
    return Direct(adapter, tmp_path)


async def test_behind_the_real_server_too_a_front_proxy_is_known_by_its_name_and_authority(
    plane, following, direct
):
    path = following.metric("on")
    assert await direct.get(path, plane.front_proxy_ca.client(PROXY)) == 200
    assert await direct.get(path, plane.front_proxy_ca.client("somebody-else")) == 401
    # any user of the cluster with a certificate could otherwise call himself so
    assert await direct.get(path, plane.client_ca.client(PROXY)) == 0


async def test_the_serving_certificate_and_its_authority_are_exchanged_and_no_look_is_missed(
    following, adapter, direct
):
    seen, watch = watching(following)
    old, new = adapter.authority, Authority("llmd-adapter-ca-2")
    before = await direct.shown()
    await asyncio.to_thread(adapter.believe, old, new)
    await asyncio.sleep(1.0)  # the aggregator learns it by a watch, the adapter looks when it will
    await asyncio.to_thread(adapter.sign, new)

    async def is_shown():
        return await direct.shown() != before

    await following.until(is_shown, within_s=LOOKS_WITHIN_S)
    await asyncio.to_thread(adapter.believe, new)
    adapter.authority = new
    await asyncio.to_thread(adapter.wait_until_available)
    await following.publish("on", 5, decision="1-2")
    await following.reaches("on", 5)
    await until_seen(following, seen)
    assert await stopped(watch) is None
    assert seen - {""} == {LOOKED}  # and nothing before its first look


async def test_the_front_proxys_authority_is_exchanged_and_the_old_one_is_believed_no_more(
    plane, following, direct
):
    path = following.metric("on")
    old, new = plane.front_proxy_ca, Authority("controlplane-front-proxy-ca-2")
    trusted = plane.directory / "pki" / "front-proxy-ca.crt"
    # both are believed before one of them is used
    trusted.write_bytes(old.pem + new.pem)
    await begin_anew(plane)

    async def is_new_believed():
        return await direct.get(path, new.client(PROXY)) == 200

    await following.until(is_new_believed, within_s=LOOKS_WITHIN_S)
    assert await direct.get(path, old.client(PROXY)) == 200
    new.client(PROXY).write(trusted.parent, PROXY)
    trusted.write_bytes(new.pem)
    plane.front_proxy_ca = new
    await begin_anew(plane)
    # an API server only adds to the list, for others beside it may use what it does not
    patch = {"data": {"requestheader-client-ca-file": new.pem.decode()}}
    await following.api.call("PATCH", CONFIG_MAP, patch, kind=MERGE)

    async def is_old_refused():
        return await direct.get(path, old.client(PROXY)) == 0

    await following.until(is_old_refused, within_s=LOOKS_WITHIN_S)
    await following.eventually_publishes("on", 5, decision="1-2")
    await following.reaches("on", 5, within_s=60.0)


async def begin_anew(plane):
    """The API server with the files as they stand; the adapter is not told."""
    await asyncio.to_thread(plane.restart, plane.apiserver)


def watching(site):
    """What the HPA says of its metric while a test goes on."""
    seen = set()

    async def look():
        while True:
            status, reason, _ = (await site.condition("on", "ScalingActive")).split(" ", 2)
            seen.add(f"{status} {reason}".strip())
            await asyncio.sleep(0.2)

    return seen, asyncio.create_task(look())


async def until_seen(site, seen):
    """Until a look is in the HPA's status: it writes that after /scale."""

    async def is_there():
        return LOOKED in seen

    await site.until(is_there)


async def stopped(task):
    """The end of a task; its error where it had one."""
    task.cancel()
    [found] = await asyncio.gather(task, return_exceptions=True)
    return None if isinstance(found, asyncio.CancelledError) else found
