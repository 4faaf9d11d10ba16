"""The plain HPAs: what they read, and what follows."""

import asyncio
import dataclasses

import numpy as np
import pytest

from llmd_autoscaler.simulator.hpa import HpaSpec
from llmd_autoscaler.simulator.load_law import LoadLaw, Setting, Signal
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual import Result, new_fleet, play_by
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet
from tests.simulator.setups import A100, setup, target, trace


def together(n: int, *, isl: int, osl: int) -> Replay:
    """So many requests at one moment, and one more an hour later."""
    at_s = np.append(np.zeros(n), 3600.0)
    return Replay(
        at_s,
        np.full(n + 1, isl, dtype=np.int64),
        np.full(n + 1, osl, dtype=np.int64),
        np.zeros(n + 1, dtype=np.int64),
    )


def fleet_with(n: int, *, start: int = 3, isl: int = 1000, osl: int = 1000) -> VirtualFleet:
    """A fleet 5 s after so many requests came at once."""
    fleet = new_fleet(setup(start=start, replay=together(n, isl=isl, osl=osl)))
    fleet.advance(5.0)
    return fleet


def read(fleet: VirtualFleet, signal: Signal) -> int:
    """The metric in thousandths."""
    (value,) = LoadLaw(fleet, Setting(signal, 10.0, 0.0)).metric(A100, 5.0).items_milli
    return value


def test_requests_in_flight_are_summed_over_the_instances():
    # answers of 1,000 tokens at 26 ms a step or more are not over after 5 s
    assert read(fleet_with(9), Signal.IN_FLIGHT) == 9000


def test_only_what_waits_is_counted_as_waiting():
    # 3 instances take 256 sequences each (max_num_seqs of the profile): of 900, 132 wait
    fleet = fleet_with(900, isl=10, osl=1000)
    assert read(fleet, Signal.IN_FLIGHT) == 900_000
    assert read(fleet, Signal.WAITING) == (900 - 3 * 256) * 1000


def test_kv_use_is_the_share_of_the_cache_that_holds_tokens():
    fleet = fleet_with(3, isl=1000, osl=1000)
    kv_tokens = target().profile.kv_tokens
    # one request an instance: its 1,000 prompt tokens and at most the 1,000 of its answer
    shares = [each.kv_used_frac for each in fleet.gauges(A100)]
    assert len(shares) == 3
    assert all(1000 / kv_tokens <= share <= 2000 / kv_tokens for share in shares)
    assert read(fleet, Signal.KV) == round(1000 * sum(shares))


def test_an_instance_that_drains_is_read_no_more():
    fleet = fleet_with(9)
    fleet.scale(A100, 2)
    assert len(fleet.gauges(A100)) == 2
    # of nine requests dealt evenly, the three of the drained instance are not seen
    assert read(fleet, Signal.IN_FLIGHT) == 6000


def test_without_a_ready_instance_there_is_nothing_to_read():
    fleet = fleet_with(3)
    fleet.scale(A100, 0)
    metric = LoadLaw(fleet, Setting(Signal.KV, 0.5, 0.0)).metric(A100, 5.0)
    assert metric.failure


def spec(down_window_s: float) -> HpaSpec:
    fleet = new_fleet(setup())
    return LoadLaw(fleet, Setting(Signal.KV, 0.08, down_window_s)).spec(target(limits=(2, 9)))


def test_the_hpa_has_the_limits_of_its_target_and_the_window_of_its_setting():
    found = spec(300.0)
    assert (found.min_replicas, found.max_replicas) == (2, 9)
    # 0.08 of a cache in thousandths
    assert found.metrics[0].target_milli == 80
    assert found.behavior is not None
    assert (found.behavior.up.window_s, found.behavior.down.window_s) == (0.0, 300.0)


def played(setting: Setting, start: int = 4) -> Result:
    of = dataclasses.replace(setup(start=start), replay=trace(600.0))
    fleet = new_fleet(of)
    return asyncio.run(play_by(of, fleet, LoadLaw(fleet, setting)))


@pytest.mark.slow
def test_a_lower_target_takes_more_gpu_hours_and_misses_less():
    low, high = (played(Setting(Signal.IN_FLIGHT, target, 300.0)) for target in (8.0, 40.0))
    assert low.gpu_hours > high.gpu_hours
    assert low.attainment[0] > high.attainment[0]


@pytest.mark.slow
def test_a_target_that_load_never_reaches_leaves_the_minimum():
    result = played(Setting(Signal.IN_FLIGHT, 1e6, 0.0))
    # down to three at the first sync, and never up again
    assert [event.after for event in result.events[A100]] == [3]


@pytest.mark.slow
def test_a_law_repeated_gives_the_same_run():
    one, two = (played(Setting(Signal.KV, 0.08, 0.0)) for _ in range(2))
    assert one.events == two.events
    assert np.array_equal(one.answers.last_s, two.answers.last_s)
