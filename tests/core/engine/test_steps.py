"""Step times, batches and queues by hand."""

import dataclasses
import math

import pytest

from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.core.engine.state import QUEUE_SIZE, install, new_fleet
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.errors import PlanError

# A prompt of p tokens alone takes 20 + 0.1 p ms, one decode alone 21 ms, two 22 ms.
FLAT = StepModel(
    base_s=0.020,
    per_decode_s=0.001,
    per_prefill_token_s=0.0001,
    per_context_token_s=0.0,
    per_attention_token_sq_s=0.0,
)
FULL = StepModel(
    base_s=0.020,
    per_decode_s=0.001,
    per_prefill_token_s=0.0001,
    per_context_token_s=1e-6,
    per_attention_token_sq_s=1e-8,
)


def engine(
    step: StepModel = FLAT,
    front_end: FrontEnd | None = None,
    *,
    kv_tokens: int = 100_000,
    max_num_batched_tokens: int = 8192,
    max_num_seqs: int = 256,
    n_api_servers: int = 1,
) -> Engine:
    profile = EngineProfile(
        step=step,
        front_end=front_end or FrontEnd(),
        kv_tokens=kv_tokens,
        max_num_batched_tokens=max_num_batched_tokens,
        max_num_seqs=max_num_seqs,
        n_api_servers=n_api_servers,
    )
    return Engine(profile, now_s=0.0)


def ask(it: Engine, at_s: float, isl: int, osl: int, *, hit: int = 0) -> int:
    it.advance(at_s)
    return it.submit(arrival_s=at_s, isl=isl, osl=osl, hit_tokens=hit)


def test_a_prompt_alone_takes_at_least_the_start_of_its_kernels_and_one_beside_decodes_does_not() -> (
    None
):
    it = engine(dataclasses.replace(FLAT, least_prefill_s=0.050))
    first = ask(it, 0.0, 100, 4)
    # 20 + 100 x 0.1 = 30 ms would do; while it decodes, 21 ms a step, the next prompt's step is 21 + 10 ms
    second = ask(it, 0.060, 100, 1)
    it.advance(1.0)
    assert it.stamps(first, 0, until_s=1.0)[0] == pytest.approx(0.050)
    assert it.stamps(second, 0, until_s=1.0)[0] == pytest.approx(0.050 + 2 * 0.021 + 0.031)


def test_one_request_takes_its_front_end_its_prefill_step_and_a_step_a_token() -> None:
    it = engine(FULL, FrontEnd(per_request_s=0.006, per_prompt_token_s=1e-5))
    request = ask(it, 0.0, 100, 3)
    it.advance(1.0)
    # front end 6 ms + 100 x 0.01 ms = 7 ms; prefill 20 + 100 x 0.1 + 100 x 50 x 1e-5 = 30.05 ms;
    # decodes 20 + 1 + 101 x 1e-3 and 20 + 1 + 102 x 1e-3 ms
    timings = it.timings(request)
    assert (timings.queued_s, timings.scheduled_s) == (0.007, 0.007)
    assert it.stamps(request, 0, until_s=1.0) == pytest.approx([0.03705, 0.058151, 0.079253])


def test_an_idle_engine_schedules_an_arrival_at_once() -> None:
    it = engine()
    request = ask(it, 0.5, 100, 2)
    it.advance(1.0)
    assert it.timings(request).scheduled_s == 0.5


def test_a_busy_engine_schedules_an_arrival_one_step_late() -> None:
    it = engine()
    first = ask(it, 0.0, 100, 6)
    # the first one's steps end at 30, 51, 72, 93 ms: what comes at 60 ms is not in the step that begins at 72
    second = ask(it, 0.060, 50, 3)
    it.advance(1.0)
    assert it.timings(second).scheduled_s == pytest.approx(0.093)
    # that step holds one decode and 50 prompt tokens: 20 + 1 + 5 = 26 ms, then two decode: 22 ms each
    assert it.stamps(first, 3, until_s=1.0) == pytest.approx([0.093, 0.119, 0.141])
    assert it.stamps(second, 0, until_s=1.0) == pytest.approx([0.119, 0.141, 0.162])


def test_an_arrival_at_a_boundary_has_come_before_the_step_that_begins_there() -> None:
    it = engine()
    ask(it, 0.0, 100, 6)
    it.advance(0.04)
    second = ask(it, it.stamps(0, 0, until_s=1.0)[0] + 0.021, 50, 2)  # 51 ms
    it.advance(1.0)
    assert it.timings(second).scheduled_s == pytest.approx(0.072)


def test_all_that_waited_for_an_engine_to_fall_idle_enter_together() -> None:
    it = engine()
    ask(it, 0.0, 100, 2)  # ends at 51 ms; both others come in its last step
    others = [ask(it, at_s, 100, 2) for at_s in (0.040, 0.045)]
    it.advance(1.0)
    assert [it.timings(n).scheduled_s for n in others] == pytest.approx([0.051, 0.051])


def test_a_long_prompt_is_computed_in_chunks_of_what_a_step_takes() -> None:
    it = engine(FULL, max_num_batched_tokens=64)
    request = ask(it, 0.0, 150, 1)
    it.advance(1.0)
    # 64 + 64 + 22 tokens: three bases, 15 ms for the tokens, and the whole prompt's 150^2 / 2 of attention
    assert it.timings(request).first_token_s == pytest.approx(3 * 0.020 + 0.015 + 11250e-8)
    assert it.snapshot().n_steps == 3


def test_decodes_take_their_tokens_from_a_steps_budget_first() -> None:
    it = engine(max_num_batched_tokens=64)
    ask(it, 0.0, 10, 40)
    request = ask(it, 0.030, 127, 1)
    it.advance(2.0)
    # the decode leaves 63 tokens a step: 63 + 63 + 1, where 64 a step would have been done in two
    timings = it.timings(request)
    assert timings.first_token_s - timings.scheduled_s == pytest.approx(3 * 0.021 + 0.0127)


def test_a_prompt_in_the_prefix_cache_still_computes_its_last_token() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 1, hit=500)
    it.advance(1.0)
    assert it.timings(request).first_token_s == pytest.approx(0.0201)


def test_a_request_that_does_not_fit_the_kv_cache_waits_for_one_that_ends() -> None:
    it = engine(kv_tokens=300)
    first = ask(it, 0.0, 100, 50)
    second = ask(it, 0.0, 100, 100)
    it.advance(0.5)
    assert (it.snapshot().n_running, it.snapshot().n_waiting) == (1, 1)
    it.advance(5.0)
    assert it.timings(second).scheduled_s == it.timings(first).last_token_s


def test_a_request_beyond_max_num_seqs_waits_for_one_that_ends() -> None:
    it = engine(max_num_seqs=2)
    numbers = [ask(it, 0.0, 10, osl) for osl in (5, 9, 3)]
    it.advance(5.0)
    timings = [it.timings(n) for n in numbers]
    assert timings[2].scheduled_s == timings[0].last_token_s < timings[1].last_token_s


def test_one_that_waits_for_memory_lets_nobody_pass() -> None:
    it = engine(kv_tokens=300)
    first, large, small = ask(it, 0.0, 100, 50), ask(it, 0.0, 100, 150), ask(it, 0.0, 10, 2)
    it.advance(9.0)
    assert it.timings(large).scheduled_s == it.timings(first).last_token_s
    assert it.timings(small).scheduled_s >= it.timings(large).scheduled_s


def test_an_answer_of_one_token_is_over_with_its_prefill() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 1)
    it.advance(1.0)
    timings = it.timings(request)
    assert timings.first_token_s == timings.last_token_s == pytest.approx(0.030)
    assert (it.snapshot().n_steps, it.wake_s) == (1, math.inf)


def test_tokens_leave_no_faster_than_the_api_server_writes_them() -> None:
    it = engine(front_end=FrontEnd(api_server_per_token_s=0.030))
    request = ask(it, 0.0, 100, 4)
    it.advance(1.0)
    # the engine gives them 21 ms apart, at 30, 51, 72, 93 ms; the first meets an empty station
    assert it.stamps(request, 0, until_s=1.0) == pytest.approx([0.030, 0.060, 0.090, 0.120])


def test_twice_the_api_servers_write_twice_as_fast() -> None:
    it = engine(front_end=FrontEnd(api_server_per_token_s=0.030), n_api_servers=2)
    request = ask(it, 0.0, 100, 4)
    it.advance(1.0)
    # 15 ms a token are less than a step's 21
    assert it.stamps(request, 0, until_s=1.0) == pytest.approx([0.030, 0.051, 0.072, 0.093])


def test_a_backlog_of_the_api_server_delays_a_request_on_its_way_in() -> None:
    it = engine(front_end=FrontEnd(api_server_per_request_s=0.1))
    numbers = [ask(it, at_s, 10, 1) for at_s in (0.0, 0.0, 0.05)]
    # the second finds 100 ms of work, the third 200 ms of which 50 are done
    assert [it.timings(n).queued_s for n in numbers] == pytest.approx([0.0, 0.1, 0.2])


def test_the_api_server_is_first_in_first_out() -> None:
    it = engine(front_end=FrontEnd(per_prompt_token_s=0.001))
    long, short = ask(it, 0.0, 500, 1), ask(it, 0.1, 10, 1)
    assert it.timings(long).queued_s == it.timings(short).queued_s == 0.5


def test_tokens_that_are_not_out_yet_are_not_told() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 4)
    it.advance(0.060)
    assert it.stamps(request, 0, until_s=0.020) == []
    assert it.stamps(request, 0, until_s=0.060) == pytest.approx([0.030, 0.051])
    assert it.stamps(request, 1, until_s=0.060) == pytest.approx([0.051])
    assert not it.is_finished(request)


def test_gauges_show_what_runs_waits_and_lies_in_memory() -> None:
    it = engine(max_num_batched_tokens=64, max_num_seqs=2)
    ask(it, 0.0, 20, 30)
    it.advance(0.022)
    ask(it, 0.030, 150, 5)
    ask(it, 0.030, 150, 5)
    it.advance(0.080)
    shown = it.snapshot()
    # boundaries: 22, 43, 64 ms; the second enters at 64, and its first chunk of 63 tokens is under way:
    # 20 + 3 tokens of the first one's context, and those 63
    assert (shown.n_running, shown.n_waiting, shown.kv_used_tokens) == (2, 1, 86)
    assert shown.n_steps == 3
    assert shown.busy_s == pytest.approx(0.064)


def test_a_request_larger_than_the_kv_cache_is_refused_with_its_numbers() -> None:
    it = engine(kv_tokens=300)
    with pytest.raises(PlanError, match=r"200 \+ 101 tokens exceeds the KV cache of 300"):
        it.submit(arrival_s=0.0, isl=200, osl=101)


def test_a_queue_that_is_full_refuses() -> None:
    it = engine(max_num_seqs=1)
    for _ in range(QUEUE_SIZE):
        it.submit(arrival_s=0.0, isl=1, osl=1)
    with pytest.raises(PlanError, match=f"{QUEUE_SIZE} requests wait already"):
        it.submit(arrival_s=0.0, isl=1, osl=1)


def test_a_released_number_serves_the_next_request_from_nothing() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 2)
    it.advance(1.0)
    it.release(request)
    assert ask(it, 2.0, 100, 3) == request
    assert not it.is_finished(request)
    it.advance(3.0)
    assert it.stamps(request, 0, until_s=3.0) == pytest.approx([2.030, 2.051, 2.072])


def test_steps_long_gone_from_the_log_have_no_time() -> None:
    it = engine()
    request = ask(it, 0.0, 100, 3)
    it.advance(1.0)
    for i in range(1 << 15):
        it.release(ask(it, 1.0 + i, 1, 1))
    assert it.stamps(request, 1, until_s=1e9) == []


def test_a_profile_with_more_sequences_than_its_row_has_room_for_is_refused() -> None:
    small = EngineProfile(FLAT, FrontEnd(), 1000, max_num_seqs=4)
    fleet = new_fleet([small], now_s=0.0)
    with pytest.raises(ValueError, match="max_num_seqs 5 exceeds the 4"):
        install(fleet, 0, dataclasses.replace(small, max_num_seqs=5), now_s=0.0)
