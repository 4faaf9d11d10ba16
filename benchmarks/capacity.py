"""How well a fitted profile predicts silicon that it has not seen: `python -m benchmarks.capacity`.

Held out are whole prompt lengths, each in turn, and a whole regime that the seed draws: neighbours in
concurrency would give each other away. Beside each figure stands the same error of a fit that saw all.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.report import Figure, print_report
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.points_file import read_points
from llmd_autoscaler.profiling.regime import Regime, regime
from llmd_autoscaler.profiling.scores import Judged, judge

SEED = 0
_ROOT = Path(__file__).parent.parent
_BLANK = EngineProfile(
    StepModel(0.0, 0.0, 0.0, 0.0, 0.0), FrontEnd(), kv_tokens=1, max_num_seqs=512
)
# What a fit can do without: of one of these regimes it sees nothing.
_REGIMES = (Regime.API_SERVER, Regime.PREFIX_HIT, Regime.NOT_STEADY)
_LONG_OSL, _SHORT_OSL = 128, 16
_N_PREDICTED = 1000


@dataclass(frozen=True, slots=True)
class Silicon:
    """Points of one accelerator, and its engine's memory."""

    name: str
    file: Path
    engine: EngineProfile


SILICON = (
    Silicon(
        "H100",
        _ROOT / "benchmarks" / "data" / "llama-3.1-8b-h100.jsonl.gz",
        replace(_BLANK, kv_tokens=462_944),
    ),
    Silicon(
        "H200",
        _ROOT / "models" / "catalog" / "points" / "llama-3.1-8b-h200.jsonl.gz",
        replace(_BLANK, kv_tokens=919_824),
    ),
)


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


def speed_figures(silicon: Silicon, points: Sequence[Point]) -> list[Figure]:
    """How long a fit and a thousand predictions take; the kernels are compiled by then."""
    started = time.perf_counter()
    fitted = fit(points, silicon.engine, seed=SEED)
    fit_s = time.perf_counter() - started
    many = (list(points) * math.ceil(_N_PREDICTED / len(points)))[:_N_PREDICTED]
    started = time.perf_counter()
    judge(fitted.profile, many)
    predict_s = time.perf_counter() - started
    return [
        Figure(name=f"fit of {len(points)} points", value=fit_s, unit="s", at_most=5.0),
        Figure(name=f"{_N_PREDICTED} predictions", value=predict_s, unit="s", at_most=1.0),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, predict, report; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="draws the regime that is held out")
    seed = parser.parse_args(arguments).seed
    figures: list[Figure] = []
    beside: list[Figure] = []
    for silicon in SILICON:
        points = read_points([silicon.file])
        unseen = held_out(points, silicon.engine, seed=seed)
        seen = judge(fit(points, silicon.engine, seed=seed).profile, points)
        figures += [*error_figures(silicon.name, unseen), regime_figure(silicon.name, unseen)]
        beside += error_figures(f"{silicon.name} fitted:", seen)
    figures += speed_figures(SILICON[0], read_points([SILICON[0].file]))
    for figure in figures:
        mark = {True: "met", False: "MISSED", None: ""}[figure.is_met]
        print(
            f"{figure.name:60} {figure.value:8.3f} {figure.unit:4} {figure.target or '':8} {mark}"
        )
    return 0 if print_report("capacity", figures, beside) else 1


if __name__ == "__main__":
    sys.exit(main())
