"""Pods and their engines in virtual time, and the compiled router before them."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmd_autoscaler.core.capacity import free_routing
from llmd_autoscaler.core.engine import fleet as fleets
from llmd_autoscaler.core.engine.compiled import as_float_row, as_int_row
from llmd_autoscaler.core.engine.state import TAIL, WORK_S, new_fleet, new_requests
from llmd_autoscaler.core.realised import BOUNDS
from llmd_autoscaler.core.shapes import bin_of
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.world import Route, TargetState
from llmd_autoscaler.router.pick import (
    Asked,
    Candidate,
    LeastWork,
    Shares,
    cheapest,
    expected_work,
)
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet
from llmd_autoscaler.translate.routing import Place
from llmd_autoscaler.translate.routing import Route as PlaceRoute
from tests.core.worlds import FAST, INTERACTIVE, RELAXED, SLOW, target

PLACES = (Place("a", "mixed"), Place("b", "mixed"), Place("c", "mixed"))
BOTH = (INTERACTIVE, RELAXED)


# --- the router's rule, compiled and live -------------------------------------------------------


@given(
    weights=st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any),
    available=st.lists(st.sets(st.integers(0, 2)), min_size=1, max_size=40),
)
def test_the_compiled_router_deals_targets_as_the_live_one(
    weights: list[int], available: list[set[int]]
) -> None:
    fractions = [weight / sum(weights) for weight in weights]
    routes = tuple(PlaceRoute(p, f) for p, f in zip(PLACES, fractions, strict=True))
    routing = free_routing(1, [], n_targets=3)
    for g, fraction in enumerate(fractions):
        routing.fraction[0][g] = fraction
    shares = Shares()
    for ready in available:
        for g in range(3):
            routing.n_routable[g] = int(g in ready)
        live = shares.next_place("set", routes, {PLACES[g] for g in ready})
        compiled = fleets.pick_target(routing, 0)
        assert compiled == (-1 if live is None else PLACES.index(live))


@given(
    st.lists(
        st.tuples(st.floats(0.0, 40.0), st.integers(0, 1), st.booleans()), min_size=1, max_size=9
    ),
    st.integers(1, 20_000),
    st.floats(1.0, 2000.0),
    st.sampled_from([None, 0, 1]),
)
def test_the_compiled_router_takes_the_instance_that_the_live_one_takes(
    instances: list[tuple[float, int, bool]], isl: int, osl: float, only: int | None
) -> None:
    profiles = (SLOW, FAST)
    fleet = new_fleet([profiles[g] for _, g, _ in instances], now_s=0.0)
    routing = free_routing(1, [g for _, g, _ in instances], n_targets=2)
    candidates = []
    for i, (work_s, g, is_routable) in enumerate(instances):
        fleet.floats[i][WORK_S] = work_s
        routing.is_routable[i] = int(is_routable)
        routing.n_routable[g] -= int(not is_routable)
        if is_routable and only in {None, g}:
            request = expected_work(profiles[g].step, isl=isl, osl=osl).total_s
            candidates.append(Candidate(f"{i}", PLACES[g], 1, work_s, 0.0, request))
    if only is not None:
        routing.rule_of[bin_of(isl)] = 0
        routing.fraction[0][only] = 1.0
    if not candidates:
        return
    traffic = fleets.Traffic(
        as_float_row([0.0]),
        as_int_row([0]),
        as_int_row([bin_of(isl)]),
        as_int_row([isl]),
        as_int_row([10]),
        as_float_row([osl]),
    )
    fleets.serve(fleet, new_requests(1), traffic, routing, 0, 1)
    (taken,) = [i for i, n in enumerate(fleet.ints) if n[TAIL] == 1]
    live = cheapest(LeastWork(), Asked("m", "c", isl, None), candidates)
    costs = dict(
        zip(
            [c.name for c in candidates],
            LeastWork().costs(Asked("m", "c", isl, None), candidates),
            strict=True,
        )
    )
    # the same one, unless two cost the same to the last bits
    assert live.name == f"{taken}" or costs[f"{taken}"] == pytest.approx(
        costs[live.name], rel=1e-12
    )


# --- pods ---------------------------------------------------------------------------------------


def replay(n: int, *, gap_s: float = 0.5, isl: int = 1000, osl: int = 100) -> Replay:
    return Replay(
        at_s=np.arange(n, dtype=np.float64) * gap_s,
        isl=np.full(n, isl, dtype=np.int64),
        osl=np.full(n, osl, dtype=np.int64),
        class_of=np.arange(n, dtype=np.int64) % 2,
    )


def fleet_of(
    *targets: TargetState,
    start: int = 1,
    traffic: Replay | None = None,
    classes: tuple[QosClass, ...] = BOTH,
) -> VirtualFleet:
    found = targets or (target(),)
    return VirtualFleet(
        classes,
        found,
        replay(200) if traffic is None else traffic,
        start={t.name: start for t in found},
        seed=1,
    )


def test_what_runs_at_the_start_is_ready_at_once() -> None:
    (state,) = fleet_of(start=3).states({})
    assert (state.n_ready, state.n_starting, state.desired) == (3, 0, 0)


def test_a_new_instance_serves_only_after_its_lead_time() -> None:
    it = fleet_of()
    it.scale("a100", 2)
    ready_s = it.next_change_s()
    assert 20.0 < ready_s < 300.0
    it.advance(ready_s - 0.001)
    assert it.states({"a100": 2})[0].n_starting == 1
    it.advance(ready_s)
    (state,) = it.states({"a100": 2})
    assert (state.n_ready, state.n_starting, state.desired) == (2, 0, 2)
    assert it.next_change_s() == math.inf


def test_an_instance_that_drains_finishes_what_it_has_and_goes() -> None:
    it = fleet_of(start=2)
    it.advance(20.0)
    it.scale("a100", 1)
    (state,) = it.states({})
    assert (state.n_ready, state.n_draining) == (1, 1)
    # a request takes some 3 s: when somebody looks again, the drained one has nothing left
    it.advance(40.0)
    assert it.states({})[0].n_draining == 0
    it.advance(60.0)
    assert sorted(end_s for _, end_s, _ in it.spans_s("a100", 60.0)) == [40.0, 60.0]
    assert it.answers().is_completed[: int(20.0 / 0.5)].all()


def test_an_idle_instance_goes_the_moment_it_is_told() -> None:
    it = fleet_of(start=2, traffic=replay(1))
    it.advance(50.0)
    it.scale("a100", 1)
    assert sorted(end_s for _, end_s, _ in it.spans_s("a100", 90.0)) == [50.0, 90.0]


def test_scaling_out_and_in_for_ever_never_runs_out_of_engines() -> None:
    it = fleet_of(target(limits=(1, 3)))
    for round_ in range(40):
        it.scale("a100", 3)
        it.advance(2.0 * round_ + 1.0)
        it.scale("a100", 1)
        it.advance(2.0 * round_ + 2.0)
    it.advance(1000.0)
    assert it.answers().is_completed.all()


def test_without_a_ready_instance_requests_are_refused() -> None:
    it = fleet_of(traffic=replay(10))
    it.scale("a100", 0)
    it.advance(100.0)
    # the one at second 0 came before: nothing was served yet, so all are refused
    assert it.n_refused == 10
    # demand all the same, and each a failure: counted once, however often the counters are read
    for _ in range(2):
        counts, outcomes = it.counts()
        assert counts.arrivals.sum() == 10
        assert outcomes.counts.sum(axis=0).tolist() == [0, 0, 0, 0, 10]
    assert not it.answers().is_completed.any()


def test_routes_decide_who_serves_a_class() -> None:
    pair = (target(n_ready=0), target("h100", profile=FAST, n_ready=0))
    it = fleet_of(*pair)
    it.route(
        (
            Route("interactive", None, {"a100": 1.0}),
            Route("relaxed", None, {"h100": 1.0}),
        )
    )
    it.advance(1000.0)
    answers = it.answers()
    tpot_s = (answers.last_s - answers.first_s) / (answers.osl - 1)
    # a step of the slow one takes 26 ms at the least, of the fast one 15
    assert tpot_s[answers.class_of == 0].min() > 0.026
    assert tpot_s[answers.class_of == 1].max() < 0.026


@settings(max_examples=25)
@given(st.lists(st.floats(0.0, 130.0), min_size=1, max_size=6), st.integers(1, 3))
def test_whenever_it_is_asked_the_router_has_counted_everything_once(
    looks_s: list[float], start: int
) -> None:
    it = fleet_of(start=start)
    for at_s in sorted(looks_s):
        it.advance(at_s)
        counts, outcomes = it.counts()
        arrived = int((it.replay.at_s <= at_s).sum())
        done = int((it.answers().last_s <= at_s).sum())
        assert counts.arrivals.sum() == arrived
        assert counts.arrival_isl_tokens.sum() == 1000.0 * arrived
        per_second = np.bincount(it.replay.at_s[it.replay.at_s <= at_s].astype(np.int64))
        assert counts.arrivals_squared == (per_second**2).sum()
        assert counts.completions.sum() == outcomes.counts.sum() == done
        assert counts.osl_tokens.sum() == 100.0 * done


def test_outcomes_name_the_bound_that_was_missed() -> None:
    # no prompt of 1000 tokens begins within 50 ms, no answer of 100 tokens ends within a second
    classes = (
        QosClass("hasty", 1, 0.9, Bounds(ttft_max_s=0.05)),
        QosClass("brief", 1, 0.9, Bounds(e2e_max_s=1.0)),
    )
    it = fleet_of(classes=classes)
    it.advance(1000.0)
    _, outcomes = it.counts()
    assert outcomes.counts[0, BOUNDS.index("ttft")] == 100
    assert outcomes.counts[1, BOUNDS.index("e2e")] == 100


def test_the_counters_of_the_whole_replay_are_what_is_counted_in_the_end() -> None:
    it = fleet_of(start=2)
    expected = it.true_counts()
    it.advance(1000.0)
    counts, _ = it.counts()
    for field in dataclasses.fields(counts):
        assert np.array_equal(getattr(counts, field.name), getattr(expected, field.name))
