"""Pages of vLLM of all eras: the recorded ones word for word, the older ones by hand."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.engines.vllm import CANDIDATES, Durations, Histogram, read_page
from llmd_autoscaler.errors import ObservationError

PAGES = Path(__file__).parent.parent / "data" / "vllm"
H100 = (PAGES / "metrics-0.26.0-h100.txt").read_bytes()
API4 = (PAGES / "metrics-0.26.0-h100-api4.txt").read_bytes()
H200 = (PAGES / "metrics-0.26.0-h200.txt").read_bytes()
CPU = (PAGES / "metrics-0.32.0-cpu.txt").read_bytes()

# Written by hand after the names in the wheel of 0.8.5: no page of that era was recorded.
ERA_0_8_5 = b"""\
process_start_time_seconds 1.74e+09
vllm:num_requests_running{model_name="m"} 3.0
vllm:num_requests_waiting{model_name="m"} 2.0
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
vllm:gpu_prefix_cache_queries_total{model_name="m"} 900.0
vllm:gpu_prefix_cache_hits_total{model_name="m"} 300.0
vllm:prompt_tokens_total{model_name="m"} 1000.0
vllm:time_per_output_token_seconds_sum{model_name="m"} 4.0
vllm:time_per_output_token_seconds_count{model_name="m"} 200.0
vllm:cache_config_info{block_size="16",num_gpu_blocks="1000"} 1.0
"""

# By hand, too: 0.9 to 0.10 exported the old and the new names side by side.
ERA_0_10_2 = (
    ERA_0_8_5
    + b"""\
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 901.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="m"} 5.0
vllm:inter_token_latency_seconds_count{engine="0",model_name="m"} 201.0
"""
)


def test_the_recorded_h100_page_is_read_to_the_last_concept():
    page = read_page(H100)

    assert page.model_name == "meta-llama/Llama-3.1-8B-Instruct"
    assert page.started_at_s == 1795468304.1
    assert (page.n_running, page.n_waiting, page.kv_usage_frac) == (0.0, 0.0, 0.0)
    assert page.kv_capacity_tokens == 462_944
    assert page.is_sleeping is False
    assert (page.prompt_tokens, page.generation_tokens) == (18_055_474.0, 1_130_664.0)
    assert (page.prefix_queries_tokens, page.prefix_hits_tokens) == (18_808_722.0, 3_794_432.0)
    assert page.success_by_reason == {
        "stop": 0.0,
        "length": 10_261.0,
        "abort": 0.0,
        "error": 0.0,
        "repetition": 0.0,
    }
    assert page.ttft == Durations(sum_s=8046.878914356232, count=13_009.0)
    assert page.itl == Durations(sum_s=22543.227949852764, count=1_117_655.0)
    assert page.queue == Durations(sum_s=2131.3147181540116, count=10_261.0)
    assert page.prefill == Durations(sum_s=1681.1698594979591, count=10_261.0)
    assert page.n_steps == 54_834.0
    assert page.missing == {}


def test_the_isl_histogram_of_the_h100_page_is_cumulative_and_reads_its_own_edges():
    assert read_page(H100).isl == Histogram(
        edges=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
        counts=(0, 0, 0, 0, 0, 78, 152, 5526, 5600, 5668, 9061, 10_055, 10_063, 10_245),
        sum=11_758_850.0,
        count=10_261.0,
    )


def test_a_page_under_load_shows_what_runs():
    page = read_page(H200)

    assert (page.n_running, page.n_waiting) == (58.0, 0.0)


def test_gauges_without_samples_are_not_zero_behind_four_api_servers():
    page = read_page(API4)

    assert (page.n_running, page.n_waiting, page.kv_usage_frac) == (None, None, None)
    assert page.missing["running"] == "no samples of vllm:num_requests_running"


def test_steps_are_withheld_where_each_api_server_may_have_counted_them():
    page = read_page(API4)

    assert page.n_steps is None
    assert "once per API server" in page.missing["steps"]


def test_what_four_api_servers_do_say_is_read():
    page = read_page(API4)

    assert page.kv_capacity_tokens == 464_816
    assert page.prompt_tokens == 0.0


def test_the_recorded_page_of_0_32_is_read_to_the_last_concept():
    page = read_page(CPU)

    assert page.missing == {}
    assert (page.prompt_tokens, page.generation_tokens) == (337_294.0, 21_810.0)
    # 4,096 tokens at most: the edges end at 2,000, not at 20,000 as on the H100
    assert page.isl is not None
    assert page.isl.edges[-1] == 2000.0


def test_the_old_names_answer_on_a_page_of_0_8_5():
    page = read_page(ERA_0_8_5)

    assert page.kv_usage_frac == 0.25
    assert (page.prefix_queries_tokens, page.prefix_hits_tokens) == (900.0, 300.0)
    assert page.itl == Durations(sum_s=4.0, count=200.0)
    assert page.names["itl"] == "vllm:time_per_output_token_seconds"


def test_kv_capacity_is_blocks_times_size_where_tokens_are_not_said():
    assert read_page(ERA_0_8_5).kv_capacity_tokens == 16_000


def test_the_new_name_wins_where_both_have_samples():
    page = read_page(ERA_0_10_2)

    assert page.kv_usage_frac == 0.5
    assert page.itl == Durations(sum_s=5.0, count=201.0)
    assert page.prefix_queries_tokens == 901.0


def test_the_old_name_wins_where_the_new_one_is_only_announced():
    page = read_page(b"# TYPE vllm:kv_cache_usage_perc gauge\n" + ERA_0_8_5)

    assert page.names["kv_usage"] == "vllm:gpu_cache_usage_perc"


def test_an_absent_concept_names_every_series_that_was_tried():
    page = read_page(b'vllm:num_requests_running{engine="0"} 1\n')

    assert page.itl is None
    assert page.missing["itl"] == (
        "no samples of vllm:inter_token_latency_seconds or vllm:time_per_output_token_seconds"
    )
    assert set(page.missing) | set(page.names) == set(CANDIDATES)


def test_engines_are_summed_and_their_kv_use_is_averaged():
    page = read_page(
        b"""\
vllm:num_requests_running{engine="0"} 3
vllm:num_requests_running{engine="1"} 4
vllm:kv_cache_usage_perc{engine="0"} 0.2
vllm:kv_cache_usage_perc{engine="1"} 0.4
vllm:cache_config_info{engine="0",kv_cache_size_tokens="100"} 1
vllm:cache_config_info{engine="1",kv_cache_size_tokens="100"} 1
vllm:request_prompt_tokens_bucket{engine="0",le="10"} 1
vllm:request_prompt_tokens_bucket{engine="0",le="+Inf"} 2
vllm:request_prompt_tokens_bucket{engine="1",le="10"} 5
vllm:request_prompt_tokens_bucket{engine="1",le="+Inf"} 7
vllm:request_prompt_tokens_sum{engine="0"} 20
vllm:request_prompt_tokens_sum{engine="1"} 40
vllm:request_prompt_tokens_count{engine="0"} 2
vllm:request_prompt_tokens_count{engine="1"} 7
"""
    )

    assert page.n_running == 7.0
    assert page.kv_usage_frac == pytest.approx(0.3)
    assert page.kv_capacity_tokens == 200
    assert page.isl == Histogram(edges=(10.0,), counts=(6.0,), sum=60.0, count=9.0)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_a_value_that_is_no_count_is_withheld_and_costs_the_others_nothing(value):
    page = read_page(f"vllm:num_requests_running {value}\nvllm:num_requests_waiting 5\n".encode())

    assert page.n_running is None
    assert "vllm:num_requests_running is " in page.missing["running"]
    assert page.n_waiting == 5.0


@pytest.mark.parametrize(
    ("buckets", "reason"),
    [
        ({"10": 1}, "no sample of le +Inf"),
        ({"10": 3, "+Inf": 2}, "not cumulative"),
        ({"ten": 1, "+Inf": 2}, "'ten', which is not a number"),
        ({"NaN": 1, "+Inf": 2}, "a bucket edge that is NaN"),
    ],
)
def test_a_broken_histogram_is_withheld_with_its_reason(buckets, reason):
    name = "vllm:request_prompt_tokens"
    lines = [f'{name}_bucket{{le="{edge}"}} {count}' for edge, count in buckets.items()]

    page = read_page("\n".join([*lines, f"{name}_sum 1", f"{name}_count 2", ""]).encode())

    assert page.isl is None
    assert reason in page.missing["isl"]


def test_a_histogram_without_its_sum_is_withheld():
    page = read_page(b"vllm:time_to_first_token_seconds_count 2\n")

    assert page.missing["ttft"] == "no samples of vllm:time_to_first_token_seconds_sum"


def test_a_sleeping_engine_is_seen():
    page = read_page(
        b'vllm:engine_sleep_state{sleep_state="awake"} 0\n'
        b'vllm:engine_sleep_state{sleep_state="weights_offloaded"} 1\n'
    )

    assert page.is_sleeping is True


def test_the_page_of_another_program_is_refused():
    with pytest.raises(ObservationError, match="none of vLLM's series"):
        read_page(b"process_start_time_seconds 1.7e+09\nsglang:num_running_reqs 3\n")


@given(
    page=st.sampled_from([H100, API4, CPU, ERA_0_8_5]),
    at=st.floats(0, 1),
    length=st.integers(0, 200),
    patch=st.text(alphabet='{}=",\\ #\n+-.eENInfa_:0123456789', max_size=60),
)
def test_a_mutated_page_is_read_or_refused_and_nothing_else(page, at, length, patch):
    start = int(at * len(page))

    with contextlib.suppress(ObservationError):
        read_page(page[:start] + patch.encode() + page[start + length :])


@given(value=st.from_regex(rb"[0-9]{1,320}", fullmatch=True))
def test_a_number_beyond_all_bounds_is_read_or_withheld(value):
    lines = [b'vllm:prompt_tokens_total{engine="%d"} %s' % (engine, value) for engine in range(3)]
    config = b'vllm:cache_config_info{num_gpu_blocks="%s",block_size="%s"} 1\n' % (value, value)

    page = read_page(b"\n".join([*lines, config]))

    assert (page.prompt_tokens is None) == ("prompt_tokens" in page.missing)
