"""Demand over the lead time."""

from collections.abc import Callable

import numpy as np
import pytest

from llmd_autoscaler.core.forecast import MOST_UPLIFT, PRIOR_ERRORS, Forecast, forecast
from llmd_autoscaler.core.traffic import CountSnapshot, TrafficMemory

TICK_S = 15.0
ONE = np.ones(1)


def memory_of(arrived: Callable[[float], float], until_s: float) -> TrafficMemory:
    """A series of cumulative arrivals as a function of time."""
    times_s = np.arange(0.0, until_s + 1e-9, TICK_S)
    totals = np.array([[arrived(float(t))] for t in times_s])
    return TrafficMemory({}, CountSnapshot.zero(1), times_s, totals, np.zeros(len(times_s)))


def ahead(memory: TrafficMemory, *, horizon_s: float = 120.0, quantile: float = 0.6) -> Forecast:
    return forecast(memory, ONE, horizon_s=horizon_s, quantile=quantile)


def test_constant_traffic_stays_as_it_is() -> None:
    found = ahead(memory_of(lambda t: 5.0 * t, 3600.0))
    assert found.p50_qps[0] == pytest.approx(5.0)
    # some 200 replays without error outweigh the ten of the prior
    assert found.uplift == pytest.approx(1.0)
    assert found.error_frac == pytest.approx(0.0)


@pytest.mark.parametrize("quantile", [0.01, 0.3, 0.5])
def test_less_than_the_median_is_never_provided_for(quantile: float) -> None:
    found = ahead(memory_of(lambda t: 5.0 * t, 600.0), quantile=quantile)
    assert found.uplift == 1.0
    assert found.quantile_qps[0] == found.p50_qps[0]


def test_on_a_ramp_the_trend_wins_and_lands_on_it() -> None:
    # 2 + t / 600 requests a second
    found = ahead(memory_of(lambda t: 2.0 * t + t * t / 1200.0, 3600.0))
    # 120 s after 3600 s: 2 + 3720 / 600 = 8.2
    assert found.p50_qps[0] == pytest.approx(8.2, rel=1e-3)
    assert found.error_frac < 0.01


def test_on_a_falling_ramp_the_trend_falls() -> None:
    found = ahead(memory_of(lambda t: 9.0 * t - t * t / 1200.0, 3600.0))
    # 9 - 3720 / 600 = 2.8
    assert found.p50_qps[0] == pytest.approx(2.8, rel=1e-2)


def test_without_a_past_to_replay_the_prior_gives_the_uplift() -> None:
    found = ahead(memory_of(lambda t: 4.0 * t, 90.0), quantile=0.9)
    assert found.p50_qps[0] == pytest.approx(4.0)
    assert found.uplift == pytest.approx(float(np.quantile(PRIOR_ERRORS, 0.9)))


def test_nothing_seen_is_no_demand() -> None:
    found = ahead(TrafficMemory.empty(1))
    assert found.quantile_qps.tolist() == [0.0]


def test_traffic_that_jumps_about_is_provided_for_with_more_than_a_steady_one() -> None:
    rng = np.random.default_rng(3)
    jumps = np.concatenate([[0.0], np.cumsum(TICK_S * rng.choice([2.0, 8.0], 240))])
    found = ahead(memory_of(lambda t: float(jumps[round(t / TICK_S)]), 3600.0), quantile=0.9)
    assert found.uplift > 1.15


def test_a_higher_quantile_never_provides_for_less() -> None:
    memory = memory_of(lambda t: 5.0 * t + 40.0 * np.sin(t / 200.0), 3600.0)
    provided = [ahead(memory, quantile=q).quantile_qps[0] for q in (0.5, 0.7, 0.9, 0.99)]
    assert provided == sorted(provided)


def test_traffic_that_has_begun_only_now_is_not_taken_for_endless_growth() -> None:
    # quiet for 600 s, then 3 a second for 60: a trend may triple its level, no more
    found = ahead(memory_of(lambda t: 3.0 * max(0.0, t - 600.0), 660.0))
    assert 0.0 < found.p50_qps[0] <= 9.0 * (1 + 1e-9)


def test_after_a_long_flat_time_a_ramp_is_followed_within_minutes() -> None:
    # two a second for 45 minutes, then one more each minute
    def arrived(t: float) -> float:
        ramp_s = max(0.0, t - 2700.0)
        return 2.0 * t + ramp_s * ramp_s / 120.0

    found = ahead(memory_of(arrived, 3300.0))
    # 120 s ahead of 3300 s: 2 + 720 / 60 = 14; the mean of the last five minutes is 9.5
    assert found.p50_qps[0] > 12.5


def test_one_spike_never_asks_for_more_than_twice_what_is_expected() -> None:
    # one a second, and forty for two of the last fifteen minutes
    found = ahead(
        memory_of(lambda t: t + 40.0 * min(max(t - 2700.0, 0.0), 120.0), 3600.0), quantile=0.99
    )
    assert found.uplift == MOST_UPLIFT
