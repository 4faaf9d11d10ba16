"""Plans: sizes, routes, and what is left over."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from llmd_autoscaler.core import demand
from llmd_autoscaler.core.load import work_s
from llmd_autoscaler.core.plan import Plan, load_of, plan
from llmd_autoscaler.core.sample import Seen
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.tables import tables
from llmd_autoscaler.core.traffic import CountSnapshot, TrafficMix, traffic_mix
from llmd_autoscaler.core.world import Route, TargetState, World
from tests.core.worlds import FAST, INTERACTIVE, QUICK, RELAXED, counted, target, world

BOTH = (INTERACTIVE, RELAXED)
SLOW_TARGET = target("a100", limits=(0, 8))
FAST_TARGET = target("h100", profile=FAST, usd_per_hour=30.0, limits=(0, 8), n_ready=0)


def shapes_of(
    classes: Sequence[QosClass], lengths: Sequence[tuple[int, int]] = ((1000, 200),)
) -> CountSnapshot:
    n = len(classes)
    total = CountSnapshot.zero(n)
    for c in range(n):
        for isl, osl in lengths:
            total = total.plus(counted(200.0, n_classes=n, class_index=c, isl=isl, osl=osl))
    return total


def planned(
    it: World, qps: Sequence[float], shapes: CountSnapshot | None = None
) -> tuple[Plan, TrafficMix, CountSnapshot]:
    shapes = shapes or shapes_of(it.classes)
    mix = traffic_mix(shapes)
    rates = np.array(qps)
    known = tables({}, it, (rates[:, None] * mix.share, Seen(mix, shapes)), QUICK)
    found = demand.cells(it.classes, rates, mix.share, work_s(it.targets[0].profile, mix))
    return plan(it, found, mix, known), mix, shapes


def of(*targets: TargetState, classes: tuple[QosClass, ...] = (INTERACTIVE,)) -> World:
    return world(0.0, None, *targets, classes=classes)


def test_the_cheaper_variant_wins_when_both_carry_the_load() -> None:
    found, *_ = planned(of(SLOW_TARGET, FAST_TARGET), [0.8])
    assert found.instances == {"a100": 1, "h100": 0}
    # far enough above 30 to be worth the change: the slow one runs already
    dear = dataclasses.replace(SLOW_TARGET, usd_per_hour=40.0)
    found, *_ = planned(of(dear, FAST_TARGET), [0.8])
    assert found.instances == {"a100": 0, "h100": 1}


def test_a_class_that_the_slow_variant_cannot_serve_takes_the_fast_one() -> None:
    # a step of the slow one takes 26 ms at the least
    strict = QosClass("strict", 100, 0.95, Bounds(tpot_max_s=0.025))
    ready = dataclasses.replace(FAST_TARGET, n_ready=1)
    found, *_ = planned(of(SLOW_TARGET, ready, classes=(strict, RELAXED)), [0.4, 0.4])
    assert found.instances["h100"] >= 1
    assert all(
        set(route.fractions) == {"h100"} for route in found.routes if route.class_name == "strict"
    )
    assert found.infeasible == ()


def test_the_fractions_of_every_route_sum_to_one() -> None:
    ready = dataclasses.replace(FAST_TARGET, n_ready=1)
    found, *_ = planned(
        of(SLOW_TARGET, ready, classes=BOTH),
        [2.5, 2.0],
        shapes_of(BOTH, [(300, 100), (1000, 200), (4000, 300)]),
    )
    assert {route.class_name for route in found.routes} == {"interactive", "relaxed"}
    for route in found.routes:
        assert sum(route.fractions.values()) == pytest.approx(1.0)


def test_what_the_ready_ones_carry_ends_with_a_route_without_an_upper_limit() -> None:
    ready = dataclasses.replace(SLOW_TARGET, n_ready=6)
    found, *_ = planned(
        of(ready, FAST_TARGET, classes=BOTH),
        [2.5, 2.0],
        shapes_of(BOTH, [(300, 100), (1000, 200), (4000, 300)]),
    )
    for name in ("interactive", "relaxed"):
        mine = [route for route in found.routes if route.class_name == name]
        assert mine[-1].isl_up_to is None
        assert all(route.isl_up_to is not None for route in mine[:-1])


def test_what_the_ready_ones_cannot_carry_has_no_route_and_goes_wherever_work_is_least() -> None:
    found, *_ = planned(of(SLOW_TARGET, FAST_TARGET, classes=BOTH), [10.0, 1.0])
    assert found.infeasible == ()
    assert {route.class_name for route in found.routes} == {"interactive"}


def test_with_one_target_a_class_has_one_route() -> None:
    found, *_ = planned(
        of(SLOW_TARGET), [1.0], shapes_of((INTERACTIVE,), [(300, 100), (4000, 300)])
    )
    assert found.routes == (Route("interactive", None, {"a100": 1.0}),)


def test_routes_send_nothing_to_what_is_still_starting() -> None:
    starting = dataclasses.replace(FAST_TARGET, n_starting=3)
    found, *_ = planned(of(dataclasses.replace(SLOW_TARGET, usd_per_hour=90.0), starting), [2.0])
    assert found.instances["h100"] >= 1
    assert [dict(route.fractions) for route in found.routes] == [{"a100": 1.0}]


def test_while_nothing_is_ready_routes_are_those_of_the_plan() -> None:
    found, *_ = planned(of(dataclasses.replace(SLOW_TARGET, n_ready=0), FAST_TARGET), [1.0])
    assert {name for route in found.routes for name in route.fractions} == {"a100"}


def test_the_load_of_a_plan_is_carried_by_its_instances() -> None:
    found, *_ = planned(of(SLOW_TARGET), [3.0])
    load = load_of(found, "a100", 8)
    assert 0.0 < load <= found.instances["a100"] < load + 1.0


def test_a_bound_that_no_idle_instance_keeps_is_named_with_its_class() -> None:
    hasty = QosClass("hasty", 100, 0.95, Bounds(ttft_max_s=0.05))
    found, *_ = planned(of(SLOW_TARGET, classes=(hasty,)), [1.0])
    assert [(i.class_name, i.bound, round(i.qps, 2)) for i in found.infeasible] == [
        ("hasty", "ttft", 1.0)
    ]
    assert "prompts of 1000 tokens miss ttft on an idle instance" in found.infeasible[0].text


def test_a_prompt_beyond_kv_memory_is_named_so() -> None:
    small = dataclasses.replace(
        SLOW_TARGET, profile=dataclasses.replace(SLOW_TARGET.profile, kv_tokens=1100)
    )
    found, *_ = planned(of(small, classes=(RELAXED,)), [1.0])
    assert found.infeasible[0].bound == "kv"


def test_more_than_the_limits_carry_is_infeasible_by_capacity_and_the_limit_binds() -> None:
    few = dataclasses.replace(SLOW_TARGET, max_instances=2)
    found, *_ = planned(of(few), [20.0])
    assert found.instances == {"a100": 2}
    assert found.binding == "a100"
    assert found.infeasible[0].bound == "capacity"
    assert "more than the limits carry (2 x a100)" in found.infeasible[0].text
    # what is left is what two do not carry
    assert 0.0 < found.infeasible[0].qps < 20.0


def test_a_fleet_at_its_limit_that_carries_everything_is_not_bound() -> None:
    found, *_ = planned(of(dataclasses.replace(SLOW_TARGET, max_instances=1)), [0.5])
    assert (found.binding, found.infeasible) == (None, ())


def test_a_paused_target_keeps_its_number_in_the_plan() -> None:
    paused = dataclasses.replace(SLOW_TARGET, is_paused=True, desired=5)
    found, *_ = planned(of(paused), [0.5])
    assert found.instances == {"a100": 5}


def test_a_load_that_nothing_carries_is_shown_as_the_limit() -> None:
    # nothing routed at all is no load; a table of zeros under work is the limit
    found, *_ = planned(of(SLOW_TARGET), [1.0])
    table = dataclasses.replace(found.tables["a100"], work=np.zeros_like(found.tables["a100"].work))
    assert load_of(dataclasses.replace(found, tables={"a100": table}), "a100", 8) == 8.0
