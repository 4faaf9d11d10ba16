"""Limits that people change for a time, through annotations of an object in use."""

import json

from tests.controller.conftest import NOW_S
from tests.inputs.running import TICK_S, running

# NOW_S is 2023-11-14T22:13:20Z, a Tuesday: 23:13:20 in Berlin
A_MINUTE_ON = "2023-11-14T22:14:20Z"
AGREE = "the HPA's own minReplicas and maxReplicas must allow it, or it clamps"
EVENING = {
    "days": "Tue",
    "from": "23:00",
    "to": "23:15",
    "timezone": "Europe/Berlin",
    "min": 4,
}


async def test_a_minimum_by_annotation_holds_at_the_next_tick_and_says_until_when(world):
    async with running(world) as it:
        await it.ticks(5)
        await it.annotate(min_replicas="4")
        assert await it.ticks(1) == [4]
        assert await it.condition("OverrideActive") == (
            "True",
            "Override",
            f"minReplicas 4 instead of 1 until the annotation is removed; {AGREE}",
        )


async def test_a_maximum_by_annotation_holds_at_once(world):
    async with running(world, qps=12.0) as it:
        numbers = await it.ticks(6)
        await it.annotate(max_replicas="2")
        assert numbers[-1] > 2
        assert await it.ticks(1) == [2]


async def test_an_override_that_has_ended_no_longer_holds_and_says_so(world):
    async with running(world) as it:
        await it.annotate(min_replicas="4", override_until=A_MINUTE_ON)
        # ticks at 0, 15, 30 and 45 s, and one at 60 s, when it is over
        numbers = await it.ticks(4)
        during = await it.condition("OverrideActive")
        await it.ticks(1)
        after = await it.condition("OverrideActive")
        assert numbers == [4, 4, 4, 4]
        assert during[:2] == ("True", "Override")
        assert f"until {A_MINUTE_ON}" in during[2]
        assert after == (
            "False",
            "Expired",
            f"minReplicas 4 instead of 1 ended at {A_MINUTE_ON}; remove the annotations",
        )


async def test_a_number_that_an_override_had_raised_is_let_go_only_after_a_full_window(world):
    async with running(world) as it:
        # it ends at 120 s
        await it.annotate(min_replicas="4", override_until="2023-11-14T22:15:20Z")
        numbers = await it.ticks(24)
    # last wanted at the tick of 105 s, and let go 240 s later: at 345 s, the 24th
    assert numbers == [4] * 23 + [1]


async def test_an_annotation_that_is_removed_leaves_no_condition(world):
    async with running(world) as it:
        await it.annotate(min_replicas="2")
        await it.ticks(1)
        await it.annotate(min_replicas=None)
        await it.ticks(1)
        assert await it.condition("OverrideActive") is None


async def test_a_wrong_override_is_ignored_and_told_and_the_object_goes_on(world):
    async with running(world) as it:
        await it.ticks(1)
        await it.annotate(min_replicas="many")
        assert await it.ticks(1) == [1]
        assert await it.condition("OverrideActive") == (
            "False",
            "Invalid",
            'ignored: autoscaling.llmd.ai/min-replicas: found "many"; write a whole number, 1 or more',
        )
        assert (await it.status())["decisionID"] == "1-2"
        events = [(e["type"], e["reason"]) for e in await world.events()]
        assert ("Warning", "Invalid") in events


async def test_a_schedule_holds_from_its_begin_to_its_end_by_the_clock_of_its_zone(world):
    async with running(world) as it:
        await it.annotate(schedule=json.dumps([EVENING]))
        # 23:15:00 in Berlin is 100 s on: the ticks at 0 to 90 s are within, that at 105 s is not
        numbers = await it.ticks(7)
        during = await it.condition("OverrideActive")
        await it.ticks(1)
        after = await it.condition("OverrideActive")
    assert numbers == [4] * 7
    assert during[:2] == ("True", "Schedule")
    assert "(Tue 23:00 to 23:15 Europe/Berlin) until 2023-11-14T22:15:00Z" in during[2]
    assert after == (
        "False",
        "Waiting",
        "minReplicas 4 instead of 1 (Tue 23:00 to 23:15 Europe/Berlin) begins at 2023-11-21T22:00:00Z",
    )


async def test_a_wrong_schedule_does_not_take_the_object_away(world):
    async with running(world) as it:
        await it.annotate(schedule=json.dumps([EVENING | {"timezone": "Mars/Olympus"}]))
        await it.ticks(1)
        said = await it.condition("OverrideActive")
    assert said[:2] == ("False", "Invalid")
    assert 'schedule[0].timezone: found "Mars/Olympus"' in said[2]


async def test_a_paused_object_keeps_its_number_and_says_so_whatever_else_is_known(world):
    async with running(world, n_ready=3) as it:
        await it.ticks(1)
        await it.pause()
        assert await it.ticks(1) == [3]
        # no minute of traffic was seen yet, and that is not the whole reason
        said = await it.condition("OptimizationReady")
        assert said[1] == "Paused"
        assert said[2].startswith("paused at 3; ")


async def test_a_paused_object_does_not_follow_its_demand(world):
    async with running(world, qps=12.0) as it:
        await it.pause()
        assert await it.ticks(8) == [1] * 8
        said = await it.condition("OptimizationReady")
        assert said[:2] == ("True", "Paused")
        assert "would want" in said[2]


async def test_an_override_does_not_move_a_paused_object(world):
    async with running(world) as it:
        await it.pause()
        await it.annotate(min_replicas="4")
        assert await it.ticks(2) == [1, 1]


async def test_a_paused_object_without_an_instance_is_never_published_as_nought(world):
    async with running(world, n_ready=0) as it:
        await it.pause()
        assert await it.ticks(1) == [1]
        assert (await it.status())["desiredReplicas"] == 1


async def test_the_time_of_an_override_is_that_of_the_tick(world):
    async with running(world) as it:
        it.now_s = NOW_S - 2 * TICK_S
        await it.annotate(min_replicas="4", override_until="2023-11-14T22:13:05Z")
        # ticks at -30 s and -15 s: the end is at -15 s
        await it.ticks(1)
        before = await it.condition("OverrideActive")
        await it.ticks(1)
        after = await it.condition("OverrideActive")
    assert [before[1], after[1]] == ["Override", "Expired"]
