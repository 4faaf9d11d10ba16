"""The engine under open requests, moved by hand: a clock that stands still until the test moves it."""

import dataclasses

import pytest

from llmd_autoscaler.core.variant import FrontEnd
from llmd_autoscaler.simulator.vllm_server.streams import Streams
from llmd_autoscaler.simulator.vllm_server.tally import Tally


@pytest.fixture
def tally():
    return Tally(max_model_len=100_000)


@pytest.fixture
async def streams(profile, held_clock, tally):
    return Streams(profile, clock=held_clock, tally=tally)


def total(tally, name):
    histogram = tally.histograms[name]
    return histogram.cumulative()[-1], pytest.approx(histogram.sum)


async def test_tokens_carry_the_time_at_which_the_engine_gave_them(streams, held_clock):
    request = streams.submit(isl=100, max_tokens=3)
    held_clock.move_by(1.0)
    streams.tick()

    # prefill: 0.01 + 100 x 0.0001 = 0.02 s; then two steps of 0.01 s
    assert await request.news() == (pytest.approx([1000.02, 1000.03, 1000.04]), "length")


async def test_only_tokens_that_are_due_are_handed_out(streams, held_clock):
    request = streams.submit(isl=100, max_tokens=3)
    held_clock.move_by(0.035)
    streams.tick()

    assert await request.news() == (pytest.approx([1000.02, 1000.03]), None)


async def test_tokens_pile_up_for_a_reader_that_comes_late(streams, held_clock):
    request = streams.submit(isl=100, max_tokens=3)
    for _ in range(4):
        held_clock.move_by(0.012)
        streams.tick()

    stamps_s, reason = await request.news()
    assert (len(stamps_s), reason) == (3, "length")


async def test_a_request_that_ran_to_its_end_is_counted_in_every_series(streams, held_clock, tally):
    streams.submit(isl=100, max_tokens=3)
    for _ in range(4):
        held_clock.move_by(0.012)
        streams.tick()

    assert (tally.prompt_tokens, tally.generation_tokens) == (100, 3)
    assert dict(tally.success) == {"length": 1}
    assert total(tally, "request_prompt_tokens") == (1, 100)
    assert total(tally, "request_generation_tokens") == (1, 3)
    assert total(tally, "time_to_first_token_seconds") == (1, 0.02)
    assert total(tally, "inter_token_latency_seconds") == (2, 0.02)
    assert total(tally, "request_time_per_output_token_seconds") == (1, 0.01)
    assert total(tally, "e2e_request_latency_seconds") == (1, 0.04)
    assert total(tally, "request_prefill_time_seconds") == (1, 0.02)
    assert total(tally, "request_decode_time_seconds") == (1, 0.02)
    assert total(tally, "request_queue_time_seconds") == (1, 0.0)
    # three steps: 100 prompt tokens and the first one, then one token each
    assert total(tally, "iteration_tokens_total")[0] == 3


async def test_a_client_that_left_is_counted_nowhere_and_frees_its_place(
    streams, held_clock, tally
):
    request = streams.submit(isl=100, max_tokens=1000)
    held_clock.move_by(0.5)
    streams.tick()
    streams.leave(request)
    held_clock.move_by(0.02)
    streams.tick()

    assert streams.snapshot().n_running == 0
    assert dict(tally.success) == {}
    assert total(tally, "request_prompt_tokens") == (0, 0)


async def test_leaving_after_the_end_does_not_touch_the_next_request(streams, held_clock):
    first = streams.submit(isl=1, max_tokens=1)
    held_clock.move_by(1.0)
    streams.tick()
    second = streams.submit(isl=1, max_tokens=1)
    streams.leave(first)
    held_clock.move_by(1.0)
    streams.tick()

    assert second.number == first.number
    assert (await second.news())[1] == "length"


async def test_a_number_is_not_used_again_while_its_last_step_runs(streams, held_clock):
    request = streams.submit(isl=100, max_tokens=1000)
    held_clock.move_by(0.5)
    streams.tick()
    streams.leave(request)

    assert streams.submit(isl=1, max_tokens=1).number != request.number


async def test_many_clients_that_leave_at_random_leave_an_idle_engine(streams, held_clock):
    open_requests = []
    for i in range(300):
        open_requests.append(streams.submit(isl=50 + i, max_tokens=1 + i % 40))
        held_clock.move_by(0.003)
        streams.tick()
        if i % 3 == 0:
            streams.leave(open_requests[i // 2])
    held_clock.move_by(1000.0)
    streams.tick()
    held_clock.move_by(1000.0)
    streams.tick()

    snapshot = streams.snapshot()
    assert (snapshot.n_running, snapshot.n_waiting, snapshot.kv_used_tokens) == (0, 0, 0)
    await streams.until_idle()


async def test_abort_all_gives_every_client_its_tokens_and_the_reason(streams, held_clock, tally):
    running = streams.submit(isl=100, max_tokens=1000)
    held_clock.move_by(0.035)
    queued = streams.submit(isl=100, max_tokens=1000)
    streams.abort_all()

    assert await running.news() == (pytest.approx([1000.02, 1000.03]), "abort")
    assert await queued.news() == ([], "abort")
    assert dict(tally.success) == {"abort": 2}


async def test_a_request_in_the_api_server_is_neither_running_nor_waiting(
    profile, held_clock, tally
):
    slow_front = dataclasses.replace(profile, front_end=FrontEnd(per_request_s=5.0))
    streams = Streams(slow_front, clock=held_clock, tally=tally)
    streams.submit(isl=10, max_tokens=10)
    held_clock.move_by(1.0)
    snapshot = streams.snapshot()

    assert snapshot.n_running == 0
    assert snapshot.n_waiting - streams.n_in_front() == 0


async def test_a_clock_that_steps_back_stands_still(streams, held_clock):
    request = streams.submit(isl=100, max_tokens=2)
    held_clock.move_by(0.025)
    streams.tick()
    held_clock.move_by(-10.0)
    streams.tick()
    held_clock.move_by(10.01)
    streams.tick()

    assert await request.news() == (pytest.approx([1000.02, 1000.03]), "length")
