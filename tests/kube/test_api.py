"""The contract between `kube` and a Kubernetes API: the small server's and the real one's.

Nothing below knows which of the two answers, but for the tests at the end.
"""

import asyncio
import contextlib
import uuid

import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.kube.api import Conflict, Gone, Kube, NotFound
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import (
    ACCELERATOR_STOCKS,
    DEPLOYMENTS,
    EVENTS,
    HPAS,
    LEASES,
    PODS,
    VARIANT_AUTOSCALINGS,
    Resource,
)
from llmd_autoscaler.simulator.kubeapi.kinds import KINDS, VARIANT_AUTOSCALING
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SPEC = {
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
    "modelID": "example/model",
    "accelerator": "H100",
    "acceleratorCount": 1,
    "groups": ["mixed"],
    "minReplicas": 1,
    "maxReplicas": 4,
    "profileRef": {"name": "p"},
    "actuation": "HPA",
}


@pytest.fixture(params=["small", pytest.param("real", marks=pytest.mark.e2e)])
def plane_or_none(request):
    """The real control plane, or None where the small server is asked."""
    return request.getfixturevalue("plane") if request.param == "real" else None


@pytest.fixture
async def kube(plane_or_none):
    if plane_or_none is None:
        async with serving(Store(Clock())) as address, await Kube.connect(address) as connected:
            yield connected
    else:
        kubeconfig = str(plane_or_none.kubeconfig)
        async with await Kube.connect(kubeconfig=kubeconfig) as connected:
            yield connected


@pytest.fixture
async def namespace(plane_or_none, kube):
    name = f"test-{uuid.uuid4().hex[:8]}"
    if plane_or_none is not None:
        # the small server takes any
        await kube.create(NAMESPACES, None, {"metadata": {"name": name}})
    return name


def condition(kind, status="True"):
    at = "2026-11-24T09:30:00Z"
    return {
        "type": kind,
        "status": status,
        "reason": "Tested",
        "message": "",
        "lastTransitionTime": at,
    }


async def made(kube, namespace, name="a", **fields):
    body = {"metadata": {"name": name, **fields}, "spec": SPEC}
    return await kube.create(VARIANT_AUTOSCALINGS, namespace, body)


@contextlib.asynccontextmanager
async def mirroring(kube, namespace, **options):
    mirror = Mirror(kube, VARIANT_AUTOSCALINGS, namespace, **options)
    task = asyncio.create_task(mirror.run())
    try:
        async with asyncio.timeout(10):
            await mirror.synced.wait()
        yield mirror
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Changes:
    """Counts the calls of `on_change` and waits until a claim about the mirror holds."""

    def __init__(self):
        self.n, self._event = 0, asyncio.Event()

    def __call__(self):
        self.n += 1
        self._event.set()

    async def until(self, claim):
        async with asyncio.timeout(10):
            while not claim():
                self._event.clear()
                await self._event.wait()


async def test_what_was_created_is_got_and_listed(kube, namespace):
    created = await made(kube, namespace)
    assert await kube.get(VARIANT_AUTOSCALINGS, namespace, "a") == created
    items, _ = await kube.list(VARIANT_AUTOSCALINGS, namespace)
    assert [item["metadata"]["name"] for item in items] == ["a"]


async def test_a_list_without_a_namespace_sees_all_namespaces(kube, namespace):
    await made(kube, namespace)
    items, _ = await kube.list(VARIANT_AUTOSCALINGS)
    assert namespace in {item["metadata"]["namespace"] for item in items}


async def test_a_label_selector_narrows_a_list(kube, namespace):
    await made(kube, namespace, "a", labels={"example.com/tier": "x"})
    await made(kube, namespace, "b")
    items, _ = await kube.list(VARIANT_AUTOSCALINGS, namespace, label_selector="example.com/tier=x")
    assert [item["metadata"]["name"] for item in items] == ["a"]


async def test_a_cluster_scoped_kind_needs_no_namespace(kube):
    name = f"stock-{uuid.uuid4().hex[:8]}"
    body = {
        "metadata": {"name": name},
        "spec": {"accelerator": "H100", "resource": "nvidia.com/gpu"},
    }
    await kube.create(ACCELERATOR_STOCKS, None, body)
    found = await kube.get(ACCELERATOR_STOCKS, None, name)
    assert found["spec"]["accelerator"] == "H100"
    await kube.delete(ACCELERATOR_STOCKS, None, name)


async def test_what_is_missing_is_not_found(kube, namespace):
    with pytest.raises(NotFound) as failure:
        await kube.get(VARIANT_AUTOSCALINGS, namespace, "absent")
    assert failure.value.code == 404


async def test_a_name_that_is_taken_is_a_conflict(kube, namespace):
    await made(kube, namespace)
    with pytest.raises(Conflict):
        await made(kube, namespace)


async def test_a_merge_with_an_old_resource_version_is_a_conflict(kube, namespace):
    old = await made(kube, namespace)
    await kube.merge(VARIANT_AUTOSCALINGS, namespace, "a", {"spec": {"maxReplicas": 5}})
    patch = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        await kube.merge(VARIANT_AUTOSCALINGS, namespace, "a", patch | {"spec": {"maxReplicas": 6}})


async def test_null_in_a_merge_removes_a_label(kube, namespace):
    await made(kube, namespace, labels={"x": "1", "y": "2"})
    patch = {"metadata": {"labels": {"x": None}}}
    changed = await kube.merge(VARIANT_AUTOSCALINGS, namespace, "a", patch)
    assert changed["metadata"]["labels"] == {"y": "2"}


async def test_apply_makes_what_is_missing(kube, namespace):
    applied = await kube.apply(VARIANT_AUTOSCALINGS, namespace, "a", {"spec": SPEC}, manager="test")
    assert applied["spec"]["modelID"] == "example/model"


async def test_apply_removes_what_its_manager_applied_before(kube, namespace):
    first = {"metadata": {"labels": {"x": "1", "y": "2"}}, "spec": SPEC}
    second = {"metadata": {"labels": {"y": "2"}}, "spec": SPEC}
    await kube.apply(VARIANT_AUTOSCALINGS, namespace, "a", first, manager="test")
    after = await kube.apply(VARIANT_AUTOSCALINGS, namespace, "a", second, manager="test")
    assert after["metadata"]["labels"] == {"y": "2"}


async def test_applying_a_status_leaves_spec_and_generation_alone(kube, namespace):
    await made(kube, namespace)
    after = await kube.apply_status(
        VARIANT_AUTOSCALINGS, namespace, "a", {"desiredReplicas": 3}, manager="test"
    )
    assert after["spec"]["maxReplicas"] == 4
    assert after["metadata"]["generation"] == 1
    assert after["status"]["desiredReplicas"] == 3


async def test_a_status_of_a_missing_object_is_not_found(kube, namespace):
    with pytest.raises(NotFound):
        await kube.apply_status(VARIANT_AUTOSCALINGS, namespace, "a", {}, manager="test")


async def test_an_unchanged_apply_keeps_the_resource_version(kube, namespace):
    await made(kube, namespace)
    status = {"desiredReplicas": 3, "conditions": [condition("ProfileTrusted")]}
    first, second = [
        await kube.apply_status(VARIANT_AUTOSCALINGS, namespace, "a", status, manager="test")
        for _ in range(2)
    ]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_conditions_of_two_managers_live_side_by_side(kube, namespace):
    await made(kube, namespace)
    for manager, kind in (
        ("one", "ProfileTrusted"),
        ("two", "HPAHealthy"),
        ("one", "ProfileTrusted"),
    ):
        after = await kube.apply_status(
            VARIANT_AUTOSCALINGS, namespace, "a", {"conditions": [condition(kind)]}, manager=manager
        )
    kinds = {found["type"] for found in after["status"]["conditions"]}
    assert kinds == {"ProfileTrusted", "HPAHealthy"}


async def test_a_watch_tells_of_every_change_after_the_list(kube, namespace):
    await made(kube, namespace)
    _, version = await kube.list(VARIANT_AUTOSCALINGS, namespace)
    await kube.merge(VARIANT_AUTOSCALINGS, namespace, "a", {"spec": {"maxReplicas": 9}})
    await made(kube, namespace, "b")
    await kube.delete(VARIANT_AUTOSCALINGS, namespace, "a")
    found = []
    async with contextlib.aclosing(kube.watch(VARIANT_AUTOSCALINGS, namespace, version)) as events:
        async for event in events:
            if event["type"] != "BOOKMARK":
                found.append((event["type"], event["object"]["metadata"]["name"]))
            if len(found) == 3:
                break
    assert found == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_a_mirror_holds_what_is_there_and_follows_what_changes(kube, namespace):
    await made(kube, namespace)
    changes = Changes()
    async with mirroring(kube, namespace, on_change=changes) as mirror:
        assert set(mirror.objects) == {(namespace, "a")}
        await made(kube, namespace, "b")
        await changes.until(lambda: (namespace, "b") in mirror.objects)
        await kube.merge(VARIANT_AUTOSCALINGS, namespace, "b", {"spec": {"maxReplicas": 9}})
        await changes.until(lambda: mirror.objects[namespace, "b"]["spec"]["maxReplicas"] == 9)
        await kube.delete(VARIANT_AUTOSCALINGS, namespace, "a")
        await changes.until(lambda: (namespace, "a") not in mirror.objects)


async def test_an_object_that_leaves_the_selector_leaves_the_mirror(kube, namespace):
    await made(kube, namespace, labels={"app": "x"})
    changes = Changes()
    async with mirroring(kube, namespace, label_selector="app=x", on_change=changes) as mirror:
        await kube.merge(
            VARIANT_AUTOSCALINGS, namespace, "a", {"metadata": {"labels": {"app": "y"}}}
        )
        await changes.until(lambda: not mirror.objects)


async def test_a_pod_is_deleted_with_the_grace_that_was_asked_for(kube, namespace):
    container = {"name": "c", "image": "x"}
    spec = {"nodeName": "n", "containers": [container], "terminationGracePeriodSeconds": 60}
    await kube.create(PODS, namespace, {"metadata": {"name": "p"}, "spec": spec})
    await kube.delete(PODS, namespace, "p", grace_s=7)
    ending = await kube.get(PODS, namespace, "p")
    assert ending["metadata"]["deletionGracePeriodSeconds"] == 7
    await kube.delete(PODS, namespace, "p", grace_s=0)
    with pytest.raises(NotFound):
        await kube.get(PODS, namespace, "p")


@pytest.mark.parametrize(
    "resource", [DEPLOYMENTS, HPAS, LEASES, EVENTS, PODS], ids=lambda r: r.kind
)
async def test_an_empty_collection_is_a_list_with_a_version(kube, namespace, resource):
    items, version = await kube.list(resource, namespace)
    assert items == []
    assert int(version) > 0


async def test_a_hundred_statuses_a_second_reach_a_mirror(kube, namespace):
    changes, names = Changes(), [f"v{i}" for i in range(100)]
    for name in names:
        await made(kube, namespace, name)
    async with mirroring(kube, namespace, on_change=changes) as mirror:
        for n in range(3):
            await asyncio.gather(
                *(
                    kube.apply_status(
                        VARIANT_AUTOSCALINGS,
                        namespace,
                        name,
                        {"desiredReplicas": n},
                        manager="test",
                    )
                    for name in names
                )
            )
        await changes.until(
            lambda: all(
                item.get("status") == {"desiredReplicas": 2} for item in mirror.objects.values()
            )
        )


# --- below: what the small server alone can be told to do


@contextlib.asynccontextmanager
async def store_and_kube(**options):
    store = Store(Clock())
    async with serving(store, **options) as address:
        kube = await Kube.connect(address)
        try:
            yield store, kube, address
        finally:
            await kube.close()


@pytest.mark.parametrize("words", ["nonsense", "127.0.0.1:8001", "http://", "ftp://127.0.0.1"])
async def test_what_is_no_address_is_refused_before_anything_waits_for_it(words):
    with pytest.raises(ConfigError, match="is no address of an API server"):
        await Kube.connect(words)


async def test_an_expired_watch_is_gone():
    async with store_and_kube() as (store, kube, _):
        await made(kube, "llm")
        await kube.merge(VARIANT_AUTOSCALINGS, "llm", "a", {"spec": {"maxReplicas": 9}})
        store.collection(VARIANT_AUTOSCALING).forget()
        with pytest.raises(Gone) as failure:
            await anext(kube.watch(VARIANT_AUTOSCALINGS, "llm", "2"))
    assert failure.value.code == 410


async def test_a_mirror_keeps_what_it_saw_while_its_server_is_away():
    store = Store(Clock())
    async with serving(store) as address:
        kube = await Kube.connect(address)
        await made(kube, "llm", "a")
        mirror = Mirror(kube, VARIANT_AUTOSCALINGS, "llm")
        task = asyncio.create_task(mirror.run())
        async with asyncio.timeout(10):
            await mirror.synced.wait()
    async with asyncio.timeout(10):
        while mirror.is_connected:  # noqa: ASYNC110 (a mirror does not call when its server is lost)
            await asyncio.sleep(0)
    assert set(mirror.objects) == {("llm", "a")}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await kube.close()


async def test_a_mirror_survives_the_restart_of_its_server():
    changes, store = Changes(), Store(Clock())
    async with contextlib.AsyncExitStack() as first:
        address = await first.enter_async_context(serving(store))
        port = int(address.rpartition(":")[2])
        kube = await Kube.connect(address)
        await made(kube, "llm", "a")
        mirror = Mirror(kube, VARIANT_AUTOSCALINGS, "llm", on_change=changes)
        task = asyncio.create_task(mirror.run())
        async with asyncio.timeout(10):
            await mirror.synced.wait()
    empty = Store(Clock())
    async with serving(empty, port=port):
        await changes.until(lambda: not mirror.objects)
        assert mirror.is_connected
        await made(kube, "llm", "b")
        await changes.until(lambda: ("llm", "b") in mirror.objects)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await kube.close()


async def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with serving(Store(Clock())) as address, await Kube.connect(address) as kube:
        assert (await kube.list(PODS))[0] == []


def test_the_small_server_serves_every_resource_of_kube():
    served = {
        (kind.group, kind.version, kind.plural, kind.name, kind.is_namespaced) for kind in KINDS
    }
    known = [VARIANT_AUTOSCALINGS, ACCELERATOR_STOCKS, PODS, EVENTS, DEPLOYMENTS, HPAS, LEASES]
    assert {(r.group, r.version, r.plural, r.kind, r.namespaced) for r in known} <= served
