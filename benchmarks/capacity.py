"""How well a fitted profile predicts silicon that it has not seen: `python -m benchmarks.capacity`.

Held out are whole prompt lengths, each in turn, and a whole regime that the seed draws: neighbours in
concurrency would give each other away. Beside each figure stands the same error of a fit that saw all.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence

from benchmarks.capacity_errors import SEED, error_figures, held_out, regime_figure
from benchmarks.capacity_minutes import minutes_figures
from benchmarks.report import Figure, print_report
from benchmarks.silicon import H100_8B, H200_8B, PROFILED_70B, Silicon
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.scores import judge

SILICON = (H100_8B, H200_8B, PROFILED_70B)
_N_PREDICTED = 1000


def speed_figures(silicon: Silicon) -> list[Figure]:
    """How long a fit and a thousand predictions take; the kernels are compiled by then."""
    points = silicon.points()
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
        points = silicon.points()
        unseen = held_out(points, silicon.engine, seed=seed)
        seen = judge(fit(points, silicon.engine, seed=seed).profile, points)
        figures += [*error_figures(silicon.name, unseen), regime_figure(silicon.name, unseen)]
        beside += error_figures(f"{silicon.name} fitted:", seen)
    figures += speed_figures(SILICON[0])
    beside += minutes_figures()
    for figure in figures + beside:
        mark = {True: "met", False: "MISSED", None: ""}[figure.is_met]
        print(
            f"{figure.name:60} {figure.value:8.3f} {figure.unit:4} {figure.target or '':8} {mark}"
        )
    return 0 if print_report("capacity", figures, beside) else 1


if __name__ == "__main__":
    sys.exit(main())
