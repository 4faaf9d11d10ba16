"""Counts of routers as rates, shares and quantiles."""

import math

import numpy as np
import pytest

from llmd_autoscaler.core.slo import Timing
from llmd_autoscaler.page.rates import Window, quantile, rates
from llmd_autoscaler.page.router_metrics import read_router
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.router.stream import Usage

CELL = ("m", "c")


def reading(counts: Counts):
    return read_router(counts.page([]).encode())


def served(counts: Counts, n: int, *, ttft_s: float = 0.4, missed: str = "") -> None:
    for _ in range(n):
        counts.arrived("m", "c", isl=1000, at_s=0.0)
        counts.completed("m", "c", Usage(isl=1000, osl=101, n_hit=0))
        counts.timed("m", "c", Timing(0.0, ttft_s, ttft_s + 5.0, isl=1000, osl=101))
        counts.ended("m", "c", missed=missed)


def test_a_rate_is_what_came_in_the_last_minute() -> None:
    counts, window = Counts(started_at_s=1.0), Window()
    window.take(reading(counts), 100.0)
    served(counts, 100)
    window.take(reading(counts), 160.0)
    served(counts, 30)
    window.take(reading(counts), 220.0)
    found = rates([window])[CELL]
    assert found["qps"] == 0.5  # 30 in the last 60 s
    assert (found["isl"], found["osl"], found["attained"]) == (1000.0, 101.0, 1.0)


def test_two_routers_add_up() -> None:
    windows = []
    for n in (30, 60):
        counts, window = Counts(started_at_s=1.0), Window()
        window.take(reading(counts), 100.0)
        served(counts, n)
        window.take(reading(counts), 160.0)
        windows.append(window)
    assert rates(windows)[CELL]["qps"] == 1.5


def test_a_restarted_router_does_not_count_backwards() -> None:
    counts, window = Counts(started_at_s=1.0), Window()
    served(counts, 100)
    window.take(reading(counts), 100.0)
    window.take(reading(Counts(started_at_s=150.0)), 160.0)
    assert rates([window]) == {}


def test_the_share_that_attained_is_of_those_that_ended() -> None:
    counts, window = Counts(started_at_s=1.0), Window()
    window.take(reading(counts), 100.0)
    served(counts, 3)
    served(counts, 1, missed="ttft")
    window.take(reading(counts), 160.0)
    assert rates([window])[CELL]["attained"] == 0.75


def test_a_quantile_is_known_to_a_bucket() -> None:
    counts, window = Counts(started_at_s=1.0), Window()
    window.take(reading(counts), 100.0)
    served(counts, 100, ttft_s=0.4)
    window.take(reading(counts), 160.0)
    found = rates([window])[CELL]
    # all of them between the edges 0.3 and 0.5 s; TPOT 5 s / 100 = 50 ms is the edge of its bucket
    assert found["ttft_p50"] == pytest.approx(0.4)
    assert found["ttft_p99"] == pytest.approx(0.498)
    assert 0.04 < found["tpot_p50"] <= 0.05


@pytest.mark.parametrize(
    ("cumulative", "q", "expected"),
    [
        ([0, 0, 0], 0.5, math.nan),
        ([10, 10, 10], 0.5, 0.5),  # half of the first bucket, which begins at 0
        ([0, 10, 10], 0.5, 1.5),
        ([0, 5, 10], 0.99, 2.0),  # beyond the last edge nothing is known
    ],
)
def test_quantiles_of_small_histograms(cumulative, q, expected) -> None:
    found = quantile((1.0, 2.0), np.array(cumulative, dtype=float), q)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_a_router_without_histograms_has_no_latency_and_no_error() -> None:
    page = b'llmd_router_arrivals_total{model="m",class="c",isl="64"} 5\nllmd_router_started_at_seconds 1\n'
    window = Window()
    window.take(read_router(page), 100.0)
    window.take(read_router(page), 160.0)
    found = rates([window])[CELL]
    assert found["qps"] == 0.0
    assert math.isnan(found["ttft_p50"])
