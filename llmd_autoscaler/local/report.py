"""What a run came to, in the words of scoring.md."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from llmd_autoscaler.core import score
from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.local.hindsight import Hindsight
from llmd_autoscaler.simulator.virtual import Result

# Lag beyond this share of the tightest bound on one instant leaves no verdict on attainment.
_LAG_LIMIT_FRAC = 0.1


@dataclass(frozen=True, slots=True)
class Usage:
    """What the fleet took and how often it changed, over the scored interval."""

    gpu_hours: float
    cost_usd: float
    n_decisions: int
    n_events: int
    n_reversals: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How the run itself went; wall seconds but for the first."""

    simulated_s: float
    wall_s: float
    first_decision_s: float | None = None
    lag_p99_s: float | None = None
    """Of the simulated clock: the lag of the load generator's event loop times the speed; None in virtual time."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """One run."""

    classes: tuple[QosClass, ...]
    answers: Answers
    usage: Usage
    pace: Pace
    hindsight: Hindsight
    failures: Counter[str] = field(default_factory=Counter)
    differences: tuple[str, ...] = ()
    """Where the router's counts are not the load generator's."""

    def attainment(self) -> Mapping[str, float]:
        """By class that had requests: attained ÷ arrived."""
        fracs = score.attainment(self.classes, self.answers)
        return {
            qos.name: float(frac)
            for qos, frac in zip(self.classes, fracs, strict=True)
            if not math.isnan(frac)
        }

    def lag_limit_s(self) -> float:
        """The lag above which attainment says nothing: a tenth of the tightest bound on one instant."""
        return _LAG_LIMIT_FRAC * min(
            (
                _tightest_s(qos, self.answers.osl[self.answers.class_of == c])
                for c, qos in enumerate(self.classes)
            ),
            default=math.inf,
        )

    def as_json(self) -> dict[str, object]:
        """The object of `--json`."""
        completed = int(np.count_nonzero(self.answers.is_completed))
        return {
            "requests": len(self.answers.at_s),
            "completed": completed,
            "failed": len(self.answers.at_s) - completed,
            "attainment": {name: round(frac, 6) for name, frac in self.attainment().items()},
            "gpu_hours": round(self.usage.gpu_hours, 4),
            "static_gpu_hours": _rounded(self.hindsight.static_gpu_hours),
            "lookahead_gpu_hours": _rounded(self.hindsight.lookahead_gpu_hours),
            "cost_usd": round(self.usage.cost_usd, 4),
            "decisions": self.usage.n_decisions,
            "scaling_events": self.usage.n_events,
            "reversals": self.usage.n_reversals,
            "first_decision_s": _rounded(self.pace.first_decision_s),
            "simulated_s": round(self.pace.simulated_s, 3),
            "wall_s": round(self.pace.wall_s, 3),
            "lag_p99_s": _rounded(self.pace.lag_p99_s or 0.0),
        }


def virtual_report(
    classes: Sequence[QosClass], result: Result, hindsight: Hindsight, pace: Pace
) -> Report:
    """The report of a run in virtual time."""
    usage = Usage(
        gpu_hours=result.gpu_hours,
        cost_usd=result.cost_usd,
        n_decisions=result.n_decisions,
        n_events=result.n_events,
        n_reversals=result.n_reversals,
    )
    n_failed = int(np.count_nonzero(~result.answers.is_completed))
    failures = Counter({"refused": n_failed}) if n_failed else Counter[str]()
    return Report(tuple(classes), result.answers, usage, pace, hindsight, failures)


def _tightest_s(qos: QosClass, osl: score.Ints) -> float:
    bounds = qos.bounds
    n_gaps = float(np.median(osl)) - 1.0 if len(osl) else math.inf
    tpot_s = bounds.tpot_max_s * n_gaps if n_gaps > 0.0 else math.inf
    return min(bounds.ttft_max_s, bounds.e2e_bound_s(), tpot_s)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
