"""The engine in virtual time with clients around it: figures that can be worked out by hand."""

import dataclasses

import pytest

from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.errors import PlanError
from llmd_autoscaler.profiling.point import Load, Shape
from llmd_autoscaler.profiling.prediction import predict
from tests.profiling.points import TRUE, closed

# A step takes 10 ms, and 0.1 ms more for each prompt token in it.
ROUND = EngineProfile(
    step=StepModel(0.010, 0.0, 0.0001, 0.0, 0.0), front_end=FrontEnd(), kv_tokens=100_000
)


def test_a_lone_request_takes_its_prefill_step_and_a_step_a_token():
    p = predict(ROUND, closed(100, 11, 1))
    # prefill 10 + 100 x 0.1 = 20 ms, then ten gaps of 10 ms
    assert p.ttft_p50_s == pytest.approx(0.020)
    assert p.itl_mean_s == pytest.approx(0.010)
    assert p.e2e_p50_s == pytest.approx(0.120)
    assert p.rps == pytest.approx(1 / 0.120)
    assert p.out_tps == pytest.approx(11 / 0.120)


def test_the_front_end_is_part_of_the_ttft_and_not_of_the_itl():
    slow = dataclasses.replace(
        ROUND, front_end=FrontEnd(per_request_s=0.005, per_prompt_token_s=1e-4)
    )
    p = predict(slow, closed(100, 11, 1))
    assert p.ttft_p50_s == pytest.approx(0.020 + 0.005 + 0.010)
    assert p.itl_mean_s == pytest.approx(0.010)


def test_a_prefix_hit_saves_its_whole_blocks_of_prefill():
    # 90 % of 100 are 90 tokens: five blocks of 16 are found, 20 tokens are computed
    p = predict(ROUND, Load((Shape(100, 11),), 1, prefix_frac=0.9))
    assert p.ttft_p50_s == pytest.approx(0.010 + 20 * 0.0001)


def test_a_closed_loop_obeys_littles_law():
    p = predict(TRUE, closed(1024, 128, 32))
    # every client is always in its TTFT or between two tokens
    in_flight = p.rps * p.ttft_mean_s + (p.out_tps - p.rps) * (p.itl_mean_s or 0.0)
    assert in_flight == pytest.approx(32, rel=0.03)


def test_an_open_loop_below_saturation_serves_what_arrives():
    p = predict(TRUE, Load((Shape(1024, 128),), rate_qps=10.0))
    assert p.rps == pytest.approx(10.0, rel=0.05)
    assert p.limit in {"none", "engine"}


def test_more_requests_than_the_cache_holds_are_limited_by_it():
    small = dataclasses.replace(TRUE, kv_tokens=20_000)
    p = predict(small, closed(4096, 128, 16))
    # 20,000 / 4,224 = 4.7: four run, twelve wait
    assert p.limit == "kv_full"
    assert p.n_running == pytest.approx(4.0, abs=0.2)


def test_a_prefix_that_all_share_stands_in_the_cache_once():
    small = dataclasses.replace(TRUE, kv_tokens=20_000)
    load = Load((Shape(4096, 128),), 16, prefix_frac=0.9)
    # 3,680 shared once, 16 x (416 + 128) own: 12,384 of 20,000
    assert predict(small, load).limit != "kv_full"


def test_a_server_of_few_sequences_is_limited_by_them():
    p = predict(dataclasses.replace(TRUE, max_num_seqs=4), closed(1024, 128, 16))
    assert p.limit == "max_num_seqs"


def test_an_api_server_that_is_slower_than_the_engine_is_the_limit():
    front = FrontEnd(api_server_per_token_s=0.001)
    p = predict(dataclasses.replace(TRUE, front_end=front), closed(128, 128, 64))
    assert p.limit == "api_server"
    # a token a millisecond at most; waves of the closed loop leave it idle for moments
    assert 900 < p.out_tps <= 1001


def test_a_request_that_never_fits_is_refused_with_both_numbers():
    with pytest.raises(PlanError, match="400010 tokens exceeds the KV cache of 400000"):
        predict(TRUE, closed(400_000, 10, 1))


def test_the_same_question_has_the_same_answer():
    load = Load((Shape(128, 64, 0.5), Shape(2048, 32, 0.5)), 16)
    assert predict(TRUE, load) == predict(TRUE, load)
