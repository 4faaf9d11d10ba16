"""What is scaled beside Deployments, whose pods those are, and the scale where we write it ourselves."""

import dataclasses

import pytest

from llmd_autoscaler.controller.labels import cost_patches
from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.controller.scale_targets import ScaleTargets
from llmd_autoscaler.controller.selector import read_selector, selects
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.kube.resources import (
    DEPLOYMENTS,
    PODS,
    STATEFUL_SETS,
    VARIANT_AUTOSCALINGS,
    Resource,
)
from llmd_autoscaler.translate.world import read_variant
from tests.controller.conftest import EXAMPLE, NOW_S, following, until
from tests.controller.test_cluster import TARGET, has_ready, publication

LEADER_WORKER_SETS = Resource(
    "leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet"
)
COST = "controller.kubernetes.io/pod-deletion-cost"


def reference(resource, name):
    return {"apiVersion": resource.api_version, "kind": resource.kind, "name": name}


async def model_of(world, resource, name="a100", **changes):
    await world.level()
    await world.profile()
    await world.variant(name, scaleTargetRef=reference(resource, name), **changes)


async def stateful_set(world, name="a100", replicas=2):
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {}}
    return await world.add(STATEFUL_SETS, name, spec)


async def scale(world, resource, name="a100"):
    found = await world.kube.get(resource, "llm", name, subresource="scale")
    return found["spec"]["replicas"]


async def test_the_pods_of_a_stateful_set_are_its_instances(world):
    await model_of(world, STATEFUL_SETS)
    workload = await stateful_set(world)
    for i in range(2):
        await world.pod(f"a100-{i}", workload)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(2))
        await cluster.publish([publication(view)], now_s=NOW_S)
    condition = await world.condition(VARIANT_AUTOSCALINGS, "a100", "TargetResolved")
    assert condition["message"] == 'StatefulSet "a100": 2 ready, 0 starting, 0 draining'


async def group_of(world, leader_set, index):
    """One group of a LeaderWorkerSet as its controller makes it: a leader, its StatefulSet, a worker."""
    leader = await world.pod(f"a100-{index}", leader_set, app="leaders")
    workers = await stateful_set(world, f"a100-{index}")
    await world.pod(f"a100-{index}-1", workers | {"kind": "StatefulSet"}, app="workers")
    owner = {"kind": "Pod", "name": leader["metadata"]["name"], "uid": leader["metadata"]["uid"]}
    patch = {"metadata": {"ownerReferences": [owner | {"controller": True, "apiVersion": "v1"}]}}
    await world.kube.merge(STATEFUL_SETS, "llm", f"a100-{index}", patch)


async def test_a_group_of_a_leader_worker_set_is_one_instance_and_no_request_goes_to_its_workers(
    world,
):
    await model_of(world, LEADER_WORKER_SETS)
    group = await world.add(LEADER_WORKER_SETS, "a100", {"replicas": 2})
    status = {"hpaPodSelector": "app=leaders", "replicas": 2}
    await world.kube.apply_status(LEADER_WORKER_SETS, "llm", "a100", status, manager="lws")
    leaders = await stateful_set(world, "a100")
    owner = reference(LEADER_WORKER_SETS, "a100") | {"uid": group["metadata"]["uid"]}
    patch = {"metadata": {"ownerReferences": [owner | {"controller": True}]}}
    await world.kube.merge(STATEFUL_SETS, "llm", "a100", patch)
    for index in range(2):
        await group_of(world, leaders, index)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(2))
        await cluster.publish([publication(view)], now_s=NOW_S)
    assert [each.name for each in view.models[0].instances] == ["a100-0", "a100-1"]
    leader = (await world.get(PODS, "a100-0"))["metadata"]["labels"]
    worker = (await world.get(PODS, "a100-0-1"))["metadata"]["labels"]
    # a router takes pods with both labels only
    assert (leader[TARGET], leader["autoscaling.llmd.ai/group"]) == ("a100", "mixed")
    assert worker == {"app": "workers", TARGET: "a100"}


async def test_a_kind_without_a_scale_is_told_so(world):
    await model_of(world, PODS)
    async with following(world) as cluster:
        view = await until(cluster, lambda view: len(view.troubles) == 2)
    (trouble,) = [each for each in view.troubles if each.kind == "VariantAutoscaling"]
    assert (trouble.condition, trouble.reason) == ("TargetResolved", "UnsupportedKind")
    assert "v1 Pod has no /scale; name a kind that has one" in trouble.message


async def test_a_kind_that_nobody_installed_is_told_so(world):
    await model_of(world, Resource("example.com", "v1", "things", "Thing"))
    async with following(world) as cluster:
        view = await until(cluster, lambda view: len(view.troubles) == 2)
    assert any("serves no example.com/v1; install it" in each.message for each in view.troubles)


async def test_a_stateful_set_that_is_not_there_is_not_found(world):
    await model_of(world, STATEFUL_SETS)
    async with following(world) as cluster:
        view = await until(cluster, lambda view: len(view.troubles) == 2)
    assert any('no StatefulSet is named "a100"' in each.message for each in view.troubles)


async def test_a_selector_that_selects_none_of_the_pods_is_told_so_and_no_number_is_made_of_it(
    world,
):
    await model_of(world, LEADER_WORKER_SETS)
    group = await world.add(LEADER_WORKER_SETS, "a100", {"replicas": 1})
    status = {"hpaPodSelector": "app=nobody", "replicas": 1}
    await world.kube.apply_status(LEADER_WORKER_SETS, "llm", "a100", status, manager="lws")
    await world.pod("a100-0", group | {"kind": LEADER_WORKER_SETS.kind}, app="leaders")
    async with following(world) as cluster:
        view = await until(cluster, lambda view: len(view.troubles) == 2)
    (trouble,) = [each for each in view.troubles if each.kind == "VariantAutoscaling"]
    assert (trouble.condition, trouble.reason) == ("TargetResolved", "SelectsNothing")
    assert "is missing or selects none of its pods, such as a100-0" in trouble.message


class Forbidding:
    """A door behind which nothing of another kind may be seen, once the first answer was given or from the start on."""

    def __init__(self, answers=()):
        self.answers = list(answers)

    async def scale_of(self, _, kind, key):
        if self.answers:
            return self.answers.pop()
        raise ObservationError(f"{kind} {key[1]} is forbidden")


@pytest.fixture
def variant():
    """One that names a LeaderWorkerSet."""
    spec = EXAMPLE[1]["spec"] | {"scaleTargetRef": reference(LEADER_WORKER_SETS, "a100")}
    wire = EXAMPLE[1] | {"metadata": {"name": "a100", "namespace": "llm"}, "spec": spec}
    return read_variant(wire)


async def test_a_scale_that_may_not_be_read_is_said_and_not_taken_for_missing(variant):
    targets = ScaleTargets(Forbidding(), dict)
    await targets.look([variant], only_new=False)
    (finding,) = targets.unscalable.values()
    assert (finding.type, finding.status, finding.reason) == (
        "TargetResolved",
        "False",
        "ScaleNotRead",
    )
    assert 'LeaderWorkerSet "a100" cannot be read: LeaderWorkerSet a100 is forbidden' in (
        finding.message
    )


async def test_a_scale_that_was_read_before_stays_as_it_was_while_it_cannot_be(variant):
    wire = {"metadata": {"uid": "u"}, "spec": {"replicas": 3}, "status": {"selector": "app=a"}}
    targets = ScaleTargets(Forbidding([wire]), dict)
    for _ in range(2):
        await targets.look([variant], only_new=False)
    assert targets.unscalable == {}
    assert targets.found("llm", variant.scale_target).replicas == 3


async def direct(world, resource=DEPLOYMENTS):
    await model_of(world, resource, actuation="Direct")
    workload = await (world.deployment() if resource is DEPLOYMENTS else stateful_set(world))
    await world.pod("a100-0", workload)


@pytest.mark.parametrize("resource", [DEPLOYMENTS, STATEFUL_SETS], ids=lambda each: each.kind)
async def test_direct_actuation_writes_the_scale_and_says_so(world, resource):
    await direct(world, resource)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=4)], now_s=NOW_S)
    assert await scale(world, resource) == 4
    assert "Scaled" in [each["reason"] for each in await world.events()]


async def test_a_scale_that_somebody_else_changed_is_set_again_without_a_new_decision(world):
    await direct(world)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=4)], now_s=NOW_S)
        await world.kube.merge(DEPLOYMENTS, "llm", "a100", {"spec": {"replicas": 9}})

        def shows_nine(_):
            return cluster._mirrors["Deployment"].objects["llm", "a100"]["spec"]["replicas"] == 9

        await until(cluster, shows_nine)
        await cluster.publish([], now_s=NOW_S + 14.0)  # within the quiet time: not yet
        within = await scale(world, DEPLOYMENTS)
        await cluster.publish([], now_s=NOW_S + 15.0)
    assert (within, await scale(world, DEPLOYMENTS)) == (9, 4)


async def test_a_scale_that_may_not_be_written_is_said_until_it_may(world):
    await direct(world)
    async with following(world) as cluster:
        door = cluster._actuator._door = Refusing(cluster.door)
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=4)], now_s=NOW_S)
        refused = await reason_of_health(world, cluster)
        door.may_write = True
        await cluster.publish([], now_s=NOW_S + 15.0)
        written = await reason_of_health(world, cluster)
    assert (refused, written) == ("ScaleNotWritten", "NotUsed")


async def reason_of_health(world, cluster):
    view = await cluster.observe(now_s=NOW_S)
    await cluster.publish([publication(view, desired=4)], now_s=NOW_S)
    return (await world.condition(VARIANT_AUTOSCALINGS, "a100", "HPAHealthy"))["reason"]


class Refusing:
    """A door that lets no scale be written, until it may."""

    def __init__(self, door):
        self.door, self.may_write = door, False

    async def write_scale(self, *place):
        if not self.may_write:
            raise ObservationError("deployments/scale is forbidden")
        return await self.door.write_scale(*place)


async def test_a_decision_that_ran_out_moves_no_scale(world):
    await direct(world)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        late = dataclasses.replace(publication(view, desired=4), valid_until_s=NOW_S - 1.0)
        await cluster.publish([late], now_s=NOW_S)
    assert await scale(world, DEPLOYMENTS) == 1


@pytest.mark.parametrize("actuation", ["HPA", "Advisory"])
async def test_a_scale_is_nobodys_but_the_hpas_or_the_readers(world, actuation):
    await model_of(world, DEPLOYMENTS, actuation=actuation)
    await world.pod("a100-0", await world.deployment())
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        await cluster.publish([publication(view, desired=4)], now_s=NOW_S)
    assert await scale(world, DEPLOYMENTS) == 1


def pods(*states):
    """Pods of (name, minute of creation, is ready)."""
    return [
        Pod(
            "llm",
            name,
            "",
            {},
            None,
            is_ready=is_ready,
            is_draining=False,
            created_at=f"2026-11-24T09:{minute:02}:00Z",
        )
        for name, minute, is_ready in states
    ]


def marked(found, desired):
    return [
        (pod.name, body["metadata"]["annotations"][COST])
        for pod, body in cost_patches(found, {"desiredReplicas": desired})
    ]


def test_the_youngest_pods_are_the_first_to_go():
    found = pods(("old", 1, True), ("young", 9, True), ("middle", 5, True))
    assert marked(found, 1) == [("young", "-100"), ("middle", "-100")]


def test_a_pod_that_does_not_serve_yet_goes_before_one_that_does():
    found = pods(("serves", 9, True), ("starts", 1, False))
    assert marked(found, 1) == [("starts", "-100")]


def test_a_mark_is_taken_away_when_the_pod_may_stay():
    (one,) = pods(("a", 1, True))
    assert marked([dataclasses.replace(one, deletion_cost="-100")], 1) == [("a", None)]


def test_a_cost_of_somebody_else_is_left_alone():
    (one, other) = pods(("a", 1, True), ("b", 2, True))
    assert marked([one, dataclasses.replace(other, deletion_cost="50")], 1) == []


def test_nobody_is_marked_before_there_is_a_decision():
    assert list(cost_patches(pods(("a", 1, True)), {})) == []


async def test_the_surplus_of_a_published_number_is_marked_on_the_pods(world):
    await world.all_of_one_model(n_ready=3)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(3))
        await cluster.publish([publication(view, desired=2)], now_s=NOW_S)
    costs = [
        (await world.get(PODS, f"a100-{i}"))["metadata"].get("annotations", {}).get(COST)
        for i in range(3)
    ]
    assert sorted(costs, key=str) == ["-100", None, None]


@pytest.mark.parametrize(
    ("written", "labels", "is_selected"),
    [
        ("app=a", {"app": "a"}, True),
        ("app==a,tier!=b", {"app": "a", "tier": "c"}, True),
        ("app in (a,b),tier", {"app": "b", "tier": ""}, True),
        ("app notin (a,b)", {"app": "b"}, False),
        ("!app", {"app": "a"}, False),
        ("app=a, tier in (x, y)", {"app": "a", "tier": "y"}, True),
        ("", {"app": "a"}, False),
    ],
)
def test_the_selector_of_a_scale_is_read_as_kubernetes_writes_it(written, labels, is_selected):
    assert selects(read_selector(written), labels) is is_selected
