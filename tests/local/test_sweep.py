"""Which settings are tried, and which of them is quoted."""

import pytest

from llmd_autoscaler.local.sweep import (
    ENTRIES,
    NAMES,
    SCALES,
    TARGETS,
    best_of,
    between,
    is_at_an_edge,
    static_fleets,
    unswept,
)
from llmd_autoscaler.simulator.contest import Outcome
from llmd_autoscaler.simulator.load_law import Signal
from llmd_autoscaler.simulator.slo_law import CLAMP, THETA_UP
from tests.local.outcomes import in_flight
from tests.simulator.setups import setup, target

ENTRY = {entry.name: entry for entry in ENTRIES}


def test_the_cheapest_that_keeps_the_slo_is_quoted():
    cheap, good, dear = in_flight(30, 20.0, 1.2), in_flight(20, 24.0, 1.0), in_flight(9, 30.0, 0.2)
    assert best_of([dear, cheap, good]) is good


def test_where_none_keeps_the_slo_the_one_that_misses_least_is_quoted():
    worse, better = in_flight(30, 20.0, 3.0), in_flight(20, 40.0, 1.1)
    assert best_of([worse, better]) is better


@pytest.mark.parametrize("signal", list(Signal))
def test_a_sweep_rises(signal):
    assert list(TARGETS[signal]) == sorted(set(TARGETS[signal]))


def test_no_threshold_of_the_slo_law_is_beyond_its_clamp():
    assert max(SCALES) * THETA_UP < CLAMP


def test_the_plain_hpas_are_tried_with_both_down_windows():
    settings = ENTRY["hpa-kv"].first()
    assert {each.way.down_window_s for each in settings} == {0.0, 300.0}
    assert len(settings) == 2 * len(TARGETS[Signal.KV])


def test_the_second_round_lies_between_the_best_and_its_neighbours():
    values = (1.0, 8.0, 64.0)
    outcomes = [
        in_flight(v, h, s) for v, h, s in zip(values, (30, 20, 10), (0.1, 0.9, 4), strict=True)
    ]
    # two between 1 and 8, two between 8 and 64, each twice the one before
    assert between(values, outcomes, 2) == [2.0, 4.0, 16.0, 32.0]


def test_at_the_end_of_a_sweep_there_is_one_neighbour():
    values = (1.0, 4.0)
    outcomes = [in_flight(1, 30, 2.0), in_flight(4, 20, 3.0)]
    assert between(values, outcomes, 1) == [2.0]


def first_round(best_target: float) -> list[Outcome]:
    """Every setting of the in-flight law played, one of them well."""
    return [
        in_flight(each.way.target, 20.0, 0.5 if each.way.target == best_target else 2.0)
        for each in ENTRY["hpa-in-flight"].first()
        if each.way.down_window_s == 300.0
    ]


def test_a_best_setting_at_the_end_of_its_sweep_is_told():
    entry = ENTRY["hpa-in-flight"]
    assert is_at_an_edge(entry, best_of(first_round(256)))
    assert not is_at_an_edge(entry, best_of(first_round(22)))


def test_every_fleet_within_the_limits_is_played():
    fleets = static_fleets(setup(target(limits=(3, 6))))
    assert [each.way.instances for each in fleets] == [(3,), (4,), (5,), (6,)]


def test_only_those_that_were_asked_for_are_played():
    assert [each.name for each in unswept(["ours", "hpa-kv"])] == ["ours"]
    assert {each.name for each in unswept(NAMES)} == {"ours", "look-ahead"}
