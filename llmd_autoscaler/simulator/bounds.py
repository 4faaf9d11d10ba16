"""Bounds with hindsight: the best fleet that never changes, and a policy that knows the next lead time's traffic."""

import asyncio
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmd_autoscaler.core import demand, plan, stabilizer
from llmd_autoscaler.core.load import work_s
from llmd_autoscaler.core.sample import Seen
from llmd_autoscaler.core.score import keeps_slo
from llmd_autoscaler.core.tables import tables
from llmd_autoscaler.core.traffic import traffic_mix
from llmd_autoscaler.core.world import Recommendation, World
from llmd_autoscaler.errors import InfeasibleError
from llmd_autoscaler.simulator.virtual import HPA_SYNC_S, Result, Setup, Static, new_fleet, play
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet

# Fleets tried at most: with several targets the cheapest mixes first.
MOST_FLEETS = 200
# The look-ahead policy sizes for each of these pieces of the horizon: shorter is noise of single arrivals.
PIECE_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class StaticFleet:
    """The cheapest fleet that keeps every class's percentile on this very traffic."""

    numbers: Mapping[str, int]
    result: Result


def best_static(setup: Setup) -> StaticFleet:
    """Find it by trying fleets from the cheapest up.

    Raises: InfeasibleError: none within the limits keeps the SLO.
    """
    for numbers in fleets(setup):
        named = {t.name: m for t, m in zip(setup.targets, numbers, strict=True)}
        result = asyncio.run(play(setup, new_fleet(setup, named), Static(named)))
        if keeps_slo(setup.classes, result.attainment):
            return StaticFleet(named, result)
    names = ", ".join(f"{t.max_instances} x {t.name}" for t in setup.targets)
    raise InfeasibleError(
        f"no static fleet up to {names} keeps the SLO of every class on this traffic"
    )


def fleets(setup: Setup) -> list[tuple[int, ...]]:
    """Constant fleets within limits and stock, as instances of each target, from the cheapest up."""
    sizes = [range(max(t.min_instances, 1), t.max_instances + 1) for t in setup.targets]
    by_cost = sorted(
        itertools.product(*sizes),
        key=lambda ms: sum(m * t.usd_per_hour for m, t in zip(ms, setup.targets, strict=True)),
    )
    return [numbers for numbers in by_cost if _is_in_stock(setup, numbers)][:MOST_FLEETS]


def _is_in_stock(setup: Setup, numbers: Sequence[int]) -> bool:
    """Whether the accelerators of a fleet exist."""
    used: dict[str, int] = {}
    for target, m in zip(setup.targets, numbers, strict=True):
        used[target.accelerator] = used.get(target.accelerator, 0) + m * target.n_accelerators
    return all(n <= setup.stock.get(accelerator, n) for accelerator, n in used.items())


class _LookAhead:
    """Numbers from the arrivals of the coming lead time, exactly as they will be."""

    def __init__(self, setup: Setup, scale_in_window_s: float = 0.0) -> None:
        self._setup = setup
        self._window_s = scale_in_window_s
        self._recommendations: tuple[Recommendation, ...] = ()
        self._plans: dict[float, plan.Plan | None] = {}  # by the start of their piece
        counter = VirtualFleet(
            setup.classes,
            setup.targets,
            setup.replay,
            start={t.name: 1 for t in setup.targets},
            seed=setup.seed,
        )
        self._mix = traffic_mix(counter.true_counts())
        self._numbers = dict(setup.start)
        world = World(0.0, "model", setup.classes, setup.targets, {}, setup.stock)
        traffic = (self._rates(0.0, math.inf), Seen(self._mix, counter.true_counts()))
        self._tables = tables({}, world, traffic, setup.policy)

    def _rates(
        self, start_s: float, end_s: float
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """(class, isl) arrivals a second within an interval."""
        at_s, class_of = self._setup.replay.at_s, self._setup.replay.class_of
        end_s = min(end_s, self._setup.replay.duration_s)
        inside = (at_s >= start_s) & (at_s <= end_s)
        n = np.bincount(class_of[inside], minlength=len(self._setup.classes))
        return np.asarray((n / max(end_s - start_s, 1.0))[:, None] * self._mix.share)

    async def tick(self, now_s: float) -> None:
        """The cheapest numbers that carry each piece of the horizon."""
        setup = self._setup
        horizon_s = max(t.lead.p90_s for t in setup.targets) + HPA_SYNC_S + setup.tick.period_s
        most = {t.name: t.min_instances for t in setup.targets}
        for start_s in np.arange(now_s, now_s + horizon_s, PIECE_S):
            if start_s >= setup.replay.duration_s:
                break
            planned = self.planned(float(start_s))
            for name, m in planned.instances.items() if planned else ():
                most[name] = max(most[name], m)
        if not self._window_s:
            self._numbers = most
            return
        self._recommendations = stabilizer.remember(
            self._recommendations, most, now_s=now_s, window_s=self._window_s
        )
        self._numbers = {
            name: stabilizer.stabilized(
                self._recommendations, name, present=present, has_full_window=True
            )
            for name, present in self._numbers.items()
        }

    def planned(self, start_s: float) -> plan.Plan | None:
        """The plan for one piece alone; None where nothing arrives in it."""
        if start_s not in self._plans:
            self._plans[start_s] = self._plan(start_s)
        return self._plans[start_s]

    def _plan(self, start_s: float) -> plan.Plan | None:
        setup = self._setup
        rates = self._rates(start_s, start_s + PIECE_S)
        if rates.sum() <= 0.0:
            return None
        work = work_s(setup.targets[0].profile, self._mix)
        world = World(start_s, "model", setup.classes, setup.targets, {}, setup.stock)
        cells = demand.cells(setup.classes, rates.sum(axis=1), self._mix.share, work)
        return plan.plan(world, cells, self._mix, self._tables)

    def served(self, target: str, now_s: float) -> int | None:
        """The number of the last tick."""
        del now_s
        return self._numbers[target]


def look_ahead(setup: Setup, *, scale_in_window_s: float = 0.0) -> Result:
    """What a policy that knows the traffic of the next lead time comes to: a bound, never a competitor.

    Args: scale_in_window_s: how long fewer must have sufficed before it lets go; the bound does not wait.
    """
    return asyncio.run(play(setup, new_fleet(setup), _LookAhead(setup, scale_in_window_s)))


def fractional_gpu_hours(setup: Setup) -> float:
    """GPU-hours if fractions of an instance could be had, at once and without a minimum: the load itself.

    Raises: PlanError: the targets' minimum exceeds the stock.
    """
    knows = _LookAhead(setup)
    total = 0.0
    for start_s in np.arange(0.0, setup.replay.duration_s, PIECE_S):
        planned = knows.planned(float(start_s))
        span_s = min(PIECE_S, setup.replay.duration_s - float(start_s))
        for t in setup.targets if planned else ():
            load = plan.load_of(planned, t.name, t.max_instances) if planned else 0.0
            total += min(load, t.max_instances) * t.n_accelerators * span_s
    return total / 3600.0
