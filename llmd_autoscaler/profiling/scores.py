"""How far a profile is from measured points: each figure's relative error, over all points and by regime."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.prediction import Prediction, predict
from llmd_autoscaler.profiling.regime import Regime, regime

# What is judged, with its words for people.
FIGURES: Mapping[str, str] = {
    "itl_mean": "ITL mean",
    "ttft_p50": "TTFT p50",
    "ttft_p95": "TTFT p95",
    "itl_p95": "ITL p95",
    "tpot_p95": "TPOT p95",
    "out_tps": "output tokens/s",
    "rps": "requests/s",
}
# Of shorter answers the first gap is most: it ends in the step that was scheduled ahead.
_LEAST_OSL_OF_GAPS = 16


@dataclass(frozen=True, slots=True)
class Spread:
    """Relative errors of one figure over some points."""

    n: int
    median_frac: float
    p95_frac: float
    worst_frac: float
    worst_point: str

    def to_json(self) -> dict[str, object]:
        """As `predict --json` writes it."""
        return {
            "median_frac": round(self.median_frac, 5),
            "p95_frac": round(self.p95_frac, 5),
            "worst_frac": round(self.worst_frac, 5),
            "worst_point": self.worst_point,
            "n": self.n,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """One point beside its prediction."""

    point: Point
    regime: Regime
    prediction: Prediction
    errors: dict[str, float]  # figure: predicted / measured - 1


def judge(profile: EngineProfile, points: Iterable[Point]) -> list[Judged]:
    """Every point of one server beside what a profile says of it."""
    judged = []
    for point in points:
        if point.left_out:
            continue
        own = point.profile(profile)
        prediction = predict(own, point.load)
        judged.append(
            Judged(
                point,
                regime(point, n_api_servers=own.n_api_servers),
                prediction,
                errors_of(point, prediction),
            )
        )
    return judged


def errors_of(point: Point, prediction: Prediction) -> dict[str, float]:
    """Signed relative errors of the figures that a point has."""
    clients = point.clients
    has_gaps = point.load.osl >= _LEAST_OSL_OF_GAPS
    pairs = {
        "itl_mean": (prediction.itl_mean_s, clients.itl_mean_s if has_gaps else None),
        "ttft_p50": (prediction.ttft_p50_s, clients.ttft_p50_s),
        "ttft_p95": (prediction.ttft_p95_s, clients.ttft_p95_s),
        "itl_p95": (prediction.itl_p95_s, clients.itl_p95_s if has_gaps else None),
        "tpot_p95": (prediction.tpot_p95_s, clients.tpot_p95_s if has_gaps else None),
        "out_tps": (prediction.out_tps, clients.out_tps),
        "rps": (prediction.rps, point.rps),
    }
    return {
        name: predicted / measured - 1.0
        for name, (predicted, measured) in pairs.items()
        if predicted is not None and measured
    }


def spreads(judged: Sequence[Judged]) -> dict[str, Spread]:
    """The errors of each figure that any of the points has."""
    found = {}
    for figure in FIGURES:
        errors = [
            (abs(each.errors[figure]), each.point) for each in judged if figure in each.errors
        ]
        if errors:
            sizes = [size for size, _ in errors]
            worst, where = max(errors, key=lambda pair: pair[0])
            found[figure] = Spread(
                n=len(errors),
                median_frac=float(np.median(sizes)),
                p95_frac=float(np.quantile(sizes, 0.95)),
                worst_frac=worst if math.isfinite(worst) else math.inf,
                worst_point=f"{where.load.name} ({where.where})"
                if where.where
                else where.load.name,
            )
    return found


def report(judged: Sequence[Judged], left_out: Sequence[Point] = ()) -> dict[str, object]:
    """The object that `predict --points --json` prints."""
    by_regime = {}
    for each in Regime:
        of_regime = [j for j in judged if j.regime is each]
        if of_regime:
            by_regime[each.value] = {
                "points": len(of_regime),
                "errors": _to_json(spreads(of_regime)),
            }
    return {
        "points": len(judged),
        "errors": _to_json(spreads(judged)),
        "by_regime": by_regime,
        "left_out": [{"point": p.load.name, "at": p.where, "why": p.left_out} for p in left_out],
    }


def _to_json(found: dict[str, Spread]) -> dict[str, object]:
    return {name: spread.to_json() for name, spread in found.items()}
