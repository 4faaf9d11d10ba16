"""Decisions, tick by tick."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from llmd_autoscaler.core.decide import decide
from llmd_autoscaler.core.realised import BOUNDS, Outcomes
from llmd_autoscaler.core.world import Decision, Memory, ReasonCode, TargetState, World
from tests.core.worlds import INTERACTIVE, QUICK, RELAXED, counted, target, world

TICK_S = 15.0
WINDOW_S = QUICK.scale_in_window_s


def run(
    arrived: Callable[[float], float | None],
    until_s: float,
    *targets: TargetState,
    memory: Memory | None = None,
    from_s: float = 0.0,
) -> list[Decision]:
    """A decision a tick; what was decided is there at once."""
    decisions: list[Decision] = []
    now_s = from_s
    targets = targets or (target(),)
    while now_s <= until_s:
        it = world(now_s, arrived(now_s), *targets)
        decision, memory = decide(it, memory or Memory.fresh(it), QUICK)
        decisions.append(decision)
        targets = tuple(
            dataclasses.replace(t, desired=d.desired, n_ready=d.desired, n_starting=0)
            for t, d in zip(targets, decision.targets, strict=True)
        )
        now_s += TICK_S
    return decisions


def numbers(decisions: list[Decision]) -> list[int]:
    return [decision.targets[0].desired for decision in decisions]


def code(decision: Decision) -> ReasonCode:
    return decision.targets[0].reasons[0].code


def at(decisions: list[Decision], now_s: float) -> Decision:
    return next(d for d in decisions if d.at_s == now_s)


def test_while_no_router_answers_the_last_decision_holds() -> None:
    decision = run(lambda _: None, 300.0, target(desired=4, n_ready=3))[-1]
    assert (numbers([decision]), code(decision)) == ([4], ReasonCode.NOT_OBSERVED)
    assert decision.predicted is None
    assert decision.routes == ()


def test_before_a_minute_was_seen_the_last_decision_holds_and_says_how_long() -> None:
    decisions = run(lambda t: 5.0 * t, 60.0, target(desired=4, n_ready=4))
    assert [code(d) for d in decisions[:4]] == [ReasonCode.WARMING_UP] * 4
    assert "45 s of traffic seen, 60 s are needed" in decisions[3].reasons[0].message
    assert code(decisions[4]) is not ReasonCode.WARMING_UP


def test_nothing_ever_published_starts_from_what_runs_and_at_the_minimum() -> None:
    assert numbers(run(lambda _: None, 0.0, target(n_ready=2, n_starting=1))) == [3]
    assert numbers(run(lambda _: None, 0.0, target(n_ready=0, limits=(2, 5)))) == [2]


def test_demand_that_rises_is_met_at_the_next_tick_with_the_numbers_in_the_reason() -> None:
    # 0.5 a second, from 300 s on 12
    decisions = run(lambda t: 0.5 * t + 11.5 * max(0.0, t - 300.0), 420.0)
    before, after = at(decisions, 300.0), at(decisions, 375.0)
    assert before.targets[0].desired == 1
    assert after.targets[0].desired > 2
    up = next(d for d in decisions if code(d) is ReasonCode.DEMAND_UP)
    assert "→" in up.targets[0].reasons[0].message
    assert up.targets[0].load <= up.targets[0].desired


def test_a_decision_keeps_what_it_was_made_of() -> None:
    decision = run(lambda t: 2.0 * t, 300.0)[-1]
    assert decision.qps[0] == pytest.approx(2.0)
    assert decision.forecast is not None
    assert decision.isl_mean[0] == pytest.approx(1000.0)
    assert decision.osl_mean[0] == pytest.approx(200.0)
    assert decision.predicted is not None
    assert decision.predicted[0] >= INTERACTIVE.percentile_frac
    m = decision.targets[0].desired
    assert decision.usd_per_hour == 14.0 * m
    # 2 x 1200 tokens a second, 8.64 million an hour
    assert decision.usd_per_million_tokens == pytest.approx(14.0 * m / 8.64)
    assert decision.target("a100") is decision.targets[0]


def test_fewer_are_taken_only_after_a_full_window() -> None:
    # 12 a second until 600 s, then half a second
    decisions = run(lambda t: 12.0 * min(t, 600.0) + 0.5 * max(0.0, t - 600.0), 1500.0)
    peak = max(numbers(decisions))
    first_less = next(d for d in decisions if d.at_s > 600.0 and d.targets[0].desired < peak)
    last_wanted = max(d.at_s for d in decisions if d.targets[0].wanted >= peak)
    assert peak > 2
    assert first_less.at_s - last_wanted >= WINDOW_S
    held = at(decisions, first_less.at_s - TICK_S)
    assert code(held) is ReasonCode.HELD
    assert "are kept until they have done so long enough" in held.targets[0].reasons[0].message
    # a step on the way down is one, although fewer still would do
    assert code(first_less) is ReasonCode.DEMAND_DOWN
    last_step = next(d for d in decisions if d.at_s > 600.0 and d.targets[0].desired == 1)
    assert code(last_step) is ReasonCode.DEMAND_DOWN


def test_a_controller_that_starts_never_scales_in_before_it_saw_a_full_window() -> None:
    decisions = run(lambda t: 0.5 * t, 600.0, target(desired=6, n_ready=6))
    assert {d.targets[0].desired for d in decisions if d.at_s < WINDOW_S} == {6}
    assert at(decisions, WINDOW_S).targets[0].desired < 6


def test_a_gap_in_the_clock_starts_the_window_anew() -> None:
    it = world(1000.0, 0.0)
    memory = Memory.fresh(it)
    for tick in range(40):
        _, memory = decide(world(1000.0 + TICK_S * tick, 7.5 * tick), memory, QUICK)
    decisions = run(lambda t: 1000.0 + 0.5 * t, 400.0, target(desired=6, n_ready=6), memory=memory)
    assert {d.targets[0].desired for d in decisions if d.at_s < WINDOW_S} == {6}


def test_without_traffic_the_minimum_is_enough_after_a_window() -> None:
    decisions = run(lambda _: 0.0, 600.0, target(desired=5, n_ready=5))
    assert code(decisions[-1]) is ReasonCode.NO_TRAFFIC
    assert {d.targets[0].desired for d in decisions if d.at_s < WINDOW_S} == {5}
    assert at(decisions, WINDOW_S).targets[0].desired == 1


def test_a_paused_target_keeps_its_number_and_says_what_it_would_want() -> None:
    decision = run(lambda t: 6.0 * t, 400.0, target(desired=2, n_ready=2, is_paused=True))[-1]
    assert (numbers([decision]), code(decision)) == ([2], ReasonCode.PAUSED)
    assert "paused at 2" in decision.targets[0].reasons[0].message


def test_demand_beyond_the_limit_takes_the_limit_and_names_what_is_infeasible() -> None:
    decision = run(lambda t: 30.0 * t, 400.0, target(limits=(1, 2)))[-1]
    assert (numbers([decision]), code(decision)) == ([2], ReasonCode.AT_LIMIT)
    assert decision.binding == "a100"
    assert [(i.class_name, i.bound) for i in decision.infeasible] == [("interactive", "capacity")]
    assert decision.reasons[0].code is ReasonCode.INFEASIBLE
    assert "maxReplicas 2 is the limit" in decision.targets[0].reasons[0].message


def outcomes(*, is_spent: bool) -> Outcomes:
    """A tenth of an hour's requests missed, or none of them."""
    counts = np.zeros((1, len(BOUNDS)))
    counts[0, :2] = (900.0, 100.0) if is_spent else (1000.0, 0.0)
    return Outcomes(0.0, counts)


def after_a_minute(qps: float, it: TargetState, *, is_spent: bool) -> Decision:
    memory = Memory.fresh(world(0.0, 0.0, it))
    decision = None
    for tick in range(7):
        seen = world(TICK_S * tick, qps * TICK_S * tick, it)
        seen = dataclasses.replace(seen, realised=outcomes(is_spent=is_spent))
        decision, memory = decide(seen, memory, QUICK)
    assert decision is not None
    return decision


def test_a_spent_error_budget_provides_for_more_of_the_same_demand() -> None:
    calm, alarmed = (after_a_minute(4.0, target(), is_spent=it) for it in (False, True))
    assert calm.qps.tolist() == alarmed.qps.tolist()
    assert alarmed.targets[0].load > 1.1 * calm.targets[0].load


def test_bursts_are_provided_for_once_the_budget_is_spent_and_the_reason_says_so() -> None:
    def after_twenty_ticks(squared_a_tick: float) -> Decision:
        memory, it = Memory.fresh(world(0.0, 0.0, target())), target()
        decision = None
        for tick in range(21):
            seen = world(TICK_S * tick, 4.0 * TICK_S * tick, it)
            counts = dataclasses.replace(seen.counts["r"], arrivals_squared=squared_a_tick * tick)
            seen = dataclasses.replace(seen, counts={"r": counts}, realised=outcomes(is_spent=True))
            decision, memory = decide(seen, memory, QUICK)
        assert decision is not None
        return decision

    # 60 requests a tick: four in each of its seconds, or twenty in each of three
    even, bunched = after_twenty_ticks(15 * 4.0**2), after_twenty_ticks(3 * 20.0**2)
    assert bunched.targets[0].load > 1.1 * even.targets[0].load
    assert "in bursts" in bunched.reasons[0].message
    assert "in bursts" not in even.reasons[0].message


def test_a_limit_below_what_is_provided_for_breaks_no_promise_while_it_carries_what_comes() -> None:
    # two instances carry 6.25 a second (load 1.9), but not the seventh more that a spent budget asks for
    decision = after_a_minute(6.25, target(limits=(1, 2)), is_spent=True)
    assert (numbers([decision]), code(decision)) == ([2], ReasonCode.AT_LIMIT)
    assert decision.infeasible == ()
    assert decision.reasons[0].code is ReasonCode.AT_LIMIT
    assert "it carries what comes now, not the" in decision.reasons[0].message


def test_a_number_beyond_new_limits_comes_back_into_them() -> None:
    assert numbers(run(lambda _: None, 0.0, target(desired=9, n_ready=9, limits=(1, 4)))) == [4]


def test_utilization_is_unknown_while_nothing_is_ready() -> None:
    it = target(n_ready=0, n_starting=2)
    memory = Memory.fresh(world(0.0, 0.0, it))
    decision = None
    for tick in range(6):
        decision, memory = decide(world(TICK_S * tick, 15.0 * tick, it), memory, QUICK)
    assert decision is not None
    assert decision.forecast is not None
    assert decision.targets[0].utilization is None


def test_a_minimum_beyond_the_stock_holds_the_number_and_says_why() -> None:
    it = target(limits=(3, 5), desired=4, n_ready=4)
    memory = Memory.fresh(world(0.0, 0.0, it))
    decision = None
    for tick in range(6):
        # four accelerators each: three instances need 12
        seen = world(TICK_S * tick, 15.0 * tick, it, stock={"a100": 8})
        decision, memory = decide(seen, memory, QUICK)
    assert decision is not None
    assert (numbers([decision]), code(decision)) == ([4], ReasonCode.INFEASIBLE)
    assert "the minimum of the targets exceeds the stock" in decision.reasons[0].message


def test_a_model_whose_table_waits_holds_its_number() -> None:
    it = target(desired=3, n_ready=3)
    memory = Memory.fresh(world(0.0, 0.0, it))
    decision = None
    for tick in range(6):
        waiting = dataclasses.replace(world(TICK_S * tick, 90.0 * tick, it), may_tabulate=False)
        decision, memory = decide(waiting, memory, QUICK)
    assert decision is not None
    assert (numbers([decision]), code(decision)) == ([3], ReasonCode.WARMING_UP)
    assert "being tabulated" in decision.reasons[0].message


def test_the_same_world_and_memory_give_the_same_decision() -> None:
    one, two = (run(lambda t: 3.0 * t, 300.0) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert (a.targets, a.routes, a.reasons) == (b.targets, b.routes, b.reasons)


def test_two_classes_are_seen_apart() -> None:
    both = (INTERACTIVE, RELAXED)

    def seen(now_s: float) -> World:
        counts = counted(2.0 * now_s, n_classes=2).plus(
            counted(now_s, n_classes=2, class_index=1, isl=300, osl=50)
        )
        return World(now_s, "m", both, (target(),), {"r": counts})

    memory = Memory.fresh(seen(0.0))
    decision = None
    for tick in range(10):
        decision, memory = decide(seen(TICK_S * tick), memory, QUICK)
    assert decision is not None
    assert decision.qps == pytest.approx(np.array([2.0, 1.0]))
    assert {route.class_name for route in decision.routes} == {"interactive", "relaxed"}
