"""Counters, restarts, rates, and the mix that they tell."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.shapes import N_BINS, bin_of
from llmd_autoscaler.core.traffic import (
    HISTORY_S,
    PRIOR_OSL_TOKENS,
    SHAPE_HALF_LIFE_S,
    CountSnapshot,
    TrafficMemory,
    traffic_mix,
)
from tests.core.worlds import counted

TICK_S = 15.0


def seen(*totals: float, tick_s: float = TICK_S) -> TrafficMemory:
    """One router, asked every tick."""
    memory = TrafficMemory.empty(1)
    for i, total in enumerate(totals):
        memory = memory.observe({"r": counted(total)}, now_s=i * tick_s)
    return memory


def arrived(memory: TrafficMemory) -> float:
    return float(memory.arrived[-1].sum())


def test_the_first_look_only_sets_the_zero() -> None:
    memory = seen(1000.0)
    assert (arrived(memory), memory.observed_s) == (0.0, 0.0)
    assert memory.rate_qps(60.0).tolist() == [0.0]


def test_the_rate_is_what_came_in_the_window() -> None:
    # 30, then 60, then 90 in 15 s each; the last 30 s hold 150, the last 20 s 90 and a third of 60
    memory = seen(0.0, 30.0, 90.0, 180.0)
    assert memory.rate_qps(30.0)[0] == pytest.approx(5.0)
    assert memory.rate_qps(20.0)[0] == pytest.approx((90 + 20) / 20)


def test_a_window_longer_than_what_was_seen_counts_what_was_seen() -> None:
    assert seen(0.0, 30.0).rate_qps(3600.0)[0] == pytest.approx(2.0)


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), min_size=1, max_size=12
    ),
    tells_its_start=st.booleans(),
)
def test_a_restart_anywhere_loses_at_most_its_window_and_is_never_negative(
    steps: list[tuple[int, int, bool]], tells_its_start: bool
) -> None:
    memory = seen(1000.0)
    total, started_s, now_s = 1000, 0.0, 0.0
    before = 0.0
    for early, late, restarts in steps:
        now_s += TICK_S
        total = late if restarts else total + early + late
        started_s = now_s - 5.0 if restarts and tells_its_start else started_s
        memory = memory.observe({"r": counted(total, started_at_s=started_s)}, now_s=now_s)
        new = arrived(memory) - before
        before = arrived(memory)
        # what came before the restart in this window may be lost; what was told in earlier ones never is
        if not restarts:
            assert new == early + late
        elif tells_its_start:
            assert new == late
        else:
            assert 0 <= new <= early + late + total
        assert new >= 0


def test_a_counter_that_fell_is_a_restart_even_if_its_process_does_not_say_so() -> None:
    assert arrived(seen(1000.0, 1030.0, 20.0)) == 30 + 20


def test_completions_that_fell_are_a_restart_too() -> None:
    before, after = counted(10.0), counted(15.0, n_completed=3.0)
    assert after.since(before) is after


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=8))
def test_two_routers_together_count_as_their_union_would(steps: list[tuple[int, int]]) -> None:
    apart, together = TrafficMemory.empty(2), TrafficMemory.empty(2)
    totals = itertools.accumulate(steps, lambda a, b: (a[0] + b[0], a[1] + b[1]))
    for i, (a, b) in enumerate(totals):
        one = counted(a, n_classes=2, isl=700)
        other = counted(b, n_classes=2, class_index=1, isl=3000, osl=50)
        apart = apart.observe({"one": one, "other": other}, now_s=i * TICK_S)
        together = together.observe({"union": one.plus(other)}, now_s=i * TICK_S)
    assert np.array_equal(apart.arrived, together.arrived)
    assert np.allclose(apart.shapes.completions, together.shapes.completions)
    assert np.allclose(apart.shapes.osl_tokens, together.shapes.osl_tokens)


def test_a_router_that_appears_later_has_counted_nothing_that_was_seen() -> None:
    memory = seen(100.0, 130.0)
    memory = memory.observe({"r": counted(150.0), "new": counted(7.0)}, now_s=30.0)
    assert arrived(memory) == 30 + 20 + 7


def test_a_router_that_was_there_before_and_answers_only_now_sets_its_zero() -> None:
    memory = TrafficMemory.empty(1).observe({"r": counted(5.0)}, now_s=1000.0)
    for now_s, n in ((1015.0, 1_000_000.0), (1030.0, 1_000_008.0)):
        memory = memory.observe({"r": counted(5.0), "late": counted(n)}, now_s=now_s)
    assert arrived(memory) == 8


def test_what_a_router_counted_while_it_was_silent_is_spread_over_that_time() -> None:
    memory = seen(100.0, 130.0)
    memory = memory.observe({"other": counted(4.0)}, now_s=30.0)
    memory = memory.observe({"r": counted(190.0), "other": counted(9.0)}, now_s=45.0)
    # its 60 came in 30 s: half by the tick that it missed, and none is lost
    assert memory.arrived[:, 0].tolist() == [0, 30, 30 + 4 + 30, 30 + 4 + 60 + 5]


def test_a_router_that_was_silent_for_the_whole_history_is_forgotten() -> None:
    memory = seen(100.0)
    for now_s in (15.0, HISTORY_S, HISTORY_S + 30.0):
        memory = memory.observe({"other": counted(now_s)}, now_s=now_s)
    assert list(memory.last) == ["other"]


def test_nobody_asked_changes_nothing() -> None:
    memory = seen(100.0, 130.0)
    assert memory.observe({}, now_s=30.0) is memory


@pytest.mark.parametrize("now_s", [15.0, 3.0])
def test_a_clock_that_does_not_go_forward_is_a_gap(now_s: float) -> None:
    memory = seen(100.0, 130.0).observe({"r": counted(170.0)}, now_s=now_s)
    assert (memory.observed_s, arrived(memory)) == (0.0, 0.0)
    memory = memory.observe({"r": counted(200.0)}, now_s=now_s + TICK_S)
    assert memory.rate_qps(60.0)[0] == pytest.approx(30 / TICK_S)


def test_what_was_learnt_of_shapes_survives_a_gap() -> None:
    memory = seen(100.0, 130.0).observe({"r": counted(170.0)}, now_s=3.0)
    assert memory.shapes.completions.sum() == 30.0


def test_shapes_lose_half_their_weight_in_a_half_life() -> None:
    memory = seen(0.0, 64.0, 64.0, tick_s=SHAPE_HALF_LIFE_S)
    assert memory.shapes.arrivals.sum() == pytest.approx(32.0)


def test_rates_older_than_the_history_are_forgotten() -> None:
    memory = seen(*range(20), tick_s=HISTORY_S / 10)
    assert memory.observed_s == HISTORY_S
    # the series goes on counting from where it was
    assert arrived(memory) == 19


def test_a_snapshot_cannot_be_changed_behind_its_back() -> None:
    snapshot = counted(3.0)
    with pytest.raises(ValueError, match="read-only"):
        snapshot.arrivals[0, 0] = 1.0


def test_the_mix_says_what_was_counted() -> None:
    # 30 of 700 + 100 tokens, 10 of 3000 + 400
    shapes = counted(30.0, isl=700, osl=100).plus(counted(10.0, isl=3000, osl=400))
    mix = traffic_mix(shapes)
    small, large = bin_of(700), bin_of(3000)
    assert (mix.share[0, small], mix.share[0, large]) == (0.75, 0.25)
    assert (mix.isl_tokens[0, small], mix.isl_tokens[0, large]) == (700.0, 3000.0)
    # the class answers 175 tokens in the mean, which counts as ten answers of each cell
    assert mix.osl_tokens[0, small] == pytest.approx((30 * 100 + 10 * 175) / 40)
    assert mix.osl_tokens[0, large] == pytest.approx((10 * 400 + 10 * 175) / 20)


def test_the_square_of_the_answers_is_not_the_square_of_their_mean() -> None:
    mix = traffic_mix(counted(500.0, osl=50).plus(counted(500.0, osl=450)))
    cell = bin_of(1000)
    # E = 250, E of squares = (2500 + 202500) / 2 = 102500
    assert mix.osl_tokens[0, cell] == pytest.approx(250.0)
    assert mix.osl_squared[0, cell] == pytest.approx(102_500.0)


def test_a_class_that_has_answered_nothing_takes_the_prior() -> None:
    mix = traffic_mix(counted(5.0, n_completed=0.0))
    assert mix.osl_tokens[0, bin_of(1000)] == pytest.approx(PRIOR_OSL_TOKENS)
    # of an exponential law: twice the square of the mean
    assert mix.osl_squared[0, bin_of(1000)] == pytest.approx(2 * PRIOR_OSL_TOKENS**2)
    # and the prompt is what was estimated at arrival
    assert mix.isl_tokens[0, bin_of(1000)] == 1000.0


def test_nothing_seen_gives_no_shares_and_no_nan() -> None:
    mix = traffic_mix(CountSnapshot.zero(2))
    assert mix.share.sum() == 0.0
    assert all(np.isfinite(a).all() for a in (mix.isl_tokens, mix.osl_tokens, mix.hit_frac))
    # an empty cell stands at its middle: the geometric one of its edges, 32 in the first
    assert mix.isl_tokens[0, 0] == 32.0


def test_the_hit_fraction_is_of_prompt_tokens() -> None:
    # a quarter of 10 x 1000 prompt tokens
    hits = np.zeros((1, N_BINS, N_BINS))
    hits[0, bin_of(1000), bin_of(200)] = 2500.0
    shapes = dataclasses.replace(counted(10.0), hit_tokens=hits)
    assert traffic_mix(shapes).hit_frac[0, bin_of(1000)] == pytest.approx(0.25)
