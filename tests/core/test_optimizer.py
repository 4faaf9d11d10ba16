"""The cheapest mix."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmd_autoscaler.core.capacity import CapacityTable
from llmd_autoscaler.core.optimizer import (
    GAP_FRAC,
    KV_USABLE_FRAC,
    SHED_FACTOR,
    SWITCHING_FRAC,
    Demand,
    Mix,
    TargetOption,
    TierOption,
    cheapest_mix,
)
from llmd_autoscaler.errors import PlanError

# HiGHS stops within this share of the best; both sides of a comparison may be off by it.
CLOSE = 2.0 * GAP_FRAC


def tier(
    share: float = 0.5, *, allowed: Sequence[bool] = (True,), tier_s: float = 0.08
) -> TierOption:
    """m instances carry m times a share of their time."""
    table = CapacityTable(np.array([1.0]), np.array([share]))
    return TierOption(tier_s, table, np.array(allowed, dtype=np.bool_))


def option(
    name: str = "a100",
    *,
    usd_per_hour: float = 10.0,
    limits: tuple[int, int] = (0, 6),
    work_s: Sequence[float] = (0.25,),
    tiers: Sequence[TierOption] = (),
    present: int = 0,
) -> TargetOption:
    """A target of two accelerators that never lacks KV memory."""
    return TargetOption(
        name=name,
        accelerator=name,
        n_accelerators=2,
        usd_per_hour=usd_per_hour,
        min_instances=limits[0],
        max_instances=limits[1],
        present_instances=present,
        work_s=np.array(work_s),
        kv_token_s=np.ones(len(work_s)),
        kv_tokens=1_000_000,
        tiers=tuple(tiers) or (tier(allowed=[True] * len(work_s)),),
    )


def demand(*qps: float, priority: Sequence[float] = ()) -> Demand:
    return Demand(np.array(qps), np.array(priority or [0.0] * len(qps)))


def shed_prices(wanted: Demand, targets: Sequence[TargetOption]) -> list[float]:
    """What a request a second left over costs, by cell: a hundred times the dearest capacity for it."""
    return [
        SHED_FACTOR
        * (1.0 + priority / 100.0)
        * max(
            t.work_s[k] * t.usd_per_hour / max(each.capacity.carried(1), 1e-3)
            for t in targets
            for each in t.tiers
        )
        for k, priority in enumerate(wanted.priority)
    ]


def price(target: TargetOption, m: int) -> float:
    """Instances and the change to them."""
    return target.usd_per_hour * (m + SWITCHING_FRAC * abs(m - target.present_instances))


def objective(wanted: Demand, targets: Sequence[TargetOption], mix: Mix) -> float:
    """What the mix is the least of."""
    fleet = sum(price(t, m) for t, m in zip(targets, mix.instances, strict=True))
    return fleet + float(np.dot(shed_prices(wanted, targets), mix.shed_qps))


def least(wanted: Demand, *targets: TargetOption, stock: dict[str, int] | None = None) -> float:
    return objective(wanted, targets, cheapest_mix(wanted, targets, stock))


# --- against brute force ------------------------------------------------------------------------


def least_left_over(
    rates: Sequence[float],
    prices: Sequence[float],
    open_to: Sequence[tuple[float, TargetOption, TierOption]],
) -> float:
    """The least price of what two targets of given capacities cannot carry of two cells, without a solver.

    The first target gives a share of its capacity to cell 0 and the rest to cell 1; then the second takes
    whatever is dearest by its own work. The result is convex in the share, so a ternary search finds its least.
    """
    (first_work, first, first_tier), (second_work, second, second_tier) = open_to

    def after(share: float) -> float:
        left = list(rates)
        for k, part in ((0, share), (1, 1.0 - share)):
            if first_tier.is_allowed[k]:
                left[k] -= min(left[k], part * first_work / first.work_s[k])
        budget, paid = second_work, 0.0
        for k in sorted((0, 1), key=lambda k: -prices[k] / second.work_s[k]):
            if second_tier.is_allowed[k]:
                taken = min(left[k], budget / second.work_s[k])
                left[k] -= taken
                budget -= taken * second.work_s[k]
            paid += left[k] * prices[k]
        return paid

    low, high = 0.0, 1.0
    for _ in range(60):
        a, b = low + (high - low) / 3.0, high - (high - low) / 3.0
        low, high = (low, b) if after(a) <= after(b) else (a, high)
    return min(after(share) for share in (0.0, low, 1.0))


def brute_force(wanted: Demand, targets: Sequence[TargetOption], stock: dict[str, int]) -> float:
    """The least objective over every number and tier of two targets."""
    prices = shed_prices(wanted, targets)
    choices = [
        [
            (price(t, m), each.capacity.carried(m), t, each)
            for each in t.tiers
            for m in range(t.min_instances, t.max_instances + 1)
            if m * t.n_accelerators <= stock.get(t.accelerator, 1_000)
        ]
        for t in targets
    ]
    return min(
        first[0]
        + second[0]
        + least_left_over(wanted.rate_qps.tolist(), prices, (first[1:], second[1:]))
        for first, second in itertools.product(*choices)
    )


TIERS = st.builds(
    lambda share, allowed: tier(share, allowed=allowed),
    st.sampled_from([0.3, 0.55, 0.8]),
    st.tuples(st.booleans(), st.booleans()),
)
OPTIONS = st.builds(
    lambda usd, limits, work, tiers, present: option(
        usd_per_hour=usd,
        limits=(min(limits), max(limits)),
        work_s=work,
        tiers=tiers,
        present=present,
    ),
    st.sampled_from([4.0, 10.0, 14.0, 31.0]),
    st.tuples(st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.sampled_from([0.1, 0.23]), st.sampled_from([0.15, 0.4])),
    st.lists(TIERS, min_size=1, max_size=2),
    st.integers(0, 3),
)
DEMANDS = st.builds(
    lambda a, b, pa, pb: demand(a, b, priority=(pa, pb)),
    st.sampled_from([0.0, 0.7, 2.3, 6.1]),
    st.sampled_from([0.0, 1.1, 3.9]),
    st.sampled_from([0.0, 50.0, 100.0]),
    st.sampled_from([0.0, 70.0]),
)


@settings(max_examples=100)
@given(DEMANDS, OPTIONS, OPTIONS, st.sampled_from([1_000, 4]))
def test_the_answer_is_as_cheap_as_the_best_of_all_mixes(
    wanted: Demand, one: TargetOption, two: TargetOption, limit: int
) -> None:
    targets = [one, dataclasses.replace(two, name="h100", accelerator="h100")]
    stock = {"a100": limit}
    best = brute_force(wanted, targets, stock)
    assert least(wanted, *targets, stock=stock) == pytest.approx(best, rel=CLOSE, abs=1e-3)


# --- properties ---------------------------------------------------------------------------------


@settings(max_examples=60)
@given(DEMANDS, OPTIONS, st.sampled_from([1.1, 2.0]))
def test_more_traffic_never_costs_less(wanted: Demand, one: TargetOption, factor: float) -> None:
    more = dataclasses.replace(wanted, rate_qps=wanted.rate_qps * factor)
    assert least(more, one) >= least(wanted, one) * (1 - CLOSE) - 1e-6


@settings(max_examples=60)
@given(DEMANDS, OPTIONS)
def test_cost_never_rises_when_a_limit_is_loosened(wanted: Demand, one: TargetOption) -> None:
    looser = dataclasses.replace(one, min_instances=0, max_instances=one.max_instances + 2)
    assert least(wanted, looser) <= least(wanted, one) * (1 + CLOSE) + 1e-6


@settings(max_examples=60)
@given(DEMANDS, OPTIONS, OPTIONS)
def test_another_target_never_makes_it_dearer(
    wanted: Demand, one: TargetOption, two: TargetOption
) -> None:
    # shedding is priced by the dearest target, so only fleets that carry everything compare
    assume(cheapest_mix(wanted, [one]).shed_qps.sum() < 1e-9)
    other = dataclasses.replace(two, name="h100", min_instances=0, present_instances=0)
    assert least(wanted, one, other) <= least(wanted, one) * (1 + CLOSE) + 1e-6


@settings(max_examples=60)
@given(DEMANDS, OPTIONS, st.sampled_from([0.5, 3.0]))
def test_scaling_every_price_scales_the_cost(
    wanted: Demand, one: TargetOption, factor: float
) -> None:
    scaled = dataclasses.replace(one, usd_per_hour=one.usd_per_hour * factor)
    assert least(wanted, scaled) == pytest.approx(factor * least(wanted, one), rel=CLOSE, abs=1e-3)


@settings(max_examples=60)
@given(DEMANDS, OPTIONS, st.integers(1, 7))
def test_the_stock_is_never_exceeded(wanted: Demand, one: TargetOption, limit: int) -> None:
    one = dataclasses.replace(one, min_instances=0)
    mix = cheapest_mix(wanted, [one], {"a100": limit})
    assert mix.instances[0] * one.n_accelerators <= limit


@settings(max_examples=60)
@given(DEMANDS, OPTIONS)
def test_every_request_is_routed_or_shed_and_never_both(wanted: Demand, one: TargetOption) -> None:
    mix = cheapest_mix(wanted, [one])
    assert mix.routed_qps.sum(axis=0) + mix.shed_qps == pytest.approx(wanted.rate_qps, abs=1e-6)


# --- by hand ------------------------------------------------------------------------------------


def test_two_instances_carry_what_one_and_a_half_would() -> None:
    # 3 req/s x 0.25 s = 0.75; each carries 0.5
    mix = cheapest_mix(demand(3.0), [option()])
    assert (mix.instances, mix.usd_per_hour) == ((2,), 20.0)


def test_the_cheaper_variant_wins_when_both_carry_the_load() -> None:
    dear, cheap = option("h100", usd_per_hour=30.0), option("a100", usd_per_hour=14.0)
    assert cheapest_mix(demand(1.0), [dear, cheap]).instances == (0, 1)


def test_a_dear_instance_wins_where_it_replaces_three_cheap_ones() -> None:
    dear = option("h100", usd_per_hour=30.0, work_s=(0.1,))
    # 5 req/s: 0.5 of the dear one's time, 1.25 of the cheap one's
    assert cheapest_mix(demand(5.0), [dear, option("a100", usd_per_hour=14.0)]).instances == (1, 0)


def test_a_cell_goes_only_where_its_tier_is_strict_enough() -> None:
    loose = option(
        "a100", usd_per_hour=1.0, work_s=(0.25, 0.25), tiers=[tier(allowed=(False, True))]
    )
    strict = option("h100", work_s=(0.25, 0.25))
    # an instance carries 2 req/s
    mix = cheapest_mix(demand(2.0, 2.0), [loose, strict])
    assert mix.routed_qps == pytest.approx(np.array([[0.0, 2.0], [2.0, 0.0]]), abs=1e-6)


def test_a_strict_tier_is_taken_only_where_somebody_needs_it() -> None:
    tiers = [tier(0.3, tier_s=0.05), tier(0.6, allowed=(True, False), tier_s=0.2)]
    it = option(work_s=(0.25, 0.25), tiers=tiers)
    # without the second class two instances at the loose tier do, with a trickle of it four at the strict one
    assert (
        cheapest_mix(demand(4.0, 0.0), [it]).tier,
        cheapest_mix(demand(4.0, 0.1), [it]).tier,
    ) == (
        (1,),
        (0,),
    )


def test_kv_memory_limits_what_engine_time_would_carry() -> None:
    # 3 req/s hold 3 x 600 token-seconds a second = 1800 tokens; an instance has 0.9 x 1000
    it = dataclasses.replace(option(work_s=(0.01,)), kv_token_s=np.array([600.0]), kv_tokens=1000)
    assert KV_USABLE_FRAC == 0.9
    assert cheapest_mix(demand(3.0), [it]).instances == (2,)


def test_what_the_limits_cannot_carry_is_shed_and_nothing_raised() -> None:
    # three instances carry 1.5 / 0.25 = 6 req/s
    mix = cheapest_mix(demand(8.0), [option(limits=(1, 3))])
    assert mix.instances == (3,)
    assert mix.shed_qps == pytest.approx(np.array([2.0]))


def test_the_lower_priority_is_shed_first() -> None:
    it = option(limits=(1, 1), work_s=(0.25, 0.25))
    # one instance carries 2 req/s
    mix = cheapest_mix(demand(1.5, 1.5, priority=(100.0, 50.0)), [it])
    assert mix.shed_qps == pytest.approx(np.array([0.0, 1.0]))


def test_long_requests_of_a_high_priority_are_not_shed_for_short_ones_of_a_low() -> None:
    # the long one takes eight times the work: what counts is the work, and then the priority
    it = option(limits=(1, 1), work_s=(0.4, 0.05))
    mix = cheapest_mix(demand(1.25, 2.0, priority=(100.0, 0.0)), [it])
    assert mix.shed_qps == pytest.approx(np.array([0.0, 2.0]))


def test_a_demand_that_no_tier_allows_is_shed_without_buying_instances() -> None:
    mix = cheapest_mix(demand(3.0), [option(tiers=[tier(allowed=(False,))])])
    assert (mix.instances, mix.shed_qps.tolist()) == ((0,), [3.0])


def test_no_demand_takes_the_minimum() -> None:
    assert cheapest_mix(demand(0.0), [option(limits=(2, 5))]).instances == (2,)


def test_between_equal_mixes_the_present_one_stays() -> None:
    # equal prices: one instance of either does
    a, b = option("a", present=0), option("b", present=1)
    assert cheapest_mix(demand(1.0), [a, b]).instances == (0, 1)
    assert cheapest_mix(demand(1.0), [b, a]).instances == (1, 0)


def test_a_minimum_beyond_the_stock_is_an_error_that_says_so() -> None:
    with pytest.raises(PlanError, match="the minimum of the targets exceeds the stock"):
        cheapest_mix(demand(1.0), [option(limits=(3, 5))], {"a100": 4})


def test_targets_of_one_kind_share_its_stock() -> None:
    one, two = option("one"), option("two")
    two = dataclasses.replace(two, accelerator="one")
    # 4 accelerators are two instances of either, which carry 4 req/s together
    mix = cheapest_mix(demand(9.0), [one, two], {"one": 4})
    assert sum(mix.instances) == 2
    assert mix.shed_qps == pytest.approx(np.array([5.0]))


def test_solving_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    cheapest_mix(demand(3.0), [option()])
    assert capfd.readouterr() == ("", "")
