"""What the runs of all cases say: means over the seeds, and the figures that must be met."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.compare_cases import Case
from benchmarks.compare_plan import INSTANT, KNOWING, NO_WINDOW
from benchmarks.report import Figure
from llmd_autoscaler.local.comparison import Comparison
from llmd_autoscaler.local.frontier import hours_at
from llmd_autoscaler.local.sweep import BOUND, ENTRIES, OURS, STATIC
from llmd_autoscaler.simulator.bounds import fractional_gpu_hours
from llmd_autoscaler.simulator.contest import Kind, Outcome, Way

SIMPLE = tuple(entry.name for entry in ENTRIES if entry.kind is Kind.SIMPLE)
TO_STATIC_TARGET = 0.95
TO_SIMPLE_TARGET = 1.0
SCENARIO_TO_SIMPLE_TARGET = 1.03
_NOTHING = math.nan


@dataclass(frozen=True, slots=True)
class Verdict:
    """One case; every list has a place a seed, NaN where there is no number."""

    case: Case
    comparisons: tuple[Comparison, ...]

    def ours(self) -> list[Outcome]:
        """Our runs."""
        return [each for c in self.comparisons if (each := c.best(OURS)) is not None]

    def hours(self, name: str) -> list[float]:
        """GPU-hours of a policy where it keeps every SLO."""
        return [_hours(c.best(name)) for c in self.comparisons]

    def best_simple(self) -> list[float]:
        """GPU-hours of the best simple law at its best setting, at the target attainment."""
        return [_hours(c.best_simple()) for c in self.comparisons]

    def best_simple_at_ours(self) -> list[float]:
        """GPU-hours of the simple law that is cheapest at our attainment."""
        return [_at_our_strain(c) for c in self.comparisons]

    def to_static(self) -> float:
        """Our GPU-hours ÷ the best static fleet's."""
        return _mean_ratio(self._our_hours(), self.hours(STATIC))

    def to_simple(self) -> float:
        """Our GPU-hours ÷ the best simple law's at our attainment."""
        return _mean_ratio(self._our_hours(), self.best_simple_at_ours())

    def lowest(self, class_name: str) -> float:
        """The attainment of a class in the worst seed."""
        found = [
            each.attainment[class_name] for each in self.ours() if class_name in each.attainment
        ]
        return min(found, default=_NOTHING)

    def n_kept(self) -> int:
        """Seeds in which we keep every SLO."""
        return sum(each.keeps_slo for each in self.ours())

    def mean(self, value: Callable[[Outcome], float]) -> float:
        """The mean of a figure of our runs."""
        return fmean(value(each) for each in self.ours())

    def _our_hours(self) -> list[float]:
        return [each.gpu_hours for each in self.ours()]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A simple law at one setting over many cases."""

    name: str
    way: Way
    n_kept: int
    n_runs: int
    to_ours: float  # GPU-hours over all runs ÷ ours
    n_better: int  # runs in which it misses no more than ours and takes 3 % less
    n_worse: int  # runs in which ours misses no more than it and takes 3 % less


def swept(verdicts: Iterable[Verdict]) -> list[Comparison]:
    """The runs of the first seed of each case: all settings are played on these."""
    return [verdict.comparisons[0] for verdict in verdicts]


def best_fixed(runs: Sequence[Comparison]) -> list[Fixed]:
    """Of each simple law the cheapest of the settings that keep the SLOs in as many runs as ours do.

    Where none keeps as many, one that keeps most. A law that was not played with the same setting everywhere is
    left out.
    """
    ours = [each for c in runs if (each := c.best(OURS)) is not None]
    n_ours = sum(each.keeps_slo for each in ours)
    found = []
    for name in SIMPLE:
        by_way: dict[Way, dict[int, Outcome]] = {}
        for i, comparison in enumerate(runs):
            for each in comparison.of(name):
                by_way.setdefault(each.contender.way, {})[i] = each
        rated = [
            _fixed(name, way, list(by_run.values()), ours)
            for way, by_run in by_way.items()
            if len(by_run) == len(runs)
        ]
        found += sorted(rated, key=lambda fixed: (-min(fixed.n_kept, n_ours), fixed.to_ours))[:1]
    return found


def _fixed(name: str, way: Way, played: Sequence[Outcome], ours: Sequence[Outcome]) -> Fixed:
    pairs = list(zip(played, ours, strict=True))
    return Fixed(
        name=name,
        way=way,
        n_kept=sum(each.keeps_slo for each in played),
        n_runs=len(played),
        to_ours=sum(each.gpu_hours for each in played) / sum(each.gpu_hours for each in ours),
        n_better=sum(_beats(each, our) for each, our in pairs),
        n_worse=sum(_beats(our, each) for each, our in pairs),
    )


def _beats(one: Outcome, other: Outcome) -> bool:
    return (
        one.strain <= other.strain and one.gpu_hours * SCENARIO_TO_SIMPLE_TARGET < other.gpu_hours
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One part of our GPU-hours: the run from which something was taken away, and what it left."""

    about: str
    gpu_hours: float
    attained_frac: float


def steps(comparison: Comparison) -> list[Step]:
    """Our run, then with one thing after another taken away, down to the load itself."""
    named = (
        (OURS, "ours"),
        (KNOWING, "the exact traffic of the lead time in place of the forecast"),
        (BOUND, "and no scale-in window: the look-ahead bound"),
        (INSTANT, "and instances that are ready at once"),
    )
    found = [
        Step(about, each.gpu_hours, each.attained_frac)
        for name, about in named
        if (each := comparison.best(name)) is not None
    ]
    whole = fractional_gpu_hours(comparison.setup)
    return [
        *found,
        Step("and fractions of an instance, without a minimum: the load", whole, _NOTHING),
    ]


def without_window(comparison: Comparison) -> Outcome | None:
    """Ours with a scale-in window of 0."""
    return comparison.best(NO_WINDOW)


def figures(verdicts: Iterable[Verdict]) -> Iterator[Figure]:
    """What the issue asks for; a ratio whose other side nobody reaches is left out."""
    for verdict in verdicts:
        name, to_simple = verdict.case.name, verdict.to_simple()
        if verdict.case.is_scenario:
            if math.isfinite(to_simple):
                yield Figure(
                    name=f"{name}: GPU-hours to the best simple law at our attainment",
                    value=to_simple,
                    unit="ratio",
                    at_most=SCENARIO_TO_SIMPLE_TARGET,
                )
            continue
        yield Figure(
            name=f"{name}: attainment of interactive, worst seed",
            value=verdict.lowest("interactive"),
            unit="frac",
            at_least=0.99,
        )
        for other, value, target in (
            ("the best static fleet", verdict.to_static(), TO_STATIC_TARGET),
            ("the best simple law at our attainment", to_simple, TO_SIMPLE_TARGET),
        ):
            if math.isfinite(value):
                yield Figure(
                    name=f"{name}: GPU-hours to {other}", value=value, unit="ratio", at_most=target
                )


def beside(verdicts: Iterable[Verdict], fixed: Iterable[Fixed]) -> Iterator[Figure]:
    """What was measured with it."""
    for verdict in verdicts:
        name = verdict.case.name
        values: Mapping[str, tuple[float, str]] = {
            "seeds in which every SLO holds": (verdict.n_kept(), "seeds"),
            "GPU-hours": (verdict.mean(lambda o: o.gpu_hours), "h"),
            "GPU-hours, look-ahead bound to the best static fleet": (
                _mean_ratio(verdict.hours(BOUND), verdict.hours(STATIC)),
                "ratio",
            ),
            "GPU-hours, the best simple law at the target": (_mean(verdict.best_simple()), "h"),
            "reversals": (verdict.mean(lambda o: o.n_reversals), "reversals"),
            "minutes below 95 %": (verdict.mean(lambda o: o.n_bad_minutes), "minutes"),
        }
        for what, (value, unit) in values.items():
            if math.isfinite(value):
                yield Figure(name=f"{name}: {what}", value=value, unit=unit)
    for each in fixed:
        yield Figure(
            name=f"{each.name}, one setting for all: runs in which every SLO holds",
            value=each.n_kept,
            unit=f"of {each.n_runs}",
        )
        yield Figure(
            name=f"{each.name}, one setting for all: GPU-hours to ours",
            value=each.to_ours,
            unit="ratio",
        )
        yield Figure(
            name=f"{each.name}, one setting for all: runs in which it misses no more and takes 3 % less",
            value=each.n_better,
            unit=f"of {each.n_runs}",
        )


def _hours(best: Outcome | None) -> float:
    return best.gpu_hours if best is not None and best.keeps_slo else _NOTHING


def _at_our_strain(comparison: Comparison) -> float:
    ours = comparison.best(OURS)
    if ours is None:
        return _NOTHING
    found = [hours_at(comparison.of(name), ours.strain) for name in SIMPLE if comparison.of(name)]
    return min((hours for hours in found if hours is not None), default=_NOTHING)


def _mean(values: Iterable[float]) -> float:
    """The mean of those that are numbers."""
    finite = [value for value in values if math.isfinite(value)]
    return fmean(finite) if finite else _NOTHING


def _mean_ratio(values: Sequence[float], bases: Sequence[float]) -> float:
    """The mean over the seeds in which both are numbers."""
    return _mean(value / base for value, base in zip(values, bases, strict=True))
