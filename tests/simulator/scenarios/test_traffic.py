"""Requests drawn from a scenario's laws."""

import numpy as np
import pytest

from llmd_autoscaler.simulator.scenarios.program import Kind, Lengths, Phase, Scenario, Sessions
from llmd_autoscaler.simulator.scenarios.traffic import arrivals, rates_qps, replay

FIXED = Lengths(median=100, p90=100, most=100)


def scenario(kind: Kind, *phases: Phase) -> Scenario:
    return Scenario(name="x", about="x", hurts="x", seeds=(1,), kinds={"a": kind}, program=phases)


def phase(for_s: float, low: float, high: float) -> Phase:
    return Phase(for_s=for_s, qps={"a": (low, high)})


def test_a_ramp_rises_in_a_straight_line() -> None:
    of = scenario(Kind(isl=FIXED, osl=FIXED), phase(100, 2, 2), phase(100, 2, 4))
    rates = rates_qps(of, "a")
    # the middle of second 0, of the ramp's first, of its middle and of its last
    assert rates[[0, 100, 149, 199]] == pytest.approx([2.0, 2.01, 2.99, 3.99])


def test_a_phase_may_have_no_traffic() -> None:
    of = scenario(Kind(isl=FIXED, osl=FIXED), phase(60, 5, 5), Phase(for_s=60, qps={}))
    assert rates_qps(of, "a")[60:].tolist() == [0.0] * 60
    assert replay(of, seed=1).duration_s < 60.0


@pytest.mark.parametrize("dispersion", [1.0, 20.0, 150.0])
def test_minutes_have_the_index_of_dispersion_that_is_asked_for(dispersion: float) -> None:
    n_minutes = 4000
    at_s = arrivals(np.full(60 * n_minutes, 9.0), dispersion, np.random.default_rng(1))
    n = np.bincount((at_s // 60).astype(int), minlength=n_minutes)
    # 540 a minute; the standard error of a variance of 4,000 counts is about sqrt(2 / 4000), more for skewed ones
    assert n.mean() == pytest.approx(540.0, rel=0.03)
    assert n.var() / n.mean() == pytest.approx(dispersion, rel=0.08)


def test_lengths_have_their_median_and_their_90th_percentile() -> None:
    law = Lengths(median=900, p90=2700, most=8000)
    found = replay(scenario(Kind(isl=law, osl=FIXED), phase(2000, 10, 10)), seed=1)
    # 20,000 draws: the error of either is about a hundredth
    assert np.percentile(found.isl, [50, 90]) == pytest.approx([900, 2700], rel=0.04)
    assert found.isl.max() == 8000
    assert set(found.osl.tolist()) == {100}


def test_a_session_asks_again_with_all_that_was_said() -> None:
    law = Sessions(turns=3, adds=Lengths(median=7, p90=7, most=7), think_s=1.0, per_token_s=0.01)
    found = replay(scenario(Kind(isl=FIXED, osl=FIXED, sessions=law), phase(600, 1, 1)), seed=1)
    # each turn adds an answer of 100 tokens and 7 of the client's to the 100 of the start
    assert set((found.isl - 100) % 107) == {0}
    # geometric with mean 3: a third ends after each turn, so a third of all turns are first ones
    assert (found.isl == 100).mean() == pytest.approx(1 / 3, abs=0.04)


def test_sessions_are_under_way_when_a_scenario_starts() -> None:
    law = Sessions(turns=10, adds=FIXED, think_s=10.0, per_token_s=0.01)
    found = replay(scenario(Kind(isl=FIXED, osl=FIXED, sessions=law), phase(600, 2, 2)), seed=1)
    # 2 sessions/s of 10 turns are 20 requests/s from the first minute on
    assert found.at_s[0] >= 0.0
    assert (found.at_s < 60.0).sum() == pytest.approx(1200, rel=0.15)


def test_the_same_seed_gives_the_same_requests_and_another_others() -> None:
    of = scenario(Kind(isl=FIXED, osl=FIXED, dispersion=5.0), phase(300, 2, 2))
    one, same, other = (replay(of, seed=seed) for seed in (1, 1, 2))
    assert one.at_s.tolist() == same.at_s.tolist()
    assert one.at_s.tolist() != other.at_s.tolist()
