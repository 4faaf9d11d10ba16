"""What an instance of the virtual fleet shows is what the simulated server would show."""

import numpy as np
import pytest

from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual import new_fleet
from tests.simulator.setups import A100, profile, setup, target

N, GAP_S = 300, 0.01


@pytest.mark.parametrize("now_s", [0.5, 2.9, 4.0, 30.0, 400.0])
def test_gauges_are_those_of_the_simulated_server(now_s):
    isl = np.arange(N, dtype=np.int64) * 7 % 900 + 100
    osl = np.arange(N, dtype=np.int64) * 11 % 300 + 1
    at_s = np.append(np.arange(N - 1) * GAP_S, 1000.0)
    replay = Replay(at_s, isl, osl, np.zeros(N, dtype=np.int64))
    fleet = new_fleet(setup(target(limits=(1, 1)), start=1, replay=replay))
    fleet.advance(now_s)
    alone = Engine(profile(A100), now_s=0.0)
    for r in np.flatnonzero(at_s <= now_s):
        alone.advance(float(at_s[r]))
        alone.submit(arrival_s=float(at_s[r]), isl=int(isl[r]), osl=int(osl[r]))
    alone.advance(now_s)
    shown, (found,) = alone.snapshot(), fleet.gauges(A100)
    assert (found.n_running, found.n_waiting) == (shown.n_running, shown.n_waiting)
    assert found.kv_used_frac == shown.kv_used_tokens / profile(A100).kv_tokens
    assert found.n_in_flight == shown.n_running + shown.n_waiting


def test_a_starting_instance_shows_nothing():
    fleet = new_fleet(setup(start=3))
    fleet.scale(A100, 5)
    fleet.advance(1.0)
    assert len(fleet.gauges(A100)) == 3


def test_nobody_sees_a_token_before_it_comes():
    fleet = new_fleet(setup(start=3))
    fleet.advance(20.0)
    recent = fleet.recent(0)
    assert len(recent.at_s) == np.count_nonzero(fleet.replay.at_s <= 20.0)
    for times_s in (recent.first_s, recent.last_s):
        assert (times_s[np.isfinite(times_s)] <= 20.0).all()
    assert np.isinf(recent.last_s).any()
    later = fleet.recent(5)
    assert later.at_s[0] == fleet.replay.at_s[5]


def test_an_instance_that_is_gone_is_forgotten_and_still_paid_for():
    fleet = new_fleet(setup(start=4))
    fleet.scale(A100, 3)
    # of four that became ready together the first goes, at once: it had nothing to do
    names = [i.name for i in fleet.deployments[A100].instances]
    assert names == [f"{A100}-{n}" for n in (1, 2, 3)]
    fleet.advance(10.0)
    # in the order of their creation
    assert fleet.spans_s(A100, 10.0) == [(0.0, 0.0, 4)] + [(0.0, 10.0, 4)] * 3


def test_a_name_is_never_used_again():
    fleet = new_fleet(setup(start=4))
    fleet.scale(A100, 3)
    fleet.scale(A100, 4)
    assert fleet.deployments[A100].instances[-1].name == f"{A100}-4"
