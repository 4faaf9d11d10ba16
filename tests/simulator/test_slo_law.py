"""The published SLO law: its formula at hand-made values, and its signal."""

import asyncio
import math

import numpy as np
import pytest

from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.simulator.hpa_behavior import PolicyKind
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.slo_law import CLAMP, SloLaw, SloSetting, replicas
from llmd_autoscaler.simulator.virtual import new_fleet, play_by
from tests.simulator.setups import A100, setup, target, trace


@pytest.mark.parametrize(
    ("saturation", "n", "n_ready", "expected"),
    [
        # within 0.40 to 0.55 it holds
        (0.40, 8, 8, 8),
        (0.55, 8, 8, 8),
        # 8 + ceil(8 (0.66 / 0.55 - 1)) = 8 + ceil(1.6)
        (0.66, 8, 8, 10),
        # half of them start: 8 + ceil(8 (1.1 x 0.5 / 0.55 - 1)) = 8 + ceil(0)
        (1.1, 8, 4, 8),
        # the credit may ask for fewer than there are: 8 + ceil(8 (0.66 x 0.5 / 0.55 - 1)) = 8 + ceil(-3.2)
        (0.66, 8, 4, 5),
        # none is ready: no credit. 2 + ceil(2 (2 / 0.55 - 1)) = 2 + ceil(5.27)
        (2.0, 2, 0, 8),
        # 8 - floor(8 (1 - 0.3 / 0.4)) = 8 - 2
        (0.30, 8, 8, 6),
        # the way down has no credit
        (0.30, 8, 4, 6),
        # an idle pool asks for nothing, and the HPA keeps its minimum
        (0.0, 8, 8, 0),
    ],
)
def test_the_formula_is_the_published_one(saturation, n, n_ready, expected):
    assert replicas(saturation, n=n, n_ready=n_ready) == expected


def test_a_scale_moves_both_thresholds():
    # up from 1.1, down from 0.8
    assert replicas(1.0, n=4, n_ready=4, scale=2.0) == 4
    # 4 - floor(4 (1 - 0.4 / 0.8)) = 4 - 2
    assert replicas(0.4, n=4, n_ready=4, scale=2.0) == 2


def test_the_hpa_bursts_up_and_walks_down():
    spec = SloLaw(new_fleet(setup()), SloSetting()).spec(target(limits=(3, 8)))
    assert (spec.min_replicas, spec.max_replicas) == (3, 8)
    up, down = spec.behavior.up, spec.behavior.down
    assert (up.window_s, down.window_s) == (30.0, 180.0)
    assert {(p.kind, p.value, p.period_s) for p in up.policies} == {
        (PolicyKind.PERCENT, 100, 60.0),
        (PolicyKind.PODS, 4, 60.0),
    }
    assert [(p.kind, p.value, p.period_s) for p in down.policies] == [(PolicyKind.PODS, 1, 120.0)]


def alone(*, n: int = 20, osl: int = 2) -> Replay:
    """Requests ten seconds apart: each meets an idle instance, and all are served alike."""
    return Replay(
        np.arange(n) * 10.0,
        np.full(n, 1000, dtype=np.int64),
        np.full(n, osl, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )


def desired(law: SloLaw, fleet, *, until_s: float) -> int:
    """What the law asks for after its rules ran every 15 s."""
    for at_s in np.arange(0.0, until_s + 1.0, 15.0):
        fleet.advance(float(at_s))
        asyncio.run(law.tick(float(at_s)))
    (milli,) = law.metric(A100, until_s).items_milli
    return milli // 1000


def ttft_s() -> float:
    """Of a request that meets an idle instance."""
    fleet = new_fleet(setup(start=1, replay=alone()))
    fleet.advance(1.0)
    answers = fleet.recent(0)
    return float(answers.first_s[0] - answers.at_s[0])


def asked(bounds: Bounds, setting: SloSetting) -> int:
    fleet = new_fleet(setup(start=4, replay=alone(), classes=(QosClass("only", 1, 0.99, bounds),)))
    return desired(SloLaw(fleet, setting), fleet, until_s=120.0)


def test_latencies_are_measured_against_the_bounds_of_the_classes():
    # at half the bound it holds four; at 0.19 of it 4 - floor(4 (1 - 0.19 / 0.4)) = 2; at all of it 4 + ceil(4 (1 / 0.55 - 1)) = 8
    for part, expected in ((0.5, 4), (0.19, 2), (1.0, 8)):
        assert asked(Bounds(ttft_max_s=ttft_s() / part), SloSetting()) == expected


def test_the_published_bounds_do_not_know_the_classes():
    tight = Bounds(ttft_max_s=ttft_s() / 1.9)
    flat = SloSetting(has_class_bounds=False)
    # two tokens: TPOT is one step of 26 ms or more of 100 ms, TTFT less of its 3 s; 4 - floor(4 (1 - 0.27 / 0.4)) = 3
    assert asked(tight, SloSetting()) > 4
    assert asked(tight, flat) == 3


def test_a_class_without_bounds_asks_for_nothing():
    # next to nothing of an endless bound: 4 - floor(4 (1 - 0)) would be 0, and a little above it 1
    assert asked(Bounds(e2e_max_s=1e6), SloSetting()) == 1
    assert asked(Bounds(), SloSetting()) == 0


def test_without_traffic_the_signal_falls_to_nothing_and_with_too_much_it_is_clamped():
    fleet = new_fleet(setup(start=4, replay=alone(n=2)))
    law = SloLaw(fleet, SloSetting())
    assert desired(law, fleet, until_s=15.0) > 0
    fleet.advance(200.0)
    asyncio.run(law.tick(200.0))
    assert law.metric(A100, 200.0).items_milli == (0,)
    hopeless = Bounds(ttft_max_s=1e-6)
    # 4 + ceil(4 (2 / 0.55 - 1)): two is the clamp, whatever the latency
    assert asked(hopeless, SloSetting()) == 4 + math.ceil(4 * (CLAMP / 0.55 - 1.0))


@pytest.mark.slow
def test_a_request_that_waits_for_long_still_counts_when_it_gets_its_token():
    # one instance for traffic of six: prompts wait for minutes, and the law must not take that for an idle pool
    of = setup(target(limits=(1, 10)), start=1, replay=trace(600.0))
    fleet = new_fleet(of)
    result = asyncio.run(play_by(of, fleet, SloLaw(fleet, SloSetting())))
    assert result.events[A100][0].after > 1
    assert max(event.after for event in result.events[A100]) >= 6
