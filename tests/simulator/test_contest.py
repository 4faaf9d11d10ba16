"""Every kind of contender on one short setup."""

import dataclasses
import json
import pickle

import pytest

from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.simulator.bounds import best_static, fleets, fractional_gpu_hours, look_ahead
from llmd_autoscaler.simulator.contest import (
    Constant,
    Contender,
    Kind,
    LookAhead,
    Ours,
    outcome,
    with_instant_starts,
)
from llmd_autoscaler.simulator.load_law import Setting, Signal
from llmd_autoscaler.simulator.slo_law import SloSetting
from llmd_autoscaler.simulator.virtual import run
from tests.simulator.setups import A100, H100, setup, target, trace

pytestmark = pytest.mark.slow

SHORT = setup(start=6, replay=trace(300.0))


def test_our_own_outcome_is_that_of_the_run():
    result, _ = run(SHORT)
    found = outcome(SHORT, Contender("ours", Kind.OURS, Ours()))
    assert (found.gpu_hours, found.n_events) == (result.gpu_hours, result.n_events)
    assert list(found.attainment.values()) == result.attainment.tolist()


def test_a_knob_of_ours_reaches_the_policy():
    hasty = outcome(SHORT, Contender("ours", Kind.OURS, Ours(scale_in_window_s=0.0)))
    policy = dataclasses.replace(SHORT.policy, scale_in_window_s=0.0)
    expected, _ = run(dataclasses.replace(SHORT, policy=policy))
    assert hasty.gpu_hours == expected.gpu_hours
    assert Policy().scale_in_window_s != 0.0


def test_a_constant_fleet_is_played_at_its_own_size():
    found = outcome(SHORT, Contender("static", Kind.STATIC, Constant((4,))))
    # four instances of four accelerators from the first to the last arrival
    assert found.gpu_hours == pytest.approx(16 * SHORT.replay.duration_s / 3600.0)


def test_fleets_are_tried_from_the_cheapest_up():
    both = setup(target(limits=(1, 2)), target(H100, usd_per_hour=22.0, limits=(1, 2)))
    # $14 and $22: (1, 1) 36, (2, 1) 50, (1, 2) 58, (2, 2) 72
    assert fleets(both) == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert best_static(SHORT).numbers[A100] in range(3, 11)


def test_a_bound_that_waits_to_scale_in_takes_more():
    eager = look_ahead(SHORT)
    patient = look_ahead(SHORT, scale_in_window_s=240.0)
    assert patient.gpu_hours >= eager.gpu_hours
    assert patient.n_reversals <= eager.n_reversals


def test_instances_that_start_at_once_need_no_more():
    found = outcome(SHORT, Contender("b", Kind.BOUND, LookAhead(has_instant_starts=True)))
    assert found.gpu_hours <= outcome(SHORT, Contender("b", Kind.BOUND, LookAhead())).gpu_hours
    assert with_instant_starts(SHORT).targets[0].lead.p90_s == 0.0


def test_the_load_itself_is_below_every_whole_fleet():
    instant = outcome(SHORT, Contender("b", Kind.BOUND, LookAhead(has_instant_starts=True)))
    assert 0.0 < fractional_gpu_hours(SHORT) < instant.gpu_hours


def test_where_no_fleet_follows_there_is_no_outcome():
    # three of four accelerators each are the minimum, and eight exist
    poor = dataclasses.replace(SHORT, stock={A100: 8})
    assert outcome(poor, Contender("b", Kind.BOUND, LookAhead())) is None


@pytest.mark.parametrize(
    ("way", "params"),
    [
        (Ours(), {}),
        (Constant((4, 2)), {"instances": (4, 2)}),
        (Setting(Signal.KV, 0.08, 300.0), {"signal": "kv", "target": 0.08, "down_window_s": 300.0}),
        (SloSetting(1.2), {"scale": 1.2, "has_class_bounds": True}),
    ],
)
def test_a_setting_is_told_by_its_knobs_and_travels_to_a_worker(way, params):
    contender = Contender("any", Kind.SIMPLE, way)
    assert contender.params() == params
    assert json.loads(json.dumps(contender.params())).keys() == params.keys()
    assert pickle.loads(pickle.dumps(contender)) == contender  # noqa: S301 (our own bytes)
