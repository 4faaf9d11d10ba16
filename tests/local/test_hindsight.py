"""Bounds with hindsight, on the packaged trace."""

import dataclasses

import pytest

from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.hindsight import Hindsight, lookahead_gpu_hours, static_hindsight
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.scenario import replay_of, setup_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def setup():
    """The first five minutes of the default."""
    blueprint = load_config()
    return setup_of(blueprint, replay_of(blueprint, Options(until_s=300.0)), seed=1)


def test_the_static_bound_is_its_instances_over_the_whole_interval(setup):
    found = static_hindsight(setup)
    (n,) = found.static_instances.values()
    # n instances of 4 accelerators
    assert found.static_gpu_hours == pytest.approx(n * 4 * setup.replay.duration_s / 3600)


def test_where_no_fleet_keeps_the_slo_there_is_no_bound(setup):
    small = tuple(dataclasses.replace(t, min_instances=1, max_instances=1) for t in setup.targets)
    alone = dataclasses.replace(setup, targets=small, start={t.name: 1 for t in small})
    assert static_hindsight(alone) == Hindsight()
    assert lookahead_gpu_hours(alone) is None
