"""Which settings of each policy are tried: the sweeps as data, and where a second round looks closer."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmd_autoscaler.simulator.bounds import fleets
from llmd_autoscaler.simulator.contest import (
    Constant,
    Contender,
    Kind,
    LookAhead,
    Ours,
    Outcome,
)
from llmd_autoscaler.simulator.load_law import Setting, Signal
from llmd_autoscaler.simulator.slo_law import SloSetting
from llmd_autoscaler.simulator.virtual import Setup

# Down windows of the plain HPAs: none, and the default of Kubernetes.
DOWN_WINDOWS_S = (0.0, 300.0)
# First round, in steps of about 1.4: from fleets at their limit to fleets at their minimum, whatever the model.
TARGETS: Mapping[Signal, tuple[float, ...]] = {
    Signal.IN_FLIGHT: (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 180, 256),
    Signal.WAITING: (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1, 2, 4, 8, 16, 32),
    Signal.KV: (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.11, 0.16, 0.22, 0.32, 0.45, 0.63, 0.8, 0.9, 0.95),
}  # fmt: skip
# Of both thresholds, 0.55 and 0.40: the upper one stays below the clamp of 2 up to 3.6.
SCALES = (0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.4, 2.8, 3.4)
# Second round: so many settings between the best one and its neighbour on either side.
N_BETWEEN = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy that can be asked for."""

    name: str
    kind: Kind
    about: str
    families: tuple[tuple[tuple[float, ...], Callable[[float], Setting | SloSetting]], ...] = ()
    """Each a sweep of one number, the other knobs fixed."""

    def first(self, *, every: int = 1) -> list[Contender]:
        """The first round, or every so many of its settings."""
        return [
            Contender(self.name, self.kind, make(value))
            for values, make in self.families
            for value in values[::every]
        ]

    def closer(
        self, outcomes: Iterable[Outcome], *, every: int = 1, n_between: int = N_BETWEEN
    ) -> list[Contender]:
        """The second round: around the best of each family in the first, which may lie between two settings."""
        by_way = {each.contender.way: each for each in outcomes}
        return [
            Contender(self.name, self.kind, make(value))
            for values, make in self.families
            for value in between(
                values[::every], [by_way[make(value)] for value in values[::every]], n_between
            )
        ]


def between(
    values: Sequence[float], outcomes: Sequence[Outcome], n_between: int = N_BETWEEN
) -> list[float]:
    """Settings between the best and both its neighbours, in equal ratios, to three digits."""
    best = outcomes.index(best_of(outcomes))
    around = values[max(0, best - 1) : best + 2]
    return [
        float(f"{low * (high / low) ** (i / (n_between + 1)):.3g}")
        for low, high in itertools.pairwise(around)
        for i in range(1, n_between + 1)
    ]


def best_of(outcomes: Sequence[Outcome]) -> Outcome:
    """The cheapest that keeps every SLO, or else the one that misses least."""
    return min(
        outcomes,
        key=lambda each: (
            (0, each.cost_usd, each.strain) if each.keeps_slo else (1, each.strain, each.cost_usd)
        ),
    )


def _load_families(
    signal: Signal,
) -> tuple[tuple[tuple[float, ...], Callable[[float], Setting]], ...]:
    return tuple(
        (TARGETS[signal], lambda value, window_s=window_s: Setting(signal, value, window_s))
        for window_s in DOWN_WINDOWS_S
    )


ENTRIES = (
    Entry("ours", Kind.OURS, "this controller, at its defaults"),
    Entry("static", Kind.STATIC, "fleets that never change, the best with hindsight"),
    Entry("look-ahead", Kind.BOUND, "knows the traffic of the next lead time: a bound"),
    Entry(
        "hpa-in-flight", Kind.SIMPLE, "HPA on requests in flight an instance",
        _load_families(Signal.IN_FLIGHT),
    ),
    Entry(
        "hpa-waiting", Kind.SIMPLE, "HPA on waiting requests an instance",
        _load_families(Signal.WAITING),
    ),
    Entry("hpa-kv", Kind.SIMPLE, "HPA on the use of the KV cache", _load_families(Signal.KV)),
    Entry(
        "keda-slo", Kind.SIMPLE, "KEDA's SLO law of llm-d, on our classes' bounds",
        ((SCALES, SloSetting),),
    ),
    Entry(
        "keda-slo-fixed", Kind.SIMPLE, "the same on its own 3 s and 100 ms",
        ((SCALES, lambda value: SloSetting(value, has_class_bounds=False)),),
    ),
)  # fmt: skip
NAMES = tuple(entry.name for entry in ENTRIES)
STATIC, OURS, BOUND = "static", "ours", "look-ahead"


def static_fleets(setup: Setup) -> list[Contender]:
    """Every constant fleet within the limits, from the cheapest up."""
    return [Contender(STATIC, Kind.STATIC, Constant(numbers)) for numbers in fleets(setup)]


def unswept(names: Iterable[str]) -> list[Contender]:
    """Those that have no setting to choose; they take longest, so they come first."""
    known = {
        BOUND: Contender(BOUND, Kind.BOUND, LookAhead()),
        OURS: Contender(OURS, Kind.OURS, Ours()),
    }
    return [contender for name, contender in known.items() if name in names]


def is_at_an_edge(entry: Entry, best: Outcome) -> bool:
    """Whether the best of a sweep is its first or last setting: a wider one might find better."""
    for values, make in entry.families:
        if best.contender.way in (make(values[0]), make(values[-1])):
            return math.isfinite(best.strain)
    return False
