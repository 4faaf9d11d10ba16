"""What a client sees of the small API server beyond the contract of tests/test_kube.py."""

import asyncio
import contextlib
import json

import aiohttp
import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.kubeapi.kinds import POD, VARIANT_AUTOSCALING
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store

VARIANTS = "/apis/autoscaling.llmd.ai/v1alpha1/namespaces/llm/variantautoscalings"
DEPLOYMENTS = "/apis/apps/v1/namespaces/llm/deployments"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/llm/leases"
PODS = "/api/v1/namespaces/llm/pods"
METRIC = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/llm/variantautoscalings.autoscaling.llmd.ai/a/load"


class Api:
    def __init__(self, address, session, store):
        self.address, self.session, self.store = address, session, store

    async def call(self, method, path, body=None, kind="application/json"):
        data = body if isinstance(body, str | None) else json.dumps(body)
        async with self.session.request(
            method, self.address + path, data=data, headers={"Content-Type": kind}
        ) as answer:
            return answer.status, await answer.json()

    async def events(self, path):
        async with self.session.get(self.address + path) as answer:
            return answer.status, [json.loads(line) async for line in answer.content]


@contextlib.asynccontextmanager
async def api_server(**options):
    store = Store(Clock())
    async with serving(store, **options) as address, aiohttp.ClientSession() as session:
        yield Api(address, session, store)


@pytest.fixture
async def api():
    async with api_server() as running:
        yield running


def variant(name="a", **fields):
    return {
        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
        "kind": "VariantAutoscaling",
        "metadata": {"name": name},
        **fields,
    }


def deployment(replicas):
    selector = {"matchLabels": {"app": "a", "tier": "gpu"}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    return body | {"spec": {"replicas": replicas, "selector": selector}}


async def test_a_failure_is_a_status_object(api):
    code, status = await api.call("GET", f"{VARIANTS}/a")
    assert (code, status["kind"], status["reason"]) == (404, "Status", "NotFound")
    assert status["message"] == 'variantautoscalings.autoscaling.llmd.ai "a" not found'


async def test_an_unknown_path_is_a_status_object_too(api):
    code, status = await api.call("GET", "/apis/apps/v1/daemonsets")
    assert (code, status["reason"]) == (404, "NotFound")


async def test_a_body_of_another_kind_is_refused_with_both_kinds(api):
    code, status = await api.call("POST", PODS, variant())
    assert code == 400
    assert "Kind=VariantAutoscaling" in status["message"]
    assert "Kind=Pod" in status["message"]


async def test_a_body_that_is_no_object_is_refused(api):
    assert (await api.call("POST", VARIANTS, "[1]"))[0] == 400


async def test_status_in_a_create_is_dropped(api):
    _, made = await api.call("POST", VARIANTS, variant(status={"load": "9"}))
    assert "status" not in made


async def test_an_update_from_an_old_version_conflicts(api):
    _, old = await api.call("POST", VARIANTS, variant(spec={"n": 1}))
    assert (await api.call("PUT", f"{VARIANTS}/a", old | {"spec": {"n": 2}}))[0] == 200
    code, status = await api.call("PUT", f"{VARIANTS}/a", old | {"spec": {"n": 3}})
    assert (code, status["reason"]) == (409, "Conflict")


async def test_an_update_of_a_lease_must_name_the_version_it_replaces(api):
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}}
    await api.call("POST", LEASES, lease)
    assert (await api.call("PUT", f"{LEASES}/x", lease))[0] == 422


async def test_apply_reads_yaml(api):
    body = "apiVersion: autoscaling.llmd.ai/v1alpha1\nkind: VariantAutoscaling\nspec: {groups: [mixed]}\n"
    path = f"{VARIANTS}/a?fieldManager=test&force=true"
    code, made = await api.call("PATCH", path, body, "application/apply-patch+yaml")
    assert (code, made["spec"]) == (201, {"groups": ["mixed"]})


async def test_an_unforced_apply_conflicts_with_the_other_manager_by_name(api):
    await api.call("POST", VARIANTS, variant())
    kind, path = "application/apply-patch+yaml", f"{VARIANTS}/a/status"
    one, two = variant(status={"load": "1"}), variant(status={"load": "2"})
    await api.call("PATCH", f"{path}?fieldManager=first&force=true", one, kind)
    code, status = await api.call("PATCH", f"{path}?fieldManager=second", two, kind)
    assert code == 409
    assert 'conflicts with "first": .status.load' in status["message"]


async def test_another_patch_format_is_refused_with_those_that_are_read(api):
    await api.call("POST", VARIANTS, variant())
    code, status = await api.call("PATCH", f"{VARIANTS}/a", "[]", "application/json-patch+json")
    # the body is read first: a JSON patch is a list, never an object
    assert code == 400
    kind = "application/strategic-merge-patch+json"
    code, status = await api.call("PATCH", f"{VARIANTS}/a", {}, kind)
    assert code == 415
    assert "application/apply-patch+yaml" in status["message"]


async def test_a_scale_shows_the_replicas_and_the_selector_of_a_deployment(api):
    await api.call("POST", DEPLOYMENTS, deployment(3))
    _, scale = await api.call("GET", f"{DEPLOYMENTS}/a/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 0, "selector": "app=a,tier=gpu"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_writing_a_scale_sets_the_replicas_of_the_deployment(api, method):
    await api.call("POST", DEPLOYMENTS, deployment(3))
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    code, scale = await api.call(method, f"{DEPLOYMENTS}/a/scale", {"spec": {"replicas": 5}}, kind)
    assert (code, scale["spec"]) == (200, {"replicas": 5})
    _, found = await api.call("GET", f"{DEPLOYMENTS}/a")
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (5, 2)


async def test_a_scale_below_nought_is_refused(api):
    await api.call("POST", DEPLOYMENTS, deployment(3))
    assert (await api.call("PUT", f"{DEPLOYMENTS}/a/scale", {"spec": {"replicas": -1}}))[0] == 422


async def test_an_expired_watch_is_an_error_event_behind_a_200(api):
    await api.call("POST", VARIANTS, variant(spec={"n": 0}))
    for n in range(1, 3):
        body = {"spec": {"n": n}}
        await api.call("PATCH", f"{VARIANTS}/a", body, "application/merge-patch+json")
    api.store.collection(VARIANT_AUTOSCALING).forget()
    code, (event,) = await api.events(f"{VARIANTS}?watch=1&resourceVersion=2")
    assert (code, event["type"], event["object"]["code"]) == (200, "ERROR", 410)


async def test_a_watch_from_a_revision_of_the_future_is_refused(api):
    assert (await api.call("GET", f"{VARIANTS}?watch=1&resourceVersion=999"))[0] == 504


async def test_a_watch_ends_after_its_timeout_with_a_bookmark_of_the_last_revision(api):
    await api.call("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}})
    query = "watch=1&resourceVersion=1&timeoutSeconds=1&allowWatchBookmarks=true"
    _, events = await api.events(f"{VARIANTS}?{query}")
    # no variant changed, yet the bookmark moves past the pod's revision 2
    assert [event["type"] for event in events] == ["BOOKMARK"]
    assert events[0]["object"]["metadata"]["resourceVersion"] == "2"


async def test_a_watch_from_nought_begins_with_all_that_is_there(api):
    await api.call("POST", VARIANTS, variant("a"))
    await api.call("POST", VARIANTS, variant("b"))
    _, events = await api.events(f"{VARIANTS}?watch=1&timeoutSeconds=1")
    found = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert found == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_pod_on_a_node_ends_only_when_the_kubelet_lets_go(api):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    spec = {"nodeName": "n", "terminationGracePeriodSeconds": 60}
    await api.call("POST", PODS, pod | {"spec": spec})
    _, ending = await api.call("DELETE", f"{PODS}/p")
    assert ending["metadata"]["deletionGracePeriodSeconds"] == 60
    assert ending["metadata"]["deletionTimestamp"]
    await api.call("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert (await api.call("GET", f"{PODS}/p"))[0] == 404


async def test_a_pod_without_a_node_ends_at_once(api):
    await api.call("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}})
    await api.call("DELETE", f"{PODS}/p")
    assert api.store.collection(POD).objects == {}


async def test_a_delete_of_a_former_object_of_the_name_is_refused(api):
    await api.call("POST", VARIANTS, variant())
    options = {"preconditions": {"uid": "of-another-life"}}
    assert (await api.call("DELETE", f"{VARIANTS}/a", options))[0] == 409


async def test_discovery_lists_a_kind_with_its_subresources(api):
    _, found = await api.call("GET", "/apis/apps/v1")
    names = [entry["name"] for entry in found["resources"]]
    assert names[:3] == ["deployments", "deployments/status", "deployments/scale"]


async def test_the_scale_of_a_group_of_pods_has_the_selector_that_its_status_names(api):
    path = "/apis/leaderworkerset.x-k8s.io/v1/namespaces/llm/leaderworkersets"
    kind = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    await api.call("POST", path, kind | {"metadata": {"name": "a"}, "spec": {"replicas": 2}})
    status = {"status": {"hpaPodSelector": "role=leader", "replicas": 2}}
    await api.call("PATCH", f"{path}/a/status", status, "application/merge-patch+json")
    _, scale = await api.call("GET", f"{path}/a/scale")
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (2, "role=leader")


async def test_discovery_prefers_the_newer_version_of_the_metrics_api():
    async with api_server(adapter_url="http://127.0.0.1:9") as api:
        _, group = await api.call("GET", "/apis/custom.metrics.k8s.io")
    assert group["preferredVersion"]["version"] == "v1beta2"


async def test_the_aggregated_path_answers_503_while_no_adapter_listens():
    async with api_server(adapter_url="http://127.0.0.1:9") as api:  # 9 = discard, nobody listens
        code, status = await api.call("GET", METRIC)
    assert (code, status["reason"]) == (503, "ServiceUnavailable")


async def test_the_aggregated_path_passes_the_adapters_answer_on_unchanged():
    async def answer(request):
        return web.json_response({"path": request.raw_path}, status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    try:
        async with api_server(adapter_url=f"http://{host}:{port}") as api:
            found = await api.call("GET", f"{METRIC}?metricLabelSelector=a%3Db")
    finally:
        await runner.cleanup()
    assert found == (404, {"path": f"{METRIC}?metricLabelSelector=a%3Db"})


async def test_a_port_in_use_is_a_sentence_about_the_port():
    async with api_server() as api:
        port = int(api.address.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(Store(Clock()), port=port):
                pass


async def test_a_server_with_open_watches_stops():
    async with api_server() as api:
        watch = asyncio.create_task(api.events(f"{VARIANTS}?watch=1"))
        while not api.store.collection(VARIANT_AUTOSCALING).objects:
            await api.call("POST", VARIANTS, variant())
    # ended by the server's stop or, where the client closed first, by its own
    await asyncio.gather(watch, return_exceptions=True)
    assert watch.done()
