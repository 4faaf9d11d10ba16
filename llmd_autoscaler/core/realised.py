"""What became of the requests: attained or missed by class, over the last hour."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BOUNDS = ("all", "ttft", "tpot", "e2e", "failed")
WINDOW_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Cumulative counts (class, bound): attained all, or the first bound that was missed."""

    started_at_s: float
    counts: Array

    def since(self, before: "Outcomes") -> "Outcomes":
        """What came after an earlier reading of the same router; a restart counts from zero."""
        restarted = self.started_at_s != before.started_at_s or bool(
            np.any(self.counts < before.counts)
        )
        return self if restarted else dataclasses.replace(self, counts=self.counts - before.counts)

    def attainment(self) -> Array:
        """(class,) attained ÷ ended; NaN where none ended."""
        total = self.counts.sum(axis=1)
        return np.asarray(
            np.divide(self.counts[:, 0], total, out=np.full(len(total), np.nan), where=total > 0)
        )

    def worst(self) -> tuple[str, ...]:
        """(class,) the bound that was missed most; "" where none was."""
        return tuple(
            BOUNDS[1 + int(row[1:].argmax())] if row[1:].sum() > 0 else "" for row in self.counts
        )


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeMemory:
    """The readings of the last hour."""

    last: Mapping[str, Outcomes]
    times_s: tuple[float, ...] = ()
    totals: tuple[Array, ...] = ()  # cumulative over all routers since the memory began

    def observe(self, outcomes: Mapping[str, Outcomes], *, now_s: float) -> "OutcomeMemory":
        """Take in the routers' counts; the first reading of all sets the zero."""
        if not outcomes:
            return self
        shape = next(iter(outcomes.values())).counts.shape
        new = np.zeros(shape)
        if self.last:
            for router, reading in outcomes.items():
                before = self.last.get(router)
                new = new + (reading if before is None else reading.since(before)).counts
        total = (self.totals[-1] if self.totals else np.zeros(shape)) + new
        first = next(
            (i for i, t in enumerate(self.times_s) if t >= now_s - WINDOW_S), len(self.times_s)
        )
        return OutcomeMemory(
            {**self.last, **outcomes}, (*self.times_s[first:], now_s), (*self.totals[first:], total)
        )

    def window(self) -> Outcomes | None:
        """The last hour's outcomes, or None before the second reading."""
        if len(self.totals) < 2:  # noqa: PLR2004 (a difference takes two)
            return None
        return Outcomes(self.times_s[0], self.totals[-1] - self.totals[0])
