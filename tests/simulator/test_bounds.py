"""Bounds with hindsight."""

import asyncio
import dataclasses

import pytest

from llmd_autoscaler.core.score import keeps_slo
from llmd_autoscaler.errors import InfeasibleError
from llmd_autoscaler.simulator.bounds import best_static, look_ahead
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual import Published, Result, Setup, Static, new_fleet, play, run
from tests.simulator.setups import A100, CLASSES, H100, setup, target, trace

pytestmark = pytest.mark.slow


def static(of: Setup, numbers: dict[str, int]) -> Result:
    return asyncio.run(play(of, new_fleet(of, numbers), Static(numbers)))


def test_the_best_static_fleet_keeps_the_slo_and_one_instance_fewer_does_not() -> None:
    of = setup(target(limits=(1, 12)))
    found = best_static(of)
    n = found.numbers[A100]
    assert n > 1
    assert keeps_slo(CLASSES, static(of, {A100: n}).attainment)
    assert not keeps_slo(CLASSES, static(of, {A100: n - 1}).attainment)


def test_of_two_variants_the_cheapest_constant_mix_is_found() -> None:
    # the fast one for a dollar: nobody would take a slow one for fourteen beyond its minimum
    of = setup(target(limits=(1, 4)), target(H100, usd_per_hour=1.0, limits=(1, 8)))
    assert best_static(of).numbers[A100] == 1


def test_traffic_that_no_fleet_within_the_limits_carries_is_infeasible_by_name() -> None:
    of = setup(target(limits=(1, 2)), replay=trace(200.0))
    with pytest.raises(InfeasibleError, match=f"up to 2 x {A100} keeps the SLO"):
        best_static(of)


def test_who_knows_the_traffic_needs_no_more_than_we_do() -> None:
    ours, _ = run(setup(start=8))
    bound = look_ahead(setup(start=8))
    assert bound.gpu_hours <= ours.gpu_hours


def test_who_knows_the_traffic_answers_all_of_it() -> None:
    assert look_ahead(setup()).answers.is_completed.all()


def test_when_the_traffic_ends_the_bound_goes_to_the_minimum() -> None:
    # 40 s of traffic and a last request long after: in between there is nothing to serve
    whole = trace(600.0)
    kept = [*range(len(trace(40.0).at_s)), len(whole.at_s) - 1]
    cut = Replay(whole.at_s[kept], whole.isl[kept], whole.osl[kept], whole.class_of[kept])
    bound = look_ahead(setup(start=6, replay=cut))
    # six for the first minutes at most, then the minimum of three
    assert bound.events[A100][-1].after == 3


def test_a_stock_holds_for_us_and_for_the_bounds() -> None:
    # four accelerators an instance: sixteen are four instances, too few for this traffic
    of = dataclasses.replace(setup(target(limits=(1, 12)), start=4), stock={A100: 16})
    ours, published = run(of)
    assert max(numbers[0] for numbers in _desired(published)) == 4
    assert ours.answers.is_completed.all()
    with pytest.raises(InfeasibleError):
        best_static(of)


def _desired(published: Published) -> list[tuple[int, ...]]:
    return [tuple(t.desired for t in each.decision.targets) for each in published.publications]
