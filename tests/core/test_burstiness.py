"""How unevenly requests arrive, as the counters tell it, and requests drawn as unevenly."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from llmd_autoscaler.core.burstiness import POISSON, Burstiness, arrivals, burstiness
from llmd_autoscaler.core.traffic import TrafficMemory
from tests.core.worlds import counted

TICK_S = 15.0
# an hour of ticks: 240 x 15 s
N_TICKS = 240
QPS = 10.0


def memory(*at_s: NDArray[np.float64], n_ticks: int = N_TICKS) -> TrafficMemory:
    """What a controller has seen of routers that counted these arrivals, tick by tick."""
    it = TrafficMemory.empty(1)
    for now_s in TICK_S * np.arange(n_ticks + 1.0):
        counts = {}
        for i, each in enumerate(at_s):
            per_second = np.bincount(np.floor(each[each < now_s]).astype(np.int64))
            counts[f"r{i}"] = dataclasses.replace(
                counted(float(per_second.sum())), arrivals_squared=float((per_second**2).sum())
            )
        it = it.observe(counts, now_s=float(now_s))
    return it


def drawn(variance: float, *, seed: int = 1) -> NDArray[np.float64]:
    """An hour of seconds whose rate has a factor of their own, gamma-distributed."""
    rng = np.random.default_rng(seed)
    n_seconds = N_TICKS * int(TICK_S)
    rate = np.full(n_seconds, QPS)
    if variance:
        rate *= rng.gamma(1 / variance, variance, n_seconds)
    seconds = np.repeat(np.arange(n_seconds), rng.poisson(rate))
    return np.sort(seconds + rng.random(len(seconds)))


def test_poisson_arrivals_are_felt_by_no_fleet() -> None:
    found = burstiness(memory(drawn(0.0)))
    # of 240 ticks the dispersion is known to some hundredths
    assert found.dispersion(QPS) == pytest.approx(1.0, abs=0.15)
    assert not found.is_felt(QPS)


@pytest.mark.parametrize("variance", [0.2, 0.8, 2.0])
def test_what_was_drawn_so_unevenly_is_found_so_uneven(variance: float) -> None:
    found = burstiness(memory(drawn(variance)))
    # a prior of twenty Poisson ticks takes a thirteenth; the rest is the sample's
    assert found.variance == pytest.approx(variance * 12 / 13, rel=0.15)


def test_routers_that_share_the_requests_at_random_tell_the_same_as_one() -> None:
    whole = drawn(0.8)
    side = np.random.default_rng(3).random(len(whole)) < 0.3
    one, two = burstiness(memory(whole)), burstiness(memory(whole[side], whole[~side]))
    assert two.variance == pytest.approx(one.variance, rel=0.15)


def test_a_steady_rise_is_no_burst() -> None:
    n = int(N_TICKS * TICK_S * QPS)
    # the rate rises from nothing to twice the mean
    at_s = N_TICKS * TICK_S * np.sqrt((np.arange(n) + 0.5) / n)
    assert burstiness(memory(at_s)) == POISSON


def test_a_router_that_does_not_count_seconds_tells_nothing_of_them() -> None:
    it = TrafficMemory.empty(1)
    for tick in range(40):
        it = it.observe({"old": counted(150.0 * tick)}, now_s=TICK_S * tick)
    assert burstiness(it) == POISSON


def test_of_few_ticks_little_is_believed() -> None:
    at_s = drawn(0.8)
    few, many = (burstiness(memory(at_s, n_ticks=n)) for n in (4, N_TICKS))
    assert few.variance < 0.5 * many.variance


def test_nothing_seen_is_taken_for_poisson() -> None:
    assert burstiness(TrafficMemory.empty(1)) == POISSON


def test_uneven_arrivals_keep_their_number_and_their_mean_rate() -> None:
    found = arrivals(5000, QPS, Burstiness(0.8), np.random.default_rng(1))
    assert len(found) == 5000
    assert np.all(np.diff(found) >= 0.0)
    assert found[-1] == pytest.approx(5000, rel=0.05)


def test_uneven_arrivals_are_as_uneven_as_asked() -> None:
    bursts = Burstiness(0.8)
    found = arrivals(40_000, QPS, bursts, np.random.default_rng(1)) / QPS
    n = np.bincount(np.floor(found).astype(np.int64))
    # the drawn seconds lie across those that are counted here: between a half and the whole is seen
    assert 0.5 * bursts.dispersion(QPS) < n.var() / n.mean() < 1.1 * bursts.dispersion(QPS)


def test_bursts_of_a_rate_too_low_to_feel_them_change_nothing() -> None:
    rare, poisson = (
        arrivals(100, 0.1, each, np.random.default_rng(1)) for each in (Burstiness(0.8), POISSON)
    )
    assert np.array_equal(rare, poisson)


def test_a_table_holds_for_bursts_of_about_the_same_size() -> None:
    assert Burstiness(0.8).is_like(Burstiness(0.7))
    assert not Burstiness(0.8).is_like(Burstiness(0.4))
    assert not Burstiness(0.8).is_like(POISSON)
