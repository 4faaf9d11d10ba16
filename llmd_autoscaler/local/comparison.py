"""What a comparison came to: every run of every policy on the same traffic, and what follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmd_autoscaler.core.score import Array
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.local.frontier import hours_at, missed_frac_at
from llmd_autoscaler.local.sweep import ENTRIES, OURS, best_of, is_at_an_edge
from llmd_autoscaler.simulator.contest import Kind, Outcome
from llmd_autoscaler.simulator.virtual import Setup

_BINS_S = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One policy in the table."""

    name: str
    best: Outcome
    """Its cheapest setting that keeps every SLO, or else the one that misses least."""
    hours_at_our_strain: float | None
    missed_frac_at_our_hours: float | None
    is_at_an_edge: bool
    """Whether the sweep ended there, so that a wider one might find better."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One traffic with one seed."""

    setup: Setup
    outcomes: tuple[Outcome, ...]

    @property
    def classes(self) -> tuple[QosClass, ...]:
        """Who was served."""
        return self.setup.classes

    def of(self, name: str) -> list[Outcome]:
        """All settings of a policy that were played."""
        return [each for each in self.outcomes if each.contender.name == name]

    def best(self, name: str) -> Outcome | None:
        """The setting of a policy that is quoted."""
        played = self.of(name)
        return best_of(played) if played else None

    def best_simple(self) -> Outcome | None:
        """The best of all simple laws at all settings."""
        played = [each for each in self.outcomes if each.contender.kind is Kind.SIMPLE]
        return best_of(played) if played else None

    def standings(self) -> list[Standing]:
        """The table, ours first, in the order of the entries."""
        ours = self.best(OURS)
        found = []
        for entry in ENTRIES:
            played = self.of(entry.name)
            if not played:
                continue
            best = best_of(played)
            found.append(
                Standing(
                    name=entry.name,
                    best=best,
                    hours_at_our_strain=hours_at(played, ours.strain) if ours else None,
                    missed_frac_at_our_hours=missed_frac_at(played, ours.gpu_hours)
                    if ours
                    else None,
                    is_at_an_edge=is_at_an_edge(entry, best),
                )
            )
        return found

    def arrivals_per_minute(self) -> Array:
        """(minute,) requests that arrived."""
        minute = (self.setup.replay.at_s // _BINS_S).astype(np.int64)
        return np.asarray(np.bincount(minute), dtype=np.float64)

    def instances(self, each: Outcome) -> list[tuple[float, int]]:
        """(second, instances wanted of all targets together) from 0 to the end, at each change."""
        present = dict(_start_of(self.setup, each))
        steps = [(0.0, sum(present.values()))]
        changes = sorted(
            (event.at_s, name, event.after) for name, es in each.events.items() for event in es
        )
        for at_s, name, after in changes:
            present[name] = after
            steps.append((at_s, sum(present.values())))
        return [*steps, (self.setup.replay.duration_s, steps[-1][1])]


def _start_of(setup: Setup, each: Outcome) -> Mapping[str, int]:
    """Where a run began: a constant fleet at its own size, all others at the same."""
    numbers = each.contender.instances()
    names = (target.name for target in setup.targets)
    return dict(zip(names, numbers, strict=True)) if numbers else setup.start


def as_json(comparisons: Sequence[Comparison]) -> dict[str, object]:
    """The object of `--json`: every run of every seed, so that a reader can draw the frontiers."""
    target = {qos.name: qos.percentile_frac for qos in comparisons[0].classes}
    return {
        "target": target,
        "policies": [_row(each, c.setup.seed) for c in comparisons for each in c.outcomes],
    }


def _row(each: Outcome, seed: int) -> dict[str, object]:
    return {
        "name": each.contender.name,
        "kind": each.contender.kind.value,
        "params": {**each.contender.params(), "seed": seed},
        "gpu_hours": round(each.gpu_hours, 4),
        "cost_usd": round(each.cost_usd, 4),
        "attainment": {name: round(frac, 6) for name, frac in each.attainment.items()},
        "scaling_events": each.n_events,
        "reversals": each.n_reversals,
        "minutes_below_95": each.n_bad_minutes,
    }
