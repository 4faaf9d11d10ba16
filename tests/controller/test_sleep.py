"""When a model may be at 0 as a whole, and that one request is enough to wake it."""

import dataclasses

import pytest

from llmd_autoscaler.controller.ports import ModelCounts, ModelKey, ModelView
from llmd_autoscaler.controller.sleep import Rest, floored
from tests.core.worlds import INTERACTIVE, counted, target

IDLE_S = 300.0


def view(*targets, is_asleep=False, fewest=0):
    return ModelView(
        ModelKey("llm", "one"),
        "one",
        (INTERACTIVE,),
        targets or (target(limits=(0, 10)),),
        min_instances=fewest,
        idle_after_s=IDLE_S,
        is_asleep=is_asleep,
    )


def router(n_arrived, *, started_at_s=0.0):
    counts = dataclasses.replace(counted(n_arrived), started_at_s=started_at_s)
    return ModelCounts("router", {"r": counts})


def rested(of, *looks):
    """What is remembered after looks at (time, counts)."""
    rest = Rest.fresh(of, now_s=0.0)
    for now_s, counts in looks:
        rest = rest.observe(counts, now_s=now_s)
    return rest


def fewest(of, rest, now_s):
    return [each.min_instances for each in floored(of, rest, now_s=now_s, window_s=0.0)]


def test_a_model_sleeps_after_its_idle_time_without_a_request():
    of = view()
    rest = rested(of, (0.0, router(5)), (299.0, router(5)))
    assert (fewest(of, rest, 299.0), fewest(of, rest, 300.0)) == ([1], [0])


def test_the_window_in_which_zero_must_be_wanted_is_within_the_idle_time():
    of = view()
    rest = rested(of, (0.0, router(5)), (15.0, router(5)))
    floors = [
        [each.min_instances for each in floored(of, rest, now_s=now_s, window_s=240.0)]
        for now_s in (59.0, 60.0)
    ]
    assert floors == [[1], [0]]


def test_an_idle_time_shorter_than_the_window_does_not_keep_a_request_from_waking():
    of = dataclasses.replace(view(is_asleep=True), idle_after_s=60.0)
    awake = rested(of, (0.0, router(5)), (15.0, router(6)))
    (woken,) = floored(of, awake, now_s=15.0, window_s=240.0)
    assert woken.min_instances == 1


def test_each_request_begins_the_idle_time_anew():
    of = view()
    rest = rested(of, (0.0, router(5)), (290.0, router(6)))
    assert (fewest(of, rest, 580.0), fewest(of, rest, 590.0)) == ([1], [0])


def test_one_request_wakes_it_at_the_next_look():
    of = view(is_asleep=True)
    asleep = rested(of, (0.0, router(5)), (15.0, router(5)))
    awake = asleep.observe(router(6), now_s=30.0)
    assert (fewest(of, asleep, 15.0), fewest(of, awake, 30.0)) == ([0], [1])


def test_a_controller_that_starts_anew_lets_a_model_sleep_on():
    of = view(is_asleep=True)
    assert fewest(of, rested(of, (0.0, router(5))), 0.0) == [0]


def test_a_controller_that_starts_anew_puts_nothing_to_sleep_at_once():
    of = view()
    assert fewest(of, rested(of, (0.0, router(5))), 15.0) == [1]


def test_a_router_that_started_anew_is_no_request_until_it_counts_one():
    of = view(is_asleep=True)
    again = rested(of, (0.0, router(5)), (15.0, router(0, started_at_s=10.0)))
    counted_one = again.observe(router(1, started_at_s=10.0), now_s=30.0)
    assert (fewest(of, again, 15.0), fewest(of, counted_one, 30.0)) == ([0], [1])


@pytest.mark.parametrize(
    "nothing", [ModelCounts("router", {}), ModelCounts("vllm-histograms", {"p": counted(1)})]
)
def test_nothing_falls_asleep_while_no_router_is_heard(nothing):
    of = view()
    assert fewest(of, rested(of, (0.0, router(5)), (900.0, nothing)), 900.0) == [1]


def test_what_sleeps_is_not_woken_by_a_router_that_is_silent():
    of = view(is_asleep=True)
    silent = ModelCounts("router", {})
    fell_asleep_before = rested(of, (0.0, router(5)), (900.0, silent))
    fell_asleep_here = dataclasses.replace(fell_asleep_before, last_arrival_s=10.0)
    assert fewest(of, fell_asleep_before, 900.0) == fewest(of, fell_asleep_here, 900.0) == [0]


def test_what_a_router_counted_while_it_was_not_heard_wakes_too():
    of = view(is_asleep=True)
    silent = (15.0, ModelCounts("router", {}))
    assert fewest(of, rested(of, (0.0, router(5)), silent, (30.0, router(6))), 30.0) == [1]


def test_a_target_that_must_not_be_at_zero_keeps_its_model_awake():
    of = view(target("a", limits=(1, 10)), target("b", limits=(0, 10)))
    assert fewest(of, rested(of, (0.0, router(5))), 900.0) == [1, 0]


def test_a_model_that_is_never_to_sleep_keeps_one_where_most_run():
    a, b = target("a", limits=(0, 10), n_ready=1), target("b", limits=(0, 10), n_ready=3)
    of = view(a, b, fewest=1)
    assert fewest(of, rested(of, (0.0, router(5))), 9000.0) == [0, 1]


def test_the_fewest_of_a_model_are_shared_out_within_the_most_of_each():
    a, b = target("a", limits=(0, 2), n_ready=2), target("b", limits=(0, 10), n_ready=1)
    of = view(a, b, fewest=5)
    assert fewest(of, rested(of, (0.0, router(5))), 0.0) == [2, 3]
