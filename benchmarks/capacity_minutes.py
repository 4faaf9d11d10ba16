"""What each minute on the GPU buys: errors of a profile that was stopped after 5, 10 and 20 minutes.

The 8B is judged by a grid that another program measured on another H100; the 70B, of which there is no
other measurement, by its own points, each by a fit that saw no point of its prompt length.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.capacity_errors import SEED, is_closed, of
from benchmarks.report import Figure
from benchmarks.silicon import H100_8B, PROFILED_8B, PROFILED_70B, Silicon
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.scores import Judged, judge

MINUTES = (5, 10, 20)
_JUDGED = ("itl_mean", "ttft_p50", "out_tps")


def within(points: Sequence[Point], minutes: float) -> list[Point]:
    """The points that were there after so many minutes of warming up and measuring."""
    ends_s = np.cumsum([point.warm_s + point.window_s for point in points])
    return [point for point, end_s in zip(points, ends_s, strict=True) if end_s <= 60.0 * minutes]


def minutes_figures() -> list[Figure]:
    """The errors, by model and minutes; a profile that ended earlier stands at its end."""
    figures: list[Figure] = []
    for silicon, judges in ((PROFILED_8B, H100_8B.points()), (PROFILED_70B, None)):
        points = silicon.points()
        n_before = 0
        for minutes in MINUTES:
            seen = within(points, minutes)
            if len(seen) == n_before:
                break
            n_before = len(seen)
            figures += _figures(silicon, seen, judges or points, minutes)
    return figures


def _figures(
    silicon: Silicon, seen: Sequence[Point], judges: Sequence[Point], minutes: int
) -> list[Figure]:
    name = f"{silicon.name}, {minutes} minutes ({len(seen)} points)"
    try:
        judged = _judged(silicon, seen, judges)
    except ConfigError:  # it says how many more rows it needs
        return [Figure(name=f"{name}, too few to fit", value=len(seen), unit="points")]
    return [
        Figure(name=f"{name}, {figure}, median", value=float(np.median(errors)), unit="frac")
        for figure in _JUDGED
        if (errors := of(judged, figure, is_closed))
    ]


def _judged(silicon: Silicon, seen: Sequence[Point], judges: Sequence[Point]) -> list[Judged]:
    """Other measurements by one fit; own points each by a fit without their length."""
    own = {id(point) for point in seen}
    if not any(id(point) in own for point in judges):
        return judge(fit(seen, silicon.engine, seed=SEED).profile, judges)
    judged: list[Judged] = []
    for isl in sorted({point.load.isl for point in judges}):
        others = [point for point in seen if point.load.isl != isl]
        of_length = [point for point in judges if point.load.isl == isl]
        judged += judge(fit(others, silicon.engine, seed=SEED).profile, of_length)
    return judged
