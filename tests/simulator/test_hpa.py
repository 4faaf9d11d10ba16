"""Rows named "measured" are those of the table of HPA facts, measured on Kubernetes 1.37.2."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.simulator.hpa import (
    Goal,
    HpaSpec,
    Metric,
    MetricSpec,
    Scale,
    Source,
    desired_replicas,
)
from llmd_autoscaler.simulator.hpa_behavior import (
    Behavior,
    History,
    Policy,
    PolicyKind,
    Rules,
    Select,
)
from llmd_autoscaler.simulator.quantity import milli

ONE = 1000  # thousandths
FREE = (Policy(PolicyKind.PODS, 1000, 15.0),)
EXACT = Behavior(up=Rules(0.0, FREE, tolerance=0.0), down=Rules(0.0, FREE, tolerance=0.0))
LOOSE = Behavior(up=Rules(0.0, FREE), down=Rules(0.0, FREE))  # the default tolerance of 0.1
NOW_S = 1_700_000_000.0


def spec(**changes):
    base = HpaSpec(min_replicas=1, max_replicas=60, metrics=(MetricSpec(ONE),), behavior=EXACT)
    return replace(base, **changes)


def period(hpa, current, value, history=None, at_s=NOW_S):
    """One evaluation with one Object metric; a value of None cannot be read."""
    metric = Metric(failure="404") if value is None else Metric((milli(value),))
    scale = current if isinstance(current, Scale) else Scale.steady(current)
    return desired_replicas(hpa, scale, [metric], history or History(), at_s)


def condition(result, kind):
    return next(found for found in result.conditions if found.type == kind)


def followed(hpa, current, values, period_s=15.0):
    """The replicas after each period, fully started each time."""
    history, found = History(), []
    for n, value in enumerate(values):
        result = period(hpa, current, value, history, NOW_S + n * period_s)
        current, history = result.replicas, result.history
        found.append(current)
    return found


@given(st.integers(1, 60), st.integers(1, 60))
def test_measured_with_tolerance_nought_it_lands_on_exactly_n(current, wanted):
    assert period(spec(), current, str(wanted)).replicas == wanted


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        *((n, n + 1) for n in range(10, 31)),
        *((n, n - 1) for n in range(10, 31)),
        (20, 18),
        (20, 22),
        (30, 28),
        (30, 32),
    ],
)
def test_measured_the_default_tolerance_swallows_small_steps(current, wanted):
    assert period(spec(behavior=LOOSE), current, str(wanted)).replicas == current


@pytest.mark.parametrize(
    ("current", "wanted"), [(5, 6), (9, 10), (9, 8), (10, 12), (15, 17), (19, 17)]
)
def test_measured_the_default_tolerance_lets_larger_steps_through(current, wanted):
    # all differ by more than a tenth: 10/9 = 1.11, 8/9 = 0.89, 17/15 = 1.13, 17/19 = 0.895
    assert period(spec(behavior=LOOSE), current, str(wanted)).replicas == wanted


@pytest.mark.parametrize(
    ("value", "replicas"),
    [("2500m", 3), ("2001m", 3), ("1999m", 2), ("6.5", 7), ("8.0000001", 9)],
)
def test_measured_a_fraction_is_rounded_up(value, replicas):
    assert period(spec(), 1, value).replicas == replicas


def test_measured_a_value_target_runs_away_to_the_maximum():
    hpa = spec(metrics=(MetricSpec(ONE, goal=Goal.VALUE),))
    # metric 2, target 1: each period doubles what is ready
    assert followed(hpa, 4, ["2"] * 5) == [8, 16, 32, 60, 60]


def test_a_value_target_counts_ready_pods_only():
    hpa = spec(metrics=(MetricSpec(ONE, goal=Goal.VALUE),))
    assert period(hpa, Scale(4, 4, n_ready=1), "2").replicas == 2  # ceil(2 x 1)


def test_measured_without_behavior_it_doubles_once_a_period():
    assert followed(spec(behavior=None), 2, ["40"] * 6) == [4, 8, 16, 32, 40, 40]


def test_measured_nought_goes_to_nought_where_the_minimum_allows():
    result = period(spec(min_replicas=0), 3, "0")
    assert result.replicas == 0
    assert condition(result, "ScaledToZero").is_true


@pytest.mark.parametrize(("value", "replicas"), [("3", 3), ("500m", 1), ("0", 0)])
def test_measured_at_nought_by_its_own_hand_it_wakes(value, replicas):
    history = period(spec(min_replicas=0), 3, "0").history
    result = period(spec(min_replicas=0), 0, value, history, NOW_S + 15)
    assert result.replicas == replicas
    assert condition(result, "ScaledToZero").is_true is (replicas == 0)


def test_measured_it_wakes_after_a_restart_because_the_condition_is_the_memory():
    assert period(spec(min_replicas=0), 0, "3", History(is_scaled_to_zero=True)).replicas == 3


def test_measured_nought_by_another_hand_never_wakes():
    result = period(spec(min_replicas=0), 0, "3")
    assert result.replicas == 0
    assert condition(result, "ScalingActive").reason == "ScalingDisabled"


def test_measured_nought_is_off_where_the_minimum_is_above():
    assert period(spec(), 0, "3", History(is_scaled_to_zero=True)).replicas == 0


def test_somebody_who_raises_it_from_nought_ends_the_memory_of_nought():
    history = period(spec(min_replicas=0), 3, "0").history
    raised = period(spec(min_replicas=0), 2, "2", history, NOW_S + 15)
    assert period(spec(min_replicas=0), 0, "3", raised.history, NOW_S + 30).replicas == 0


@pytest.mark.parametrize("min_replicas", [0, 1])
def test_measured_a_metric_that_is_missing_freezes(min_replicas):
    result = period(spec(min_replicas=min_replicas), 5, None)
    assert result.replicas == 5
    assert condition(result, "ScalingActive").reason == "FailedGetObjectMetric"
    assert "404" in condition(result, "ScalingActive").message


@pytest.mark.parametrize("items", [(), (ONE, ONE)], ids=["none", "two"])
def test_measured_an_object_metric_with_none_or_two_items_freezes(items):
    result = desired_replicas(spec(), Scale.steady(5), [Metric(items)], History(), NOW_S)
    assert result.replicas == 5
    assert not condition(result, "ScalingActive").is_true


def test_measured_a_negative_metric_goes_to_the_minimum():
    result = period(spec(min_replicas=2), 5, "-3")
    assert result.replicas == 2
    assert condition(result, "ScalingLimited").reason == "TooFewReplicas"


@pytest.mark.parametrize(
    ("source", "value", "min_replicas", "replicas"),
    [
        (Source.OBJECT, 2**31 - 1, 1, 60),
        (Source.OBJECT, 2**31, 1, 1),
        (Source.OBJECT, 2**31, 0, 0),
        (Source.EXTERNAL, 2**31, 1, 60),
    ],
)
def test_measured_an_object_metric_overflows_at_two_to_the_31(
    source, value, min_replicas, replicas
):
    hpa = spec(min_replicas=min_replicas, metrics=(MetricSpec(ONE, source=source),))
    assert period(hpa, 5, str(value)).replicas == replicas


@pytest.mark.parametrize(
    ("first", "second", "replicas"),
    [
        ("4", "7", 7),  # the maximum wins
        ("7", "4", 7),
        (str(2**31), "4", 4),  # the overflowing one is ignored
        (None, "7", 7),  # one fails: up is allowed
        (None, "3", 5),  # down is not
    ],
)
def test_measured_of_two_metrics(first, second, replicas):
    hpa = spec(metrics=(MetricSpec(ONE), MetricSpec(ONE)))
    metrics = [Metric(failure="404") if v is None else Metric((milli(v),)) for v in (first, second)]
    assert desired_replicas(hpa, Scale.steady(5), metrics, History(), NOW_S).replicas == replicas


def test_measured_items_of_an_external_metric_are_summed():
    hpa = spec(metrics=(MetricSpec(ONE, source=Source.EXTERNAL),))
    result = desired_replicas(hpa, Scale.steady(1), [Metric((4000,) * 3)], History(), NOW_S)
    assert result.replicas == 12


def test_an_average_value_compares_with_the_pods_that_are_there():
    # 9 of 10 exist: 10 / 9 = 1.11 is outside of a tenth, so the ceiling of the metric is taken
    assert period(spec(behavior=LOOSE), Scale(9, 9, 3), "10").replicas == 10


@pytest.mark.parametrize(("current", "replicas"), [(70, 60), (1, 4)])
def test_outside_of_the_limits_it_returns_to_them_without_a_metric(current, replicas):
    assert period(spec(min_replicas=4), current, None).replicas == replicas


def test_tolerances_of_the_two_directions_differ():
    behavior = Behavior(up=Rules(0.0, FREE, tolerance=0.0), down=Rules(0.0, FREE, tolerance=0.5))
    assert period(spec(behavior=behavior), 10, "11").replicas == 11
    assert period(spec(behavior=behavior), 10, "6").replicas == 10


def test_without_behavior_down_waits_until_the_highest_of_five_minutes_is_past():
    # at 0 s the recommendation of 10 (the count it found) is noted; it holds for 300 s = 20 periods
    found = followed(spec(behavior=None), 10, ["4"] * 22)
    assert found[:20] == [10] * 20
    assert found[21] == 4


def test_a_down_window_takes_the_highest_recommendation_within_it():
    behavior = Behavior(up=EXACT.up, down=Rules(60.0, FREE, tolerance=0.0))
    # 15 s apart; 8 was seen at 15 s and leaves the window of 60 s at 75 s
    assert followed(spec(behavior=behavior), 8, ["8", "8", "3", "3", "3", "3", "3"]) == [
        8,
        8,
        8,
        8,
        8,
        3,
        3,
    ]


def test_an_up_window_takes_the_lowest_recommendation_within_it():
    behavior = Behavior(up=Rules(30.0, FREE, tolerance=0.0), down=EXACT.down)
    # 4 was seen at 0 s and leaves the window of 30 s at 30 s
    assert followed(spec(behavior=behavior), 4, ["4", "9", "9", "9"]) == [4, 4, 9, 9]


@pytest.mark.parametrize(
    ("select", "counts"),
    [
        # from 10, at most 4 pods or 100 % in 15 s
        (Select.MAX, [20, 40, 50]),
        (Select.MIN, [14, 18, 22]),
        (Select.DISABLED, [10, 10, 10]),
    ],
)
def test_policies_bound_the_way_up(select, counts):
    policies = (Policy(PolicyKind.PODS, 4, 15.0), Policy(PolicyKind.PERCENT, 100, 15.0))
    behavior = Behavior(up=Rules(0.0, policies, select, 0.0), down=EXACT.down)
    assert followed(spec(behavior=behavior), 10, ["50"] * 3) == counts


@pytest.mark.parametrize(
    ("select", "counts"),
    [
        # from 20, at most 4 pods or 50 % in 15 s: 20 -> 10 -> 5 -> min(5 - 4, 2.5 cut to 2)
        (Select.MAX, [10, 5, 1]),
        # the least change: 4 pods until half of what is left is less: 12 -> 8, 8 - 4 = 8/2
        (Select.MIN, [16, 12, 8]),
        (Select.DISABLED, [20, 20, 20]),
    ],
)
def test_policies_bound_the_way_down(select, counts):
    policies = (Policy(PolicyKind.PODS, 4, 15.0), Policy(PolicyKind.PERCENT, 50, 15.0))
    behavior = Behavior(up=EXACT.up, down=Rules(0.0, policies, select, 0.0))
    assert followed(spec(behavior=behavior), 20, ["1"] * 3) == counts


def test_a_policy_counts_what_was_added_in_its_period():
    policies = (Policy(PolicyKind.PODS, 3, 60.0),)
    behavior = Behavior(up=Rules(0.0, policies, tolerance=0.0), down=EXACT.down)
    # 3 at 0 s, then nothing until 60 s have passed
    assert followed(spec(behavior=behavior), 1, ["9"] * 6) == [4, 4, 4, 4, 7, 7]


def test_a_policy_that_holds_says_so():
    policies = (Policy(PolicyKind.PODS, 1, 15.0),)
    behavior = Behavior(up=Rules(0.0, policies, tolerance=0.0), down=EXACT.down)
    assert (
        condition(period(spec(behavior=behavior), 1, "9"), "ScalingLimited").reason
        == "ScaleUpLimit"
    )


@given(st.integers(1, 100), st.integers(-5, 200), st.integers(0, 20), st.integers(20, 60))
def test_it_never_leaves_its_limits(current, wanted, least, most):
    hpa = spec(min_replicas=least, max_replicas=most)
    assert least <= period(hpa, current, str(wanted)).replicas <= most


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_the_memory_of_an_hpa_does_not_grow(values):
    history, current = History(), 1
    for n, value in enumerate(values):
        result = period(spec(), current, str(value), history, NOW_S + 15 * n)
        current, history = result.replicas, result.history
    # windows of 0 s, policies of 15 s: the last of each is all that can matter
    assert len(history.recommendations) + len(history.added) + len(history.removed) <= 4
