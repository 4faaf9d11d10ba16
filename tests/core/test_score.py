"""Scores: one definition each."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.score import (
    Answers,
    ScalingEvent,
    attained,
    attained_frac,
    attainment,
    gpu_hours,
    keeps_slo,
    minutes_below,
    n_bad_minutes,
    reversals,
    strain,
)
from llmd_autoscaler.core.slo import Bounds, QosClass, Timing, missed_bound
from tests.core.worlds import INTERACTIVE, RELAXED

CLASSES = (
    QosClass("a", 1, 0.9, Bounds(1.0, 0.001, 0.1, 9.0)),
    QosClass("b", 1, 0.9, Bounds(deadline_s=5.0)),
    QosClass("c", 1, 0.9, Bounds(tpot_max_s=0.25, e2e_max_s=7.5)),
)
# Multiples of a quarter are exact in floats, so that bounds are met to the bit.
TIMES = st.integers(0, 40).map(lambda n: n / 4)
REQUESTS = st.tuples(
    st.integers(0, 2),
    TIMES,
    TIMES,
    TIMES | st.just(math.inf),
    st.sampled_from([1, 250, 1000, 4000]),
    st.sampled_from([1, 2, 5, 21]),
)


def answers(rows: list[tuple[int, float, float, float, int, int]]) -> Answers:
    """(class, arrival, TTFT, from the first token to the last, ISL, OSL); infinite: no last token."""
    return Answers(
        at_s=np.array([r[1] for r in rows]),
        class_of=np.array([r[0] for r in rows], dtype=np.int64),
        isl=np.array([r[4] for r in rows], dtype=np.int64),
        osl=np.array([r[5] for r in rows], dtype=np.int64),
        first_s=np.array([r[1] + r[2] for r in rows]),
        last_s=np.array([r[1] + r[2] + r[3] for r in rows]),
    )


@given(st.lists(REQUESTS, min_size=1, max_size=30))
def test_all_at_once_are_judged_as_each_alone(
    rows: list[tuple[int, float, float, float, int, int]],
) -> None:
    found = attained(CLASSES, answers(rows))
    for (c, at_s, ttft_s, more_s, isl, osl), flag in zip(rows, found, strict=True):
        timing = Timing(at_s, at_s + ttft_s, at_s + ttft_s + more_s, isl, osl)
        alone = more_s < math.inf and missed_bound(CLASSES[c].bounds, timing) == ""
        assert bool(flag) == alone


def test_attainment_counts_the_unanswered_as_missed() -> None:
    rows = [(1, 0.0, 1.0, 1.0, 10, 5)] * 3 + [(1, 0.0, 1.0, math.inf, 10, 5)]
    found = attainment(CLASSES, answers(rows))
    assert found[1] == 0.75
    assert math.isnan(found[0])


def test_a_first_token_without_a_last_is_not_completed() -> None:
    assert answers([(0, 0.0, 1.0, math.inf, 10, 5)]).is_completed.tolist() == [False]


def test_the_requests_since_a_position_are_the_later_ones() -> None:
    rows = [(0, 0.0, 1.0, 1.0, 10, 5), (1, 2.0, 1.0, 1.0, 10, 5)]
    assert answers(rows).since(1).class_of.tolist() == [1]


def test_an_slo_holds_at_its_percentile_and_without_requests() -> None:
    assert keeps_slo((INTERACTIVE, RELAXED), np.array([0.95, math.nan]))
    assert not keeps_slo((INTERACTIVE, RELAXED), np.array([0.949, 1.0]))


def test_minutes_are_counted_by_arrival_in_each_class() -> None:
    good, bad = (1.0, 1.0, 10, 5), (1.0, 6.0, 10, 5)  # class b must end within 5 s
    rows = [(1, 0.0, *good), (1, 30.0, *bad), (1, 70.0, *good), (1, 190.0, *bad), (0, 0.0, *good)]
    # minute 0 half, minute 1 whole, minute 2 nobody, minute 3 none
    assert minutes_below(CLASSES, answers(rows), frac=0.9)[1] == 2
    assert minutes_below(CLASSES, answers(rows), frac=0.5)[1] == 1


def test_gpu_hours_count_within_the_scored_interval_only() -> None:
    # from 0 to 3600 s: the first whole, the second its last half, the third not at all; four GPUs each
    spans = [(-100.0, 9000.0, 4), (1800.0, 3600.0, 4), (3700.0, 9000.0, 4), (-50.0, -10.0, 4)]
    assert gpu_hours(spans, first_s=0.0, last_s=3600.0) == 6.0


@pytest.mark.parametrize(
    ("numbers", "n"),
    [
        ([(0, 3, 4), (599, 4, 3)], 1),
        ([(0, 3, 4), (601, 4, 3)], 0),
        ([(0, 3, 4), (100, 4, 6)], 0),
        ([(0, 3, 4), (100, 4, 2), (200, 2, 3)], 2),
        ([], 0),
    ],
)
def test_a_reversal_goes_back_on_the_event_before_within_ten_minutes(
    numbers: list[tuple[float, int, int]], n: int
) -> None:
    assert reversals([ScalingEvent(*each) for each in numbers]) == n


def test_all_classes_together_are_weighted_by_their_requests() -> None:
    # class b has one bound, 5 s from arrival to the last token: 3 of 4 meet it
    rows = [(1, 0.0, 1.0, 1.0, 1, 1)] * 3 + [(1, 0.0, 1.0, 9.0, 1, 1)]
    assert attained_frac(CLASSES, answers(rows)) == 0.75
    assert math.isnan(attained_frac(CLASSES, answers([])))


@pytest.mark.parametrize(
    ("attained_by_class", "expected"),
    [
        # (1 - 0.995) / (1 - 0.99) and (1 - 0.90) / (1 - 0.95): the worse one counts
        ((0.995, 1.0), 0.5),
        ((0.995, 0.90), 2.0),
        ((1.0, 1.0), 0.0),
        ((math.nan, 0.95), 1.0),
    ],
)
def test_strain_is_misses_against_those_allowed(attained_by_class, expected) -> None:
    classes = (QosClass("a", 1, 0.99, Bounds()), QosClass("b", 1, 0.95, Bounds()))
    found = strain(classes, np.array(attained_by_class))
    assert found == pytest.approx(expected)


def test_a_percentile_of_a_hundred_allows_no_miss() -> None:
    strict = QosClass("strict", 1, 1.0, Bounds(e2e_max_s=1.0))
    assert strain((strict,), np.array([0.999])) == math.inf
    assert strain((strict,), np.array([1.0])) == 0.0


def test_a_minute_is_bad_when_its_arrivals_of_all_classes_together_miss_too_often() -> None:
    # minute 0: 19 of 20 attain, which is 95 %; minute 1: 18 of 20; minute 2 is empty; minute 3: none of one
    good, bad = (1, 0.0, 1.0, 1.0, 1, 1), (1, 0.0, 1.0, 9.0, 1, 1)
    rows = [good] * 19 + [bad]
    rows += [(1, 60.0, *good[2:])] * 18 + [(1, 60.0, *bad[2:])] * 2
    rows += [(1, 180.0, *bad[2:])]
    assert n_bad_minutes(CLASSES, answers(rows), frac=0.95) == 2
    assert n_bad_minutes(CLASSES, answers([]), frac=0.95) == 0
