"""The controller on a real, small API server: what it reads there, and what it writes."""

import asyncio
import contextlib
import dataclasses

import pytest
from aiohttp import web

from llmd_autoscaler.controller.cluster import KubeCluster, listed
from llmd_autoscaler.controller.ports import ModelKey, Publication
from llmd_autoscaler.core.world import Reason, ReasonCode
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.resources import (
    CAPACITY_PROFILES,
    DEPLOYMENTS,
    PODS,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
)
from tests.controller.conftest import NOW_S, following, until
from tests.translate.decisions import decided, decision

MODEL = ModelKey("llm", "meta-llama/Llama-3.1-70B-Instruct")
TARGET = "autoscaling.llmd.ai/target"


def has_ready(n):
    return lambda view: bool(view.models) and view.models[0].targets[0].n_ready == n


def publication(
    view, *, counter=1, desired=2, at_s=NOW_S, unreachable=(), targets=("a100",), **of_target
):
    (model,) = view.models
    nothing = [0.0] * len(model.classes)
    decided_all = [decided(name, desired, **of_target) for name in targets]
    whole = decision(*decided_all, routes=(), predicted=None, forecast=None)
    arrays = {
        name: whole.qps[:1].repeat(len(nothing))
        for name in ("qps", "isl_mean", "osl_mean", "hit_frac")
    }
    arrays["hit_frac"] = arrays["hit_frac"] * 0.0
    return Publication(
        view=model,
        decision=dataclasses.replace(whole, **arrays),
        decision_id=f"1-{counter}",
        decided_at_s=at_s,
        valid_until_s=at_s + 600.0,
        source="router",
        realised=None,
        unreachable=unreachable,
    )


async def test_a_published_decision_stands_in_both_statuses(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view)], now_s=NOW_S)
    level = (await world.get(SERVICE_LEVELS, "llama"))["status"]
    variant = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    assert (level["decisionID"], variant["decisionID"], variant["desiredReplicas"]) == (
        "1-1",
        "1-1",
        2,
    )
    assert [entry["instances"] for entry in level["mix"]] == [2]


async def test_what_was_published_is_what_is_observed_next_before_any_watch(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=5)], now_s=NOW_S)
        (model,) = (await cluster.observe(now_s=NOW_S)).models
    assert (model.targets[0].desired, model.stored_epoch) == (5, 1)


async def test_a_status_that_would_not_change_is_not_written(world):
    writes = []
    await world.all_of_one_model()
    async with following(world, on_status_write=lambda: writes.append(1)) as cluster:
        view = await until(cluster, has_ready(1))
        for _ in range(2):
            await cluster.publish([publication(view)], now_s=NOW_S)
    assert len(writes) == 2  # the level and the variant, once each


async def test_a_change_of_the_number_is_an_event_and_history(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=2)], now_s=NOW_S)
        later = publication(view, counter=2, desired=4, at_s=NOW_S + 90.0)
        await cluster.publish([later], now_s=NOW_S + 90.0)
    status = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    assert [(c["from"], c["to"], c["code"]) for c in status["history"]] == [(2, 4, "DemandUp")]
    assert [e["reason"] for e in await world.events()] == ["DemandUp", "DemandUp"]
    assert {e["involvedObject"]["name"] for e in await world.events()} == {"a100"}


async def test_events_of_one_reason_come_once_a_minute(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        for n in range(1, 4):
            one = publication(view, counter=n, desired=n, at_s=NOW_S + n)
            await cluster.publish([one], now_s=NOW_S + n)
    assert len(await world.events()) == 1


async def test_pods_are_labelled_without_waiting_for_a_tick(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        await until(
            cluster,
            lambda _: (
                cluster._mirrors[PODS.kind]
                .objects["llm", "a100-0"]["metadata"]["labels"]
                .get(TARGET)
            ),
        )
    labels = (await world.get(PODS, "a100-0"))["metadata"]["labels"]
    assert labels == {
        "app": "a100",
        TARGET: "a100",
        "autoscaling.llmd.ai/group": "mixed",
        "llm-d.ai/role": "prefill-decode",
    }  # fmt: skip


async def test_a_pod_is_matched_by_its_owner_and_never_by_its_name(world):
    await world.all_of_one_model()
    stranger = await world.deployment("stranger")
    await world.pod("a100-9", stranger, app="a100")  # name and labels of a100, another owner
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert [i.name for i in view.models[0].instances] == ["a100-0"]


async def test_a_pod_that_the_selector_does_not_select_is_no_instance(world):
    deployment = await world.all_of_one_model()
    await world.pod("a100-9", deployment, app="released")
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert [i.name for i in view.models[0].instances] == ["a100-0"]


async def test_a_pod_that_comes_later_is_seen(world):
    deployment = await world.all_of_one_model()
    async with following(world) as cluster:
        await until(cluster, has_ready(1))
        await world.pod("a100-1", deployment, is_ready=False)
        view = await until(cluster, lambda view: view.models[0].targets[0].n_starting == 1)
    assert view.models[0].targets[0].n_ready == 1


async def test_a_variant_that_cannot_be_read_says_why_and_the_others_go_on(world):
    await world.all_of_one_model()
    await world.variant("broken", maxReplicas=0)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view)], now_s=NOW_S)
    condition = await world.condition(VARIANT_AUTOSCALINGS, "broken", "OptimizationReady")
    assert (condition["status"], condition["reason"]) == ("False", "Unreadable")
    assert "spec.maxReplicas: found 0" in condition["message"]
    assert "status" in await world.get(VARIANT_AUTOSCALINGS, "a100")


async def test_a_profile_that_cannot_be_read_says_so_itself_and_at_who_names_it(world):
    await world.all_of_one_model()
    await world.profile("broken", trust="hoped")
    await world.deployment("b")
    await world.variant("b", profileRef={"name": "broken"})
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view)], now_s=NOW_S)
    fitted = await world.condition(CAPACITY_PROFILES, "broken", "Fitted")
    trusted = await world.condition(VARIANT_AUTOSCALINGS, "b", "ProfileTrusted")
    assert (fitted["status"], trusted["status"]) == ("False", "False")
    assert fitted["message"] == trusted["message"]
    assert 'found "hoped"; write measured or predicted' in fitted["message"]


async def test_a_field_of_a_newer_version_is_no_fault(world):
    await world.all_of_one_model()
    await world.kube.merge(VARIANT_AUTOSCALINGS, "llm", "a100", {"spec": {"moonPhase": "full"}})
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert view.models[0].troubles == ()


async def test_a_variant_that_falls_into_trouble_keeps_its_decision_and_says_why(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=4)], now_s=NOW_S)
        await world.kube.delete(DEPLOYMENTS, "llm", "a100")
        await until(cluster, lambda view: not view.models)
        await cluster.publish([], now_s=NOW_S + 15.0)
    status = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    condition = await world.condition(VARIANT_AUTOSCALINGS, "a100", "TargetResolved")
    assert (status["desiredReplicas"], status["decisionID"]) == (4, "1-1")
    assert (condition["status"], condition["reason"]) == ("False", "NotFound")
    # 2023-11-14T22:13:20Z is NOW_S
    assert condition["lastTransitionTime"] == "2023-11-14T22:13:35Z"


async def test_a_trouble_is_an_event_once(world):
    await world.variant()
    async with following(world) as cluster:
        await until(cluster, lambda view: len(view.troubles) == 2)
        for n in range(2):
            await cluster.publish([], now_s=NOW_S + n)
            await cluster.observe(now_s=NOW_S + n)
    assert sorted((e["type"], e["reason"]) for e in await world.events()) == [
        ("Warning", "NoServiceLevel"),
        ("Warning", "NotFound"),
    ]


async def test_the_second_level_of_a_model_says_that_the_older_acts(world):
    await world.all_of_one_model()
    await world.level("second")
    async with following(world) as cluster:
        view = await until(
            cluster, lambda view: has_ready(1)(view) and len(view.models[0].troubles) == 2
        )
        await cluster.publish([publication(view)], now_s=NOW_S)
    for name in ("llama", "second"):
        condition = await world.condition(SERVICE_LEVELS, name, "Conflict")
        assert (condition["status"], condition["reason"]) == ("True", "SecondServiceLevel")
    assert "decisionID" not in (await world.get(SERVICE_LEVELS, "second"))["status"]


async def test_metrics_are_available_as_far_as_pods_answered(world):
    await world.all_of_one_model(n_ready=2)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(2))
        one = ("llm/a100-1: no page within 2 s",)
        await cluster.publish([publication(view, unreachable=one)], now_s=NOW_S)
        some = await world.condition(VARIANT_AUTOSCALINGS, "a100", "MetricsAvailable")
        both = (*one, "llm/a100-0: HTTP 500")
        await cluster.publish([publication(view, counter=2, unreachable=both)], now_s=NOW_S)
        none = await world.condition(VARIANT_AUTOSCALINGS, "a100", "MetricsAvailable")
    assert (some["status"], some["message"]) == (
        "True",
        "1 of 2 ready pods answered; a100-1: no page within 2 s",
    )
    assert (none["status"], none["reason"]) == ("False", "NoneAnswered")


async def test_a_level_that_was_deleted_meanwhile_costs_nobody_anything(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await world.kube.delete(SERVICE_LEVELS, "llm", "llama")
        await cluster.publish([publication(view)], now_s=NOW_S)
    assert (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]["decisionID"] == "1-1"


@contextlib.asynccontextmanager
async def answering(handler):
    """A Kube at whose address every request is answered by a handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    kube = await Kube.connect(f"http://{host}:{port}")
    try:
        yield kube
    finally:
        await kube.close()
        await runner.cleanup()


async def refusing(_):
    return web.json_response({"kind": "Status", "message": "etcd is gone"}, status=500)


async def test_an_api_server_that_refuses_is_told_with_how_many(world):
    await world.all_of_one_model()
    async with following(world) as cluster, answering(refusing) as refused:
        view = await until(cluster, has_ready(1))
        working, cluster.door.kube = cluster.door.kube, refused
        with pytest.raises(ObservationError, match="1 of 1 models"):
            await cluster.publish([publication(view)], now_s=NOW_S)
        cluster.door.kube = working
        await cluster.publish([publication(view)], now_s=NOW_S)
    assert (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]["decisionID"] == "1-1"


async def test_a_pod_of_a_replica_set_is_its_deployments(world):
    deployment = await world.all_of_one_model(n_ready=0)
    asked = []

    async def replica_set(request):
        asked.append(request.path)
        owner = {
            "kind": "Deployment",
            "name": "a100",
            "uid": deployment["metadata"]["uid"],
            "controller": True,
        }
        return web.json_response({"metadata": {"name": "a100-6f", "ownerReferences": [owner]}})

    between = {"kind": "ReplicaSet", "metadata": {"name": "a100-6f", "uid": "6f"}}
    await world.pod("x", between, app="a100")
    async with answering(replica_set) as kube, following(world, replica_sets=kube) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.observe(now_s=NOW_S)
    assert [i.name for i in view.models[0].instances] == ["x"]
    # once for a ReplicaSet: not at every tick
    assert asked == ["/apis/apps/v1/namespaces/llm/replicasets/a100-6f"]


async def test_what_the_view_does_not_carry_is_known_by_model(world):
    await world.all_of_one_model()
    await world.kube.merge(
        VARIANT_AUTOSCALINGS, "llm", "a100", {"spec": {"metrics": {"port": 9000, "path": "/m"}}}
    )
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        (instance,) = view.models[0].instances
        assert cluster.page_url(MODEL, instance) == "http://127.0.0.1:9000/m"
        assert cluster.default_class(MODEL) == "relaxed"


async def test_publishing_before_observing_is_a_fault_of_ours(world):
    with pytest.raises(RuntimeError):
        await KubeCluster(world.kube, "llm").publish([], now_s=NOW_S)


async def test_a_held_number_is_published_without_a_load(world):
    await world.all_of_one_model()
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        unseen = Reason(ReasonCode.NOT_OBSERVED, "no router could be asked")
        one = publication(view)
        held = dataclasses.replace(
            one.decision, targets=(decided(desired=1, reasons=(unseen,)),), reasons=(unseen,)
        )
        await cluster.publish([dataclasses.replace(one, decision=held)], now_s=NOW_S)
    status = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    assert (status["desiredReplicas"], "load" in status) == (1, False)
    condition = await world.condition(VARIANT_AUTOSCALINGS, "a100", "OptimizationReady")
    assert (condition["status"], condition["reason"]) == ("False", "NotObserved")


async def test_objects_are_listed_for_people(world):
    await world.all_of_one_model()
    levels, variants = await listed(world.address)
    assert [len(levels), len(variants)] == [1, 1]


async def test_every_collection_must_be_there_before_a_tick(world):
    cluster = KubeCluster(world.kube, "llm")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cluster.synced()
    assert not cluster.is_connected
    assert "Deployment" in cluster.missing
