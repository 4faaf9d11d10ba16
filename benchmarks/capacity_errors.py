"""Errors of profiles on points that their fits have not seen, and the rows in which they are told."""

import random
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.report import Figure
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.regime import Regime, regime
from llmd_autoscaler.profiling.scores import Judged, judge

SEED = 0
# What a fit can do without: of one of these regimes it sees nothing.
_REGIMES = (Regime.API_SERVER, Regime.PREFIX_HIT, Regime.NOT_STEADY)
_LONG_OSL, _SHORT_OSL = 128, 16


def held_out(points: Sequence[Point], engine: EngineProfile, *, seed: int) -> list[Judged]:
    """Every point, judged by a fit that saw neither its prompt length nor any point of the drawn regime."""
    hidden = random.Random(seed).choice(_REGIMES)
    seen = [p for p in points if regime(p) is not hidden]
    judged: list[Judged] = []
    for isl in sorted({p.load.isl for p in points}):
        fitted = fit([p for p in seen if p.load.isl != isl], engine, seed=seed)
        judged += judge(fitted.profile, [p for p in points if p.load.isl == isl])
    return judged


def is_closed(judged: Judged) -> bool:
    """Whether a point is an ordinary closed loop in steady state."""
    return judged.regime in {Regime.ENGINE, Regime.KV_FULL, Regime.UNLOADED, Regime.API_SERVER}


def of(judged: Sequence[Judged], figure: str, which: Callable[[Judged], bool]) -> list[float]:
    """The sizes of one figure's errors over some points."""
    return [abs(j.errors[figure]) for j in judged if figure in j.errors and which(j)]


# (what, figure, which points, bound on the median, on p95, on the worst)
_Row = tuple[str, str, Callable[[Judged], bool], float | None, float | None, float | None]
ROWS: tuple[_Row, ...] = (
    (
        "ITL mean, OSL >= 128",
        "itl_mean",
        lambda j: is_closed(j) and j.point.load.osl >= _LONG_OSL,
        0.03,
        0.10,
        None,
    ),
    (
        "ITL mean, OSL 16",
        "itl_mean",
        lambda j: is_closed(j) and j.point.load.osl == _SHORT_OSL,
        0.08,
        0.20,
        None,
    ),
    ("ITL p95", "itl_p95", is_closed, 0.15, None, None),
    ("TTFT p50, unloaded", "ttft_p50", lambda j: j.regime is Regime.UNLOADED, 0.05, None, 0.20),
    (
        "TTFT p50, under load",
        "ttft_p50",
        lambda j: is_closed(j) and j.regime is not Regime.UNLOADED,
        0.08,
        None,
        None,
    ),
    ("throughput", "out_tps", is_closed, 0.03, 0.08, None),
    (
        "TTFT p50, 90 % shared prefix",
        "ttft_p50",
        lambda j: j.regime is Regime.PREFIX_HIT,
        0.08,
        None,
        None,
    ),
    (
        "throughput, 90 % shared prefix",
        "out_tps",
        lambda j: j.regime is Regime.PREFIX_HIT,
        0.08,
        None,
        None,
    ),
    # no target: windows that hold a wave of prompts or of answers have no steady state to be predicted
    (
        "throughput, not steady",
        "out_tps",
        lambda j: j.regime is Regime.NOT_STEADY,
        None,
        None,
        None,
    ),
)


def error_figures(name: str, judged: Sequence[Judged]) -> list[Figure]:
    """The table's rows over some judged points."""
    figures = []
    for what, figure, which, *bounds in ROWS:
        errors = of(judged, figure, which)
        if not errors:
            continue
        values = (float(np.median(errors)), float(np.quantile(errors, 0.95)), max(errors))
        for label, value, bound in zip(("median", "p95", "worst"), values, bounds, strict=True):
            if bound is not None or label == "median":
                figures.append(
                    Figure(
                        name=f"{name} {what}, {label} of {len(errors)}",
                        value=value,
                        unit="frac",
                        at_most=bound,
                    )
                )
    return figures


def regime_figure(name: str, judged: Sequence[Judged]) -> Figure:
    """The share of points whose limit the prediction names as the point's own figures do."""
    named = [_limit_of(j) for j in judged if j.regime is not Regime.NOT_STEADY]
    return Figure(
        name=f"{name} limit named rightly, of {len(named)}",
        value=sum(named) / len(named),
        unit="frac",
        at_least=1.0,
    )


def _limit_of(judged: Judged) -> bool:
    limits = {Regime.KV_FULL: "kv_full", Regime.API_SERVER: "api_server"}
    found = judged.prediction.limit
    wanted = limits.get(judged.regime)
    return found == wanted if wanted else found not in limits.values()
