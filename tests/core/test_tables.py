"""Capacity tables: kept while they hold, made anew when they do not."""

import dataclasses

import numpy as np
import pytest

from llmd_autoscaler.core.burstiness import POISSON, Burstiness
from llmd_autoscaler.core.sample import Seen
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.tables import Tables, needed_tiers, providing, rides, tables, tiers
from llmd_autoscaler.core.traffic import CountSnapshot, traffic_mix
from llmd_autoscaler.core.world import TargetState, World
from llmd_autoscaler.errors import PlanError
from tests.core.worlds import FAST, INTERACTIVE, QUICK, RELAXED, counted, target, world

BOTH = (INTERACTIVE, RELAXED)
TWO = (target(limits=(1, 3)), target("h100", profile=FAST, limits=(1, 3)))


def counts(interactive: float, relaxed: float, *, isl: int = 1000) -> CountSnapshot:
    one = counted(interactive, n_classes=2, isl=isl)
    return one.plus(counted(relaxed, n_classes=2, class_index=1, isl=isl))


def made(known: Tables, it: World, shapes: CountSnapshot) -> Tables:
    mix = traffic_mix(shapes)
    rates = shapes.arrivals.sum(axis=1)[:, None] * mix.share / 100.0
    return tables(known, it, (rates, Seen(mix, shapes)), QUICK)


def of(
    *targets: TargetState, classes: tuple[QosClass, ...] = BOTH, may_tabulate: bool = True
) -> World:
    it = world(0.0, None, *targets, classes=classes)
    return dataclasses.replace(it, may_tabulate=may_tabulate)


def test_tiers_are_the_tpot_bounds_strictest_first() -> None:
    assert tiers(BOTH) == (0.080, float("inf"))


def test_a_class_rides_on_its_own_tier_and_on_stricter_ones() -> None:
    assert rides(RELAXED, 0.080)
    assert rides(INTERACTIVE, 0.080)
    assert not rides(INTERACTIVE, float("inf"))


def test_several_targets_may_serve_different_tiers() -> None:
    found = made({}, of(*TWO), counts(70.0, 30.0))
    assert set(found) == {(t, tier) for t in ("a100", "h100") for tier in (0.080, float("inf"))}


def test_a_single_target_serves_the_strictest_tier_in_demand() -> None:
    rates = np.ones((2, 23))
    assert needed_tiers(TWO[:1], BOTH, rates) == (0.080,)
    rates[0] = 0.0
    assert needed_tiers(TWO[:1], BOTH, rates) == (float("inf"),)


def test_a_table_is_kept_while_the_mix_stays() -> None:
    it = of(*TWO)
    known = made({}, it, counts(70.0, 30.0))
    again = made(known, it, counts(75.0, 30.0))
    assert all(again[key] is entry for key, entry in known.items())


def test_a_rate_that_doubles_changes_no_table() -> None:
    it = of(*TWO)
    known = made({}, it, counts(70.0, 30.0))
    again = made(known, it, counts(140.0, 60.0))
    assert all(again[key] is entry for key, entry in known.items())


@pytest.mark.parametrize("shapes", [counts(30.0, 70.0), counts(70.0, 30.0, isl=2000)])
def test_a_table_is_remade_when_the_mix_drifts(shapes: CountSnapshot) -> None:
    it = of(*TWO)
    known = made({}, it, counts(70.0, 30.0))
    again = made(known, it, shapes)
    assert again["a100", 0.080] is not known["a100", 0.080]


def test_a_table_is_remade_for_another_promise_profile_or_limit() -> None:
    known = made({}, of(*TWO), counts(70.0, 30.0))
    stricter = (dataclasses.replace(INTERACTIVE, percentile_frac=0.99), RELAXED)
    faster = dataclasses.replace(TWO[0], profile=FAST)
    larger = dataclasses.replace(TWO[0], max_instances=5)
    for it in (of(*TWO, classes=stricter), of(faster, TWO[1]), of(larger, TWO[1])):
        again = made(known, it, counts(70.0, 30.0))
        assert again["a100", 0.080] is not known["a100", 0.080]


def test_a_smaller_limit_needs_no_new_table() -> None:
    known = made({}, of(*TWO), counts(70.0, 30.0))
    smaller = dataclasses.replace(TWO[0], max_instances=2)
    again = made(known, of(smaller, TWO[1]), counts(70.0, 30.0))
    assert again["a100", 0.080] is known["a100", 0.080]


def test_targets_of_one_variant_share_their_table() -> None:
    twin = dataclasses.replace(TWO[0], name="twin")
    found = made({}, of(TWO[0], twin), counts(70.0, 30.0))
    assert found["a100", 0.080] is found["twin", 0.080]


def test_a_target_that_left_leaves_no_table() -> None:
    known = made({}, of(*TWO), counts(70.0, 30.0))
    assert {name for name, _ in made(known, of(*TWO[:1]), counts(70.0, 30.0))} == {"a100"}


def test_a_tier_that_no_request_rides_on_has_a_table_all_the_same() -> None:
    found = made({}, of(*TWO), counts(70.0, 0.0))
    assert found["a100", float("inf")].capacity.carried(1) > 0.0


def test_a_model_whose_turn_has_not_come_waits_for_its_table() -> None:
    it = of(*TWO, may_tabulate=False)
    with pytest.raises(PlanError, match="a100 is being tabulated"):
        made({}, it, counts(70.0, 30.0))


def test_a_table_that_drifted_serves_until_its_turn_comes() -> None:
    known = made({}, of(*TWO), counts(70.0, 30.0))
    again = made(known, of(*TWO, may_tabulate=False), counts(30.0, 70.0))
    assert all(again[key] is entry for key, entry in known.items())


BURSTY = Burstiness(1.0)


def bursty(known: Tables, it: World, bursts: Burstiness) -> Tables:
    shapes = counts(700.0, 300.0)
    mix = traffic_mix(shapes)
    rates = shapes.arrivals.sum(axis=1)[:, None] * mix.share / 100.0
    return tables(known, it, (rates, Seen(mix, shapes, bursts)), QUICK)


def test_what_a_fleet_carries_of_bursts_is_less() -> None:
    (entry,) = bursty({}, of(TWO[0]), BURSTY).values()
    assert entry.of_bursts is not None
    assert entry.of_bursts.carried(3) < 0.95 * entry.capacity.carried(3)


def test_arrivals_that_are_even_enough_have_one_table() -> None:
    (entry,) = bursty({}, of(TWO[0]), Burstiness(0.01)).values()
    assert entry.of_bursts is None


def test_a_table_is_made_anew_when_bursts_come_or_go() -> None:
    it = of(TWO[0])
    even, uneven = bursty({}, it, POISSON), bursty({}, it, BURSTY)
    key = ("a100", 0.080)
    assert bursty(even, it, BURSTY)[key].of_bursts is not None
    assert bursty(uneven, it, POISSON)[key].of_bursts is None
    assert bursty(uneven, it, Burstiness(0.9))[key] is uneven[key]


def test_bursts_are_provided_for_as_far_as_it_is_urgent() -> None:
    found = bursty({}, of(TWO[0]), BURSTY)
    key = ("a100", 0.080)
    calm, half, alarmed = (providing(found, u)[key].capacity.carried(2) for u in (0.0, 0.5, 1.0))
    assert calm == found[key].capacity.carried(2)
    assert half == pytest.approx(0.5 * (calm + alarmed))
    assert alarmed < calm
