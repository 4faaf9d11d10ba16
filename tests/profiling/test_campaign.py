"""A whole profile in virtual time: the plan against a server that is the engine model itself."""

import asyncio
import dataclasses

import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.profiling.campaign import Campaign
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.plan import Limits, coarse
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.step_terms import coefficients
from tests.profiling.points import BLANK, TRUE, measured

LIMITS = Limits(longest_tokens=32_768, kv_tokens=400_000, max_num_seqs=256)


@dataclasses.dataclass(frozen=True)
class Moving(Clock):
    """Moves by what measurements take."""

    moment: list[float] = dataclasses.field(default_factory=lambda: [0.0])

    def now_s(self) -> float:
        return self.moment[0]


class Kept:
    """Points in the order in which they came."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def append(self, point: Point) -> None:
        self.points.append(point)


async def campaign(
    budget_s: float, points: list[Point] | None = None, limits: Limits = LIMITS
) -> Campaign:
    """A campaign that has run to its end."""
    clock, kept = Moving(), Kept()

    async def measure(load, length):
        clock.moment[0] += length.warm_s + length.least_s
        return measured(load)

    running = Campaign(measure, kept, clock, limits, BLANK, budget_s, list(points or ()))
    await running.run()
    return running


@pytest.fixture(scope="module")
def ten_minutes() -> Campaign:
    """What ten minutes find; the same for all that look at it."""
    return asyncio.run(campaign(600.0))


def test_ten_minutes_find_every_coefficient_within_three_percent(ten_minutes):
    found = fit(ten_minutes.points, BLANK, seed=0).profile.step
    pairs = zip(coefficients(found), coefficients(TRUE.step), strict=True)
    assert max(abs(got / true - 1) for got, true in pairs) < 0.03


def test_the_budget_is_kept(ten_minutes):
    assert ten_minutes.clock.now_s() <= 600.0


def test_ten_minutes_reach_prefixes_an_open_loop_and_a_mix(ten_minutes):
    loads = [point.load for point in ten_minutes.points]
    assert any(load.prefix_frac and load.n_prefixes > 1 for load in loads)
    assert any(load.rate_qps for load in loads)
    assert any(len(load.shapes) > 1 for load in loads)


def test_nothing_is_measured_twice(ten_minutes):
    loads = [point.load for point in ten_minutes.points]
    assert len(loads) == len(set(loads))


async def test_a_campaign_that_goes_on_asks_only_for_what_is_missing():
    first = await campaign(60.0)
    second = await campaign(120.0, first.points)
    assert second.points[: len(first.points)] == first.points
    assert len({p.load for p in second.points}) == len(second.points)


@pytest.mark.slow
async def test_a_plan_without_anything_left_to_learn_ends_before_its_budget():
    small = Limits(longest_tokens=1_500, kv_tokens=40_000, max_num_seqs=16)
    done = await campaign(36_000.0, limits=small)
    assert done.step is None
    assert done.clock.now_s() < 3_600.0


def test_every_load_of_a_plan_fits_a_small_model():
    small = Limits(longest_tokens=512, kv_tokens=4_096, max_num_seqs=16)
    assert all(small.takes(step.load) for step in coarse(small))
    assert {step.load.concurrency for step in coarse(small)} >= {1, 4}


def test_no_prompt_is_longer_than_was_asked_for():
    steps = coarse(Limits(32_768, 400_000, 256, longest_isl=1_024))
    assert max(step.load.isl for step in steps) == 1_024


def test_lone_prompts_reach_the_longest_that_the_model_takes():
    longest = max(step.load.isl for step in coarse(Limits(8_192, 400_000, 256)))
    assert longest == 8_190
