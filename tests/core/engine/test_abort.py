"""Requests whose client has left."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from tests.core.engine.test_steps import ask, engine


def test_one_that_waits_is_gone_at_once() -> None:
    it = engine(max_num_seqs=1)
    ask(it, 0.0, 100, 50)
    waiting = ask(it, 0.0, 100, 50)
    it.advance(0.2)
    it.abort(waiting, now_s=0.2)
    assert it.is_finished(waiting)
    assert it.timings(waiting).last_token_s == 0.2
    assert it.timings(waiting).scheduled_s == math.inf
    assert it.snapshot().n_waiting == 0


def test_those_behind_one_that_left_the_queue_keep_their_order() -> None:
    it = engine(max_num_seqs=1)
    ask(it, 0.0, 100, 10)
    second, third, fourth = (ask(it, 0.0, 10, 2) for _ in range(3))
    it.abort(second, now_s=0.0)
    it.advance(5.0)
    assert it.timings(third).last_token_s <= it.timings(fourth).scheduled_s < math.inf


def test_one_behind_the_head_of_the_queue_may_leave_too() -> None:
    it = engine(max_num_seqs=1)
    first, second, third = (ask(it, 0.0, 10, 2) for _ in range(3))
    it.abort(third, now_s=0.0)
    it.advance(5.0)
    assert it.timings(second).scheduled_s == it.timings(first).last_token_s
    assert it.timings(third).scheduled_s == math.inf


def test_one_that_fits_enters_soon_after_the_one_before_it_that_did_not_has_left() -> None:
    it = engine(kv_tokens=1300)
    ask(it, 0.0, 100, 900)
    large, small = ask(it, 0.0, 300, 10), ask(it, 0.0, 10, 2)
    # the first one's steps end at 30 ms and every 21 ms: 240 ms after the start the tenth decode is over
    it.advance(0.231)
    it.abort(large, now_s=0.231)
    it.advance(1.0)
    # the step that runs ends at 240 ms, the one after it is scheduled already and ends at 261
    assert it.timings(small).scheduled_s == pytest.approx(0.261)


def test_one_that_is_being_prefilled_ends_with_its_first_token() -> None:
    it = engine(max_num_batched_tokens=64)
    request = ask(it, 0.0, 150, 500)
    it.advance(0.010)
    it.abort(request, now_s=0.010)
    it.advance(1.0)
    timings = it.timings(request)
    assert timings.first_token_s == timings.last_token_s == pytest.approx(0.075)
    assert (it.snapshot().n_running, it.snapshot().kv_used_tokens, it.wake_s) == (0, 0, math.inf)


def test_one_that_decodes_ends_with_the_step_that_was_scheduled_already() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 500)
    it.advance(0.060)
    it.abort(request, now_s=0.060)
    it.advance(9.0)
    # steps end at 30, 51, 72, 93 ms: the one that ends at 93 was scheduled when that at 51 ended
    assert it.stamps(request, 0, until_s=9.0) == pytest.approx([0.030, 0.051, 0.072, 0.093])
    assert (it.snapshot().n_running, it.wake_s) == (0, math.inf)


def test_the_memory_of_one_that_left_admits_another() -> None:
    it = engine(kv_tokens=1000)
    first, second = ask(it, 0.0, 100, 800), ask(it, 0.0, 100, 800)
    it.advance(0.060)
    it.abort(first, now_s=0.060)
    it.advance(0.2)
    assert it.timings(second).scheduled_s == it.timings(first).last_token_s


def test_one_that_was_about_to_end_ends_as_it_would_have() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 3)
    it.advance(0.060)
    it.abort(request, now_s=0.060)
    it.advance(9.0)
    assert it.timings(request).last_token_s == pytest.approx(0.072)


def test_one_that_has_ended_stays_as_it_was() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 2)
    it.advance(1.0)
    before = it.timings(request)
    it.abort(request, now_s=1.0)
    assert it.timings(request) == before


@given(
    rows=st.lists(
        st.tuples(
            st.floats(0.0, 0.5),  # seconds after the one before
            st.integers(1, 300),
            st.integers(1, 60),
            st.none() | st.floats(0.0, 2.0),  # patience in seconds
        ),
        min_size=1,
        max_size=15,
    ),
    max_num_seqs=st.sampled_from([1, 2, 64]),
    kv_tokens=st.sampled_from([400, 5000]),
)
def test_whoever_leaves_whenever_the_others_get_every_token_and_nothing_stays_behind(
    rows: list[tuple[float, int, int, float | None]], max_num_seqs: int, kv_tokens: int
) -> None:
    step = StepModel(0.0213, 0.0011, 1.7e-4, 9.1e-7, 2.9e-9)
    profile = EngineProfile(step, FrontEnd(0.006, 1e-6, 0.003, 0.002), kv_tokens, 128, max_num_seqs)
    it = Engine(profile, now_s=0.0)
    at_s = 0.0
    # (time, whether it leaves, row): an arrival comes before a departure at the same time
    events: list[tuple[float, bool, int]] = []
    for i, (gap_s, _, _, patience_s) in enumerate(rows):
        at_s += gap_s
        events.append((at_s, False, i))
        if patience_s is not None:
            events.append((at_s + patience_s, True, i))
    numbers: dict[int, int] = {}
    for when_s, leaves, i in sorted(events):
        it.advance(when_s)
        if leaves:
            it.abort(numbers[i], now_s=when_s)
        else:
            numbers[i] = it.submit(arrival_s=when_s, isl=rows[i][1], osl=rows[i][2])
    it.advance(math.inf)
    for i, (_, _, osl, patience_s) in enumerate(rows):
        assert it.is_finished(numbers[i])
        stamps_s = it.stamps(numbers[i], 0, until_s=math.inf)
        assert len(stamps_s) <= osl
        assert patience_s is not None or len(stamps_s) == osl
    shown = it.snapshot()
    assert (shown.n_running, shown.n_waiting, shown.kv_used_tokens) == (0, 0, 0)
    assert it.wake_s == math.inf
