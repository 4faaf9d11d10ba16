"""What an adapter knows when it was away for a while: frozen itself, or beside an API server that has begun anew."""

import asyncio
import contextlib

import aiohttp
import pytest

from llmd_autoscaler.kube import api as kube_api
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.mirror import Follower
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from tests.controlplane.api import MERGE
from tests.controlplane.component import HOST, free_ports
from tests.controlplane.kubeconfig import write_kubeconfig
from tests.e2e.adapter import door
from tests.e2e.direct import PROXY, Direct, answer, ask
from tests.e2e.etcd import Etcd
from tests.e2e.identity import NAMESPACE
from tests.e2e.rivals import kill

pytestmark = pytest.mark.slow


async def test_an_adapter_that_wakes_up_does_not_answer_by_what_it_knew_before(
    site, adapter, plane, tmp_path
):
    """The question came while it stood still, the change of leaders after the question: it reads them in that order."""
    await site.declare("v")
    await site.publish("v", 3)
    path = site.metric("v")
    with Direct(adapter, tmp_path).connection(plane.front_proxy_ca.client(PROXY)) as connection:

        def told():
            code, body = answer(connection)
            return body["items"][0]["value"] if code == 200 else body["message"]

        def is_told(number):
            ask(connection, path)
            return told() == number

        await site.until(lambda: is_told("3"))
        adapter.replicas[0].pause()
        try:
            ask(connection, path)
            await site.publish("v", 9, decision="2-1")
            await asyncio.sleep(3.0)
        finally:
            adapter.replicas[0].resume()
        first = await asyncio.to_thread(told)
        await site.until(lambda: is_told("9"))
    stood_still = "the adapter stood still and has not caught up yet: what it knows may be old"
    assert first in {"9", stood_still}


class Seen:
    """A copy that notes what happens to it."""

    def __init__(self):
        self.found, self.whys = {}, []

    def replace(self, objects):
        self.found = objects

    def put(self, key, found):
        self.found[key] = found

    def remove(self, key):
        self.found.pop(key)

    def heard(self):
        pass

    def lost(self, why):
        self.whys.append(why)

    def most(self, key):
        return self.found.get(key, {}).get("spec", {}).get("maxReplicas")


@contextlib.asynccontextmanager
async def following(plane, namespace, folder, copy):
    """A collection, followed through a network that can be held up; its component."""
    [port] = free_ports(1)
    network = door(folder / "network.log", port, plane.api_port)
    user = {"token": await asyncio.to_thread(plane.token, NAMESPACE, "llmd-adapter")}
    url = f"https://{HOST}:{port}"
    file = write_kubeconfig(folder / "kubeconfig", url, plane.server_ca.pem, user)
    with plane.guarding(network):
        network.start()
        async with await Kube.connect(kubeconfig=str(file), timeout_s=60.0) as kube:
            task = asyncio.create_task(Follower(kube, VARIANT_AUTOSCALINGS, namespace, copy).run())
            try:
                yield network
            finally:
                network.resume()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_whose_place_the_server_has_forgotten_is_listed_anew(
    site, plane, tmp_path, monkeypatch
):
    """The end of a stream lies in the network while the API server begins anew: its next place is 410 Gone."""
    monkeypatch.setattr(kube_api, "_WATCH_S", 2)
    await site.declare("v", most=60)
    copy, key = Seen(), (site.namespace, "v")
    async with following(plane, site.namespace, tmp_path, copy) as network:
        await site.until(lambda: copy.most(key) == 60)
        network.pause()
        await asyncio.sleep(3.0)
        kill(plane.apiserver)
        await asyncio.to_thread(plane.restart, plane.apiserver)
        patch = {"spec": {"maxReplicas": 59}}
        await site.api.call("PATCH", site.variant("v"), patch, kind=MERGE)
        async with aiohttp.ClientSession(trust_env=False) as session:
            etcd = Etcd(session, plane.etcd_url, "/registry/")
            await etcd.compact(await etcd.revision())
        copy.whys.clear()
        network.resume()
        await site.until(lambda: copy.most(key) == 59)
        assert [why for why in copy.whys if ": 410 " in why]
