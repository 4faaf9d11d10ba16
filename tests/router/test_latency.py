"""The histograms of TTFT and TPOT."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmd_autoscaler.core.slo import Timing
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.router.latency import TPOT_EDGES_S, TTFT_EDGES_S, Histogram


def page(counts: Counts) -> dict[tuple[str, str], float]:
    """By name and edge, of the only class."""
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(counts.page([]))
        for sample in family.samples
    }


def test_a_value_on_an_edge_is_in_the_bucket_that_ends_there() -> None:
    histogram = Histogram((1.0, 2.0))
    for value_s in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value_s)
    assert list(histogram.lines("x", 'a="b"')) == [
        'x_bucket{a="b",le="1"} 2',
        'x_bucket{a="b",le="2"} 3',
        'x_bucket{a="b",le="+Inf"} 4',
        'x_sum{a="b"} 12.0',
        'x_count{a="b"} 4',
    ]


def test_an_answer_of_several_tokens_has_a_ttft_and_a_tpot() -> None:
    counts = Counts(started_at_s=0.0)
    counts.timed("m", "c", Timing(10.0, 10.4, 12.9, isl=100, osl=51))  # 2.5 s / 50 gaps = 50 ms
    found = page(counts)
    assert found["llmd_router_ttft_seconds_bucket", "0.3"] == 0
    assert found["llmd_router_ttft_seconds_bucket", "0.5"] == 1
    assert found["llmd_router_ttft_seconds_sum", ""] == pytest.approx(0.4)
    assert found["llmd_router_tpot_seconds_bucket", "0.04"] == 0
    assert found["llmd_router_tpot_seconds_bucket", "0.06"] == 1


def test_an_answer_of_one_token_has_no_tpot() -> None:
    counts = Counts(started_at_s=0.0)
    counts.timed("m", "c", Timing(10.0, 10.4, 10.4, isl=100, osl=1))
    found = page(counts)
    assert found["llmd_router_ttft_seconds_count", ""] == 1
    assert found["llmd_router_tpot_seconds_count", ""] == 0


@pytest.mark.parametrize("edges_s", [TTFT_EDGES_S, TPOT_EDGES_S])
def test_edges_rise_and_are_few(edges_s: tuple[float, ...]) -> None:
    assert list(edges_s) == sorted(set(edges_s))
    assert len(edges_s) <= 15
