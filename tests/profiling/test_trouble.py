"""What is not the engine is named; what is the engine is left alone."""

import dataclasses

import pytest

from llmd_autoscaler.engines.vllm import VllmPage
from llmd_autoscaler.profiling.regime import Regime, regime
from llmd_autoscaler.profiling.trouble import Pages, troubles
from tests.profiling.points import TRUE, closed, measured

POINT = measured(closed(1024, 128, 16))


def page(**fields: float) -> VllmPage:
    """A page that says only these things."""
    blank = dict.fromkeys((field.name for field in dataclasses.fields(VllmPage)), None)
    return VllmPage(**(blank | {"names": {}, "missing": {}, "started_at_s": 1.0} | fields))


QUIET = Pages(page(generation_tokens=0.0), page(generation_tokens=100.0))


def test_a_steady_engine_has_no_trouble():
    assert troubles(POINT, QUIET, n_before=0.0, errors=()) == ()


@pytest.mark.parametrize(
    "last", [page(started_at_s=50.0, generation_tokens=200.0), page(generation_tokens=3.0)]
)
def test_a_restart_is_seen_by_its_start_time_and_by_counters_that_fall(last):
    pages = Pages(page(generation_tokens=100.0), last)
    assert troubles(POINT, pages, n_before=0.0, errors=()) == (
        "the server restarted within the window",
    )


def test_requests_that_were_there_before_us_are_somebody_elses():
    (sentence,) = troubles(POINT, QUIET, n_before=3.0, errors=())
    assert sentence.startswith("3 requests of somebody else")


def test_tokens_that_our_clients_never_got_are_somebody_elses():
    server = dataclasses.replace(POINT.server, out_tps=2.0 * POINT.clients.out_tps)
    (sentence,) = troubles(
        dataclasses.replace(POINT, server=server), QUIET, n_before=0.0, errors=()
    )
    assert sentence.endswith("somebody else asks it, too")


def test_the_most_frequent_error_is_told_with_its_number():
    errors = ["HTTP 500: out of memory"] * 30 + ["connection lost (ClientOSError)"] * 5
    (sentence,) = troubles(POINT, QUIET, n_before=0.0, errors=errors)
    assert sentence == "35 requests were not answered, most often: HTTP 500: out of memory"


def test_one_error_in_a_hundred_is_no_trouble():
    assert troubles(POINT, QUIET, n_before=0.0, errors=["connection lost"]) == ()


def test_a_speed_that_changes_under_one_load_is_named_with_its_size():
    # 100 steps a look at first, 75 then: a clock that falls from 1980 to 1500 MHz
    steps = [100.0 * i for i in range(9)] + [800.0 + 75.0 * i for i in range(1, 9)]
    pages = Pages(QUIET.first, QUIET.last, tuple(page(n_steps=n) for n in steps))
    (sentence,) = troubles(POINT, pages, n_before=0.0, errors=())
    assert "the speed changed by -25 %" in sentence


def test_a_client_that_reads_late_is_named_and_is_its_own_regime():
    late = dataclasses.replace(POINT, clients=dataclasses.replace(POINT.clients, ttft_mean_s=2.0))
    (sentence,) = troubles(late, QUIET, n_before=0.0, errors=())
    assert sentence.startswith("the client is the limit")
    assert regime(late) is Regime.CLIENT


def test_ttft_far_beyond_queue_and_prefill_is_the_api_servers():
    server = dataclasses.replace(POINT.server, ttft_s=0.49, queue_s=0.02, prefill_s=0.12)
    clients = dataclasses.replace(POINT.clients, ttft_mean_s=0.57)
    assert regime(dataclasses.replace(POINT, server=server, clients=clients)) is Regime.API_SERVER


def test_waiting_at_a_full_cache_is_the_caches():
    small = dataclasses.replace(TRUE, kv_tokens=20_000)
    point = measured(closed(4096, 128, 16), small)
    server = dataclasses.replace(point.server, kv_max_frac=0.99, n_running=4.0, n_waiting=12.0)
    assert regime(dataclasses.replace(point, server=server)) is Regime.KV_FULL


def test_prompts_that_come_faster_than_answers_go_are_no_steady_state():
    server = dataclasses.replace(POINT.server, in_tps=1.5 * POINT.clients.rps * 1024)
    assert regime(dataclasses.replace(POINT, server=server)) is Regime.NOT_STEADY
