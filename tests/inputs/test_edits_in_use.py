"""Objects that are edited or deleted while a model runs on them."""

import pytest

from llmd_autoscaler.core.world import ReasonCode
from llmd_autoscaler.kube.resources import (
    CAPACITY_PROFILES,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
)
from tests.controller.conftest import EXAMPLE
from tests.inputs.running import running

PROFILE = "llama-3.1-70b-a100-tp4"
# Every part of a step takes a third of the time: fewer instances carry the same.
FASTER = {"step": {name: f"{float(ms) / 3:.6f}" for name, ms in EXAMPLE[2]["spec"]["step"].items()}}
# As the profile of a namespace that the catalogue does not know.
OWN = {"profileRef": {"name": "own"}}
CLASSES = EXAMPLE[0]["spec"]["classes"]
BATCH = CLASSES[2] | {"name": "batch", "match": {"header": {"name": "x-llm-class", "value": "b"}}}


async def test_a_profile_that_is_edited_decides_from_the_next_tick_on(world):
    async with running(world, qps=12.0) as it:
        await it.ticks(6)
        slow = it.decision.targets[0]
        await it.change(CAPACITY_PROFILES, PROFILE, {"spec": FASTER})
        await it.ticks(1)
        fast = it.decision.targets[0]
    assert fast.load < slow.load / 2
    assert fast.wanted < slow.wanted


async def test_a_faster_profile_takes_no_instance_away_before_a_full_window(world):
    async with running(world, qps=12.0) as it:
        before = (await it.ticks(30))[-1]
        await it.change(CAPACITY_PROFILES, PROFILE, {"spec": FASTER})
        # wanted by the old profile at the last of those ticks: kept for 240 s, sixteen ticks
        numbers = await it.ticks(17)
    assert numbers[:15] == [before] * 15
    assert numbers[-1] < before


async def test_an_edited_profile_is_told_with_its_generation_and_reaches_the_router_at_once(world):
    async with running(world) as it:
        await it.ticks(6)
        before = await it.condition("ProfileTrusted")
        await it.change(CAPACITY_PROFILES, PROFILE, {"spec": FASTER})
        await it.ticks(1)
        after = await it.condition("ProfileTrusted")
        mix = (await it.status(SERVICE_LEVELS, "llama"))["mix"]
    assert f'CapacityProfile "{PROFILE}" of generation 1 was predicted' in before[2]
    assert f'CapacityProfile "{PROFILE}" of generation 2 was predicted' in after[2]
    # 26.1 ms / 3
    assert mix[0]["step"]["baseMs"] == "8.7"


async def test_a_profile_that_an_edit_broke_holds_the_last_decision_and_says_until_when(world):
    async with running(world, qps=12.0) as it:
        number = (await it.ticks(6))[-1]
        decided = await it.status()
        await it.change(CAPACITY_PROFILES, PROFILE, {"spec": {"trust": "hoped"}})
        await it.ticks_without_a_model(1)
        said, status = await it.condition("ProfileTrusted"), await it.status()
    assert said[:2] == ("False", "ProfileDoesNotFit")
    assert 'found "hoped"; write measured or predicted' in said[2]
    assert f"the last decision, {number}, holds until {decided['validUntil']}" in said[2]
    assert (status["desiredReplicas"], status["decisionID"]) == (number, decided["decisionID"])


async def test_a_deleted_profile_is_named_and_the_last_decision_holds_until_it_expires(world):
    async with running(world) as it:
        await world.profile("own")
        await it.change(VARIANT_AUTOSCALINGS, "a100", {"spec": OWN})
        await it.seen(lambda view: bool(view.models))
        await it.ticks(1)
        valid_until = (await it.status())["validUntil"]
        await world.kube.delete(CAPACITY_PROFILES, "llm", "own")
        await it.seen(lambda view: not view.models)
        await it.ticks_without_a_model(1)
        holding = await it.condition("ProfileTrusted")
        it.now_s += 600.0
        await it.ticks_without_a_model(1)
        expired = await it.condition("ProfileTrusted")
        status = await it.status()
    assert 'no CapacityProfile is named "own"' in holding[2]
    assert f"the last decision, 1, holds until {valid_until}" in holding[2]
    assert f"the last decision, 1, ended at {valid_until}: nothing is served" in expired[2]
    # the value stays where it is, and its validUntil keeps the adapter from serving it
    assert (status["desiredReplicas"], status["validUntil"]) == (1, valid_until)


async def test_a_deleted_profile_that_the_catalogue_has_is_replaced_by_that_and_said(world):
    async with running(world) as it:
        await it.ticks(1)
        await world.kube.delete(CAPACITY_PROFILES, "llm", PROFILE)
        await it.seen(lambda _: not it.cluster._mirrors["CapacityProfile"].objects)
        await it.ticks(1)
        said = await it.condition("ProfileTrusted")
    assert said[2].startswith(f'the catalogue\'s profile "{PROFILE}" was predicted')


async def test_a_variant_that_loses_its_profile_keeps_its_requests_while_its_decision_holds(world):
    async with running(world) as it:
        await two_variants(it)
        await it.ticks(6)
        before = await it.status(name="b")
        await world.kube.delete(CAPACITY_PROFILES, "llm", "own")
        await it.seen(lambda view: any(t.name == "b" for t in view.models[0].troubles))
        await it.ticks(1)
        holding, level = await it.status(name="b"), await it.status(SERVICE_LEVELS, "llama")
        said = await it.condition("ProfileTrusted", name="b")
        decided = {t.name: t.desired for t in it.decision.targets}
    assert said[:2] == ("False", "ProfileDoesNotFit")
    assert (decided["b"], [each["target"] for each in level["mix"]]) == (1, ["a100", "b"])
    # nobody renewed it, so it ends when it was to end
    assert holding["validUntil"] == before["validUntil"]


async def test_a_variant_that_lost_its_profile_leaves_the_plan_when_its_decision_ends(world):
    async with running(world) as it:
        await two_variants(it)
        await it.ticks(6)
        await world.kube.delete(CAPACITY_PROFILES, "llm", "own")
        await it.seen(lambda view: any(t.name == "b" for t in view.models[0].troubles))
        await it.ticks(1)
        it.now_s += 600.0
        await it.ticks(1)
        said = await it.condition("ProfileTrusted", name="b")
    assert [t.name for t in it.decision.targets] == ["a100"]
    assert "nothing is served" in said[2]


@pytest.mark.parametrize(
    "classes",
    [
        [*CLASSES, BATCH],
        CLASSES[:2],
        [CLASSES[0] | {"name": "chat"}, *CLASSES[1:]],
        [CLASSES[1], CLASSES[0], CLASSES[2]],
    ],
    ids=["added", "removed", "renamed", "reordered"],
)
async def test_other_classes_hold_the_number_until_their_traffic_was_seen_for_a_window(
    world, classes
):
    async with running(world, qps=12.0) as it:
        before = (await it.ticks(6))[-1]
        await it.change(SERVICE_LEVELS, "llama", {"spec": {"classes": classes}})
        it.n_classes, it.qps = len(classes), 0.5
        (now,) = await it.ticks(1)
        first = it.decision.reasons[0].code
        # 240 s are sixteen ticks: fifteen of them see less than a window
        numbers = await it.ticks(15)
        status = await it.status(SERVICE_LEVELS, "llama")
    assert before > 1
    assert (now, first) == (before, ReasonCode.WARMING_UP)
    assert numbers == [before] * 15
    assert [each["name"] for each in status["traffic"]["classes"]] == [c["name"] for c in classes]


async def test_a_stricter_bound_is_planned_for_at_the_next_tick(world):
    stricter = [CLASSES[0] | {"slo": {"percentile": "0.99", "tpot": {"max": "40ms"}}}, *CLASSES[1:]]
    async with running(world, qps=6.0) as it:
        await it.ticks(6)
        loose = it.decision.targets[0]
        await it.change(SERVICE_LEVELS, "llama", {"spec": {"classes": stricter}})
        await it.ticks(1)
        strict = it.decision.targets[0]
    assert (loose.tier_s, strict.tier_s) == (0.08, 0.04)
    assert strict.load > loose.load


async def test_a_minimum_of_nought_of_the_model_changes_no_number_that_is_asked_for(world):
    async with running(world, qps=12.0) as it:
        number = (await it.ticks(6))[-1]
        await it.change(SERVICE_LEVELS, "llama", {"spec": {"minInstances": 0}})
        assert await it.ticks(1) == [number]


async def test_a_minimum_of_nought_behind_an_hpa_that_stops_at_one_is_one_and_says_so(world):
    async with running(world) as it:
        await it.ticks(1)
        await it.change(VARIANT_AUTOSCALINGS, "a100", {"spec": {"minReplicas": 0}})
        numbers = await it.ticks(1)
        said = await it.condition("HPAHealthy")
    assert (numbers, said[:2]) == ([1], ("False", "Clamped"))
    assert 'HPA "a100" has minReplicas 1, above ours, 0' in said[2]


async def test_a_limit_of_the_spec_is_obeyed_at_the_next_tick_and_its_generation_told(world):
    async with running(world, qps=12.0) as it:
        number = (await it.ticks(6))[-1]
        await it.change(VARIANT_AUTOSCALINGS, "a100", {"spec": {"maxReplicas": 2}})
        numbers = await it.ticks(1)
        status = await it.status()
    assert (number > 2, numbers, status["observedGeneration"]) == (True, [2], 2)


async def test_fields_of_a_newer_version_are_read_past_and_stay_where_they_are(world):
    async with running(world) as it:
        newer = {"spec": {"moonPhase": "full"}}
        for resource, name in (
            (VARIANT_AUTOSCALINGS, "a100"),
            (SERVICE_LEVELS, "llama"),
            (CAPACITY_PROFILES, PROFILE),
        ):
            await it.change(resource, name, newer)
        await it.ticks(1)
        found = [
            (await world.get(resource, name))["spec"]["moonPhase"]
            for resource, name in (
                (VARIANT_AUTOSCALINGS, "a100"),
                (SERVICE_LEVELS, "llama"),
                (CAPACITY_PROFILES, PROFILE),
            )
        ]
        assert it.recorder.decisions[-1].view.troubles == ()
    assert found == ["full"] * 3


async def test_what_others_wrote_into_a_status_outlives_ours(world):
    foreign = {"type": "Audited", "status": "True", "reason": "ByHand", "message": ""}
    status = {"moonPhase": "full", "conditions": [foreign]}
    async with running(world) as it:
        for resource, name in ((VARIANT_AUTOSCALINGS, "a100"), (SERVICE_LEVELS, "llama")):
            await world.kube.apply_status(resource, "llm", name, status, manager="auditor")
        await it.ticks(6)
        found = [await it.status(), await it.status(SERVICE_LEVELS, "llama")]
    for each in found:
        assert each["moonPhase"] == "full"
        assert foreign in each["conditions"]
        assert each["decisionID"].startswith("1-")


async def test_what_others_wrote_into_the_status_of_an_object_in_trouble_stays_theirs(world):
    foreign = {"type": "Audited", "status": "True", "reason": "ByHand", "message": ""}
    async with running(world) as it:
        await world.kube.apply_status(
            VARIANT_AUTOSCALINGS, "llm", "a100", {"conditions": [foreign]}, manager="auditor"
        )
        await it.change(VARIANT_AUTOSCALINGS, "a100", {"spec": {"maxReplicas": 0}})
        await it.ticks_without_a_model(2)
        status = await it.status()
    assert foreign in status["conditions"]


async def two_variants(it):
    """Another variant of the model, of a profile of its own."""
    await it.world.profile("own", accelerator="H100-80GB")
    await it.world.variant("b", accelerator="H100-80GB", profileRef={"name": "own"})
    await it.world.pod("b-0", await it.world.deployment("b"))
    await it.seen(
        lambda v: [(t.name, t.n_ready) for t in v.models[0].targets] == [("a100", 1), ("b", 1)]
    )
