"""Objects that contradict each other or lack each other: each says so, none takes another one along."""

from llmd_autoscaler.kube.resources import (
    CAPACITY_PROFILES,
    DEPLOYMENTS,
    PODS,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
)
from tests.controller.conftest import NOW_S, following, until
from tests.controller.test_cluster import has_ready, publication

ON_A100 = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a100"}
OTHER_PROFILE = {"name": "llama-3.1-70b-h100-tp4"}
H100 = {"accelerator": "H100-80GB", "profileRef": OTHER_PROFILE}


async def told(cluster, world, resource, name, kind, *, at_s=NOW_S):
    """(status, reason, message) of a condition after a publication without decisions."""
    await cluster.publish([], now_s=at_s)
    found = await world.condition(resource, name, kind)
    return (found["status"], found["reason"], found["message"]) if found else None


async def test_the_younger_of_two_variants_on_one_deployment_is_refused_and_gets_no_pod(world):
    await world.all_of_one_model()
    await world.variant("second", scaleTargetRef=ON_A100)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
        said = await told(cluster, world, VARIANT_AUTOSCALINGS, "second", "TargetResolved")
    assert said == (
        "False",
        "TargetTaken",
        'Deployment "a100" is the target of VariantAutoscaling "a100" already; name another',
    )
    assert [t.name for t in view.models[0].targets] == ["a100"]
    assert [i.target for i in view.models[0].instances] == ["a100"]


async def test_two_variants_on_one_deployment_are_no_overlap_of_selectors(world):
    await world.all_of_one_model()
    await world.variant("second", scaleTargetRef=ON_A100)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert [t.reason for t in view.models[0].troubles] == ["TargetTaken"]


async def test_the_second_variant_is_acted_on_once_the_first_is_deleted(world):
    await world.all_of_one_model()
    await world.variant("second", scaleTargetRef=ON_A100)
    async with following(world) as cluster:
        await until(cluster, has_ready(1))
        await cluster.publish([], now_s=NOW_S)
        await world.kube.delete(VARIANT_AUTOSCALINGS, "llm", "a100")
        view = await until(cluster, lambda v: [t.name for t in v.models[0].targets] == ["second"])
        await cluster.publish([publication_of(view, "second")], now_s=NOW_S)
    found = await world.condition(VARIANT_AUTOSCALINGS, "second", "TargetResolved")
    assert (found["status"], found["reason"]) == ("True", "Resolved")


async def test_the_second_level_acts_once_the_first_is_deleted_and_there_is_no_conflict_left(world):
    await world.all_of_one_model()
    await world.level("second")
    async with following(world) as cluster:
        view = await until(cluster, lambda v: has_ready(1)(v) and len(v.models[0].troubles) == 2)
        await cluster.publish([publication(view)], now_s=NOW_S)
        await world.kube.delete(SERVICE_LEVELS, "llm", "llama")
        view = await until(cluster, lambda v: v.models[0].service_level == "second")
        await cluster.publish([publication(view, counter=2)], now_s=NOW_S)
    found = await world.condition(SERVICE_LEVELS, "second", "Conflict")
    assert (found["status"], found["reason"]) == ("False", "OnlyOne")


async def test_a_variant_without_a_level_says_what_to_write(world):
    await world.profile()
    await world.variant()
    await world.deployment()
    async with following(world) as cluster:
        await until(cluster, lambda view: len(view.troubles) == 1)
        said = await told(cluster, world, VARIANT_AUTOSCALINGS, "a100", "OptimizationReady")
    assert said == (
        "False",
        "NoServiceLevel",
        "no ServiceLevel in namespace llm has modelID meta-llama/Llama-3.1-70B-Instruct; write one with its classes",
    )


async def test_a_level_without_a_variant_says_that_nothing_can_be_acted_on(world):
    await world.level()
    async with following(world) as cluster:
        await until(cluster, lambda view: len(view.troubles) == 1)
        said = await told(cluster, world, SERVICE_LEVELS, "llama", "SLOFeasible")
    assert said[:2] == ("Unknown", "NoTargets")


async def test_a_missing_profile_is_named_with_the_nearest(world):
    await world.level()
    await world.variant(profileRef={"name": "llama-3.1-70b-a100"})
    await world.deployment()
    async with following(world) as cluster:
        await until(cluster, lambda view: len(view.troubles) == 2)
        said = await told(cluster, world, VARIANT_AUTOSCALINGS, "a100", "ProfileTrusted")
    assert said[:2] == ("False", "ProfileDoesNotFit")
    assert (
        'no CapacityProfile is named "llama-3.1-70b-a100"; did you mean llama-3.1-70b-a100-tp4?'
        in said[2]
    )


async def test_a_missing_deployment_is_named_and_forgotten_once_it_is_there(world):
    await world.profile()
    await world.variant()
    async with following(world) as cluster:
        await until(cluster, lambda view: len(view.troubles) == 2)
        before = await told(cluster, world, VARIANT_AUTOSCALINGS, "a100", "TargetResolved")
        await world.deployment()
        # the level is missing still, so the object stays in trouble, but not in this one
        await until(cluster, lambda view: len(view.troubles) == 1)
        after = await told(cluster, world, VARIANT_AUTOSCALINGS, "a100", "TargetResolved")
    assert before[:2] == ("False", "NotFound")
    assert after is None


async def test_pods_that_two_selectors_select_are_counted_once_by_their_owner(world):
    first = await overlapping(world)
    async with following(world) as cluster:
        view = await until(cluster, both_ready)
    assert first["metadata"]["name"] == "a100"
    assert {i.name: i.target for i in view.models[0].instances} == {"a100-0": "a100", "b-0": "b"}
    assert [t.n_ready for t in view.models[0].targets] == [1, 1]


async def test_an_overlap_of_selectors_is_a_condition_of_both_while_they_go_on(world):
    await overlapping(world)
    async with following(world) as cluster:
        view = await until(cluster, both_ready)
        await cluster.publish([publication_of(view, "a100", "b")], now_s=NOW_S)
        await cluster.publish([], now_s=NOW_S)
    for name in ("a100", "b"):
        found = await world.condition(VARIANT_AUTOSCALINGS, name, "Conflict")
        assert (found["status"], found["reason"]) == ("True", "OverlappingSelectors")
        assert (
            'the selector of the target of "a100" selects pods of the target of "b" too, such as b-0'
            in found["message"]
        )
        status = (await world.get(VARIANT_AUTOSCALINGS, name))["status"]
        assert status["decisionID"] == "1-1"
    assert [t.condition for t in view.models[0].troubles] == ["Conflict", "Conflict"]


async def test_an_overlap_is_over_once_the_selectors_differ(world):
    await overlapping(world)
    async with following(world) as cluster:
        view = await until(cluster, both_ready)
        await cluster.publish([publication_of(view, "a100", "b")], now_s=NOW_S)
        own = {"spec": {"selector": {"matchLabels": {"app": "b"}}}}
        await world.kube.merge(DEPLOYMENTS, "llm", "b", own)
        await world.kube.merge(PODS, "llm", "b-0", {"metadata": {"labels": {"app": "b"}}})
        view = await until(cluster, lambda v: both_ready(v) and not v.models[0].troubles)
        await cluster.publish([publication_of(view, "a100", "b", counter=2)], now_s=NOW_S)
    assert await world.condition(VARIANT_AUTOSCALINGS, "a100", "Conflict") is None


async def test_a_pod_whose_name_looks_like_a_rank_of_ours_is_not_ours(world):
    await world.all_of_one_model()
    group = {"kind": "LeaderWorkerSet", "metadata": {"name": "a100", "uid": "lws"}}
    await world.pod("a100-rank-0", group, app="a100")
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert [i.name for i in view.models[0].instances] == ["a100-0"]


async def test_a_pod_named_like_a_stranger_is_ours_where_its_owner_is(world):
    deployment = await world.all_of_one_model(n_ready=0)
    await world.pod("kserve-predictor-rank-0", deployment)
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert [i.name for i in view.models[0].instances] == ["kserve-predictor-rank-0"]


async def test_a_deployment_of_the_same_name_in_another_namespace_is_not_the_target(world):
    await world.level()
    await world.profile()
    await world.variant()
    elsewhere = {
        "metadata": {"name": "a100"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a100"}}, "template": {}},
    }
    await world.kube.create(DEPLOYMENTS, "other", elsewhere)
    async with following(world) as cluster:
        await until(cluster, lambda view: len(view.troubles) == 2)
        said = await told(cluster, world, VARIANT_AUTOSCALINGS, "a100", "TargetResolved")
    assert said[1:] == (
        "NotFound",
        'no Deployment is named "a100" in namespace llm; make it, or correct spec.scaleTargetRef.name',
    )


async def test_a_pod_that_carries_our_labels_but_another_owner_is_no_instance(world):
    await world.all_of_one_model()
    stranger = {"kind": "Deployment", "metadata": {"name": "stranger", "uid": "stranger"}}
    await world.pod("x", stranger)
    claimed = {"autoscaling.llmd.ai/target": "a100", "autoscaling.llmd.ai/group": "mixed"}
    await world.kube.merge(PODS, "llm", "x", {"metadata": {"labels": claimed}})
    async with following(world) as cluster:
        view = await until(cluster, has_ready(1))
    assert [i.name for i in view.models[0].instances] == ["a100-0"]


async def test_a_profile_can_be_read_again_and_says_so(world):
    await world.all_of_one_model()
    await world.profile("broken", trust="hoped")
    async with following(world) as cluster:
        await until(cluster, has_ready(1))
        before = await told(cluster, world, CAPACITY_PROFILES, "broken", "Fitted")
        await world.kube.merge(CAPACITY_PROFILES, "llm", "broken", {"spec": {"trust": "measured"}})
        await until(cluster, lambda view: not view.troubles)
        after = await told(cluster, world, CAPACITY_PROFILES, "broken", "Fitted")
    assert before[:2] == ("False", "Unreadable")
    assert after[:2] == ("True", "Readable")


def both_ready(view):
    return bool(view.models) and [t.n_ready for t in view.models[0].targets] == [1, 1]


def publication_of(view, *names, counter=1):
    return publication(view, counter=counter, targets=names)


async def overlapping(world):
    """Two variants of one model; both Deployments select `app: a100`, and both label their pods so."""
    first = await world.all_of_one_model()
    await world.variant("b", **H100)
    second = await world.deployment("b", app="a100")
    await world.pod("b-0", second, app="a100")
    return first
