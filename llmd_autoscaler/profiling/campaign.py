"""A profile under way: plan, measure, keep, until the budget is used or nothing is left to learn."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.measurement_length import Length
from llmd_autoscaler.profiling.plan import Limits, Step, coarse, length_of, next_step
from llmd_autoscaler.profiling.point import Load, Point

# No load may eat more than this share of the budget.
_MOST_FRAC = 0.1
_LEAST_MOST_S = 4.0

Measure = Callable[[Load, Length], Awaitable[Point]]


class Keeper(Protocol):
    """Where points go."""

    def append(self, point: Point) -> None:
        """One more point."""


@dataclass(slots=True)
class Campaign:
    """Measures until the budget is used; what it has found stands in `points` at any moment."""

    measure: Measure
    store: Keeper
    clock: Clock
    limits: Limits
    engine: EngineProfile
    budget_s: float  # of the server's seconds
    points: list[Point] = field(default_factory=list)
    step: Step | None = None
    profile: EngineProfile | None = None
    started_s: float = 0.0

    async def run(self) -> None:
        """Measure.

        Raises: ObservationError: the server is gone; what was measured is on disk.
        """
        self.started_s = self.clock.now_s()
        while self.left_s > 0.0:
            self.profile = self._fitted()
            self.step = next_step(self.points, self.limits, self.profile)
            if self.step is None:
                return
            most_s = max(_LEAST_MOST_S, _MOST_FRAC * self.budget_s)
            length = length_of(self.step.load, self.profile, most_s=min(most_s, self.left_s))
            if length.expected_s > self.left_s:
                return
            point = await self.measure(self.step.load, length)
            self.store.append(point)
            self.points.append(point)

    @property
    def left_s(self) -> float:
        """What is left of the budget."""
        return self.budget_s - (self.clock.now_s() - self.started_s)

    def line(self) -> str:
        """Where it stands, in one line."""
        used = 1.0 - max(0.0, self.left_s) / self.budget_s
        bar = "#" * round(20 * used)
        doing = f"{self.step.load.name} ({self.step.why})" if self.step else "starting"
        n = max(len(coarse(self.limits)), len(self.points))
        return f"[{bar:20}] {_clock_text(self.left_s)} left · {len(self.points)} points of {n} or more · {doing}"

    def _fitted(self) -> EngineProfile | None:
        try:
            return fit(self.points, self.engine, seed=0).profile
        except ConfigError:
            return None  # too few points yet


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
