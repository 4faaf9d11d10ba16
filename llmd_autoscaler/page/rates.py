"""Rates, means, shares and quantiles over the last minute, from successive readings of the routers. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.page.router_metrics import (
    ARRIVALS,
    ARRIVALS_ISL,
    ATTAINED,
    COMPLETIONS,
    ENDED,
    OSL,
    TPOT,
    TTFT,
    Cell,
    RouterReading,
)
from llmd_autoscaler.router.latency import TPOT_EDGES_S, TTFT_EDGES_S

Array = NDArray[np.float64]

WINDOW_S = 60.0  # as the controller's own rates
_TTFT_QUANTILES = {"ttft_p50": 0.5, "ttft_p95": 0.95, "ttft_p99": 0.99}
_TPOT_QUANTILES = {"tpot_p50": 0.5, "tpot_p95": 0.95, "tpot_p99": 0.99}


@dataclass(slots=True)
class Window:
    """The readings of one router that a minute needs."""

    _readings: deque[tuple[float, RouterReading]] = field(default_factory=deque)

    def take(self, reading: RouterReading, at_s: float) -> None:
        """The newest reading; one of a router that was started again begins anew."""
        readings = self._readings
        if readings and (
            readings[-1][1].started_at_s != reading.started_at_s or readings[-1][0] >= at_s
        ):
            readings.clear()
        readings.append((at_s, reading))
        while len(readings) > 2 and readings[1][0] <= at_s - WINDOW_S:  # noqa: PLR2004 (a difference takes two)
            readings.popleft()

    def forget(self) -> None:
        """The router did not answer: what it says next is not of the last minute."""
        self._readings.clear()

    def counted(self) -> tuple[float, Mapping[Cell, Array]]:
        """(seconds, counts in them by cell); 0 seconds before the second reading."""
        if len(self._readings) < 2:  # noqa: PLR2004 (a difference takes two)
            return 0.0, {}
        (first_s, first), (last_s, last) = self._readings[0], self._readings[-1]
        nothing = np.zeros(TPOT.stop)
        cells = {
            cell: counts - first.cells.get(cell, nothing) for cell, counts in last.cells.items()
        }
        return last_s - first_s, cells


def rates(windows: Iterable[Window]) -> dict[Cell, dict[str, float]]:
    """By model and class: what all routers together counted, as the page's series name it; NaN is not known."""
    per_s: dict[Cell, Array] = {}
    for window in windows:
        seconds, cells = window.counted()
        for cell, counts in cells.items():
            if seconds > 0.0:
                per_s[cell] = per_s.get(cell, 0.0) + counts / seconds
    return {cell: _series(counts) for cell, counts in per_s.items()}


def _series(per_s: Array) -> dict[str, float]:
    found = {
        "qps": float(per_s[ARRIVALS]),
        "isl": _ratio(per_s[ARRIVALS_ISL], per_s[ARRIVALS]),
        "osl": _ratio(per_s[OSL], per_s[COMPLETIONS]),
        "attained": _ratio(per_s[ATTAINED], per_s[ENDED]),
    }
    for name, q in _TTFT_QUANTILES.items():
        found[name] = quantile(TTFT_EDGES_S, per_s[TTFT], q)
    for name, q in _TPOT_QUANTILES.items():
        found[name] = quantile(TPOT_EDGES_S, per_s[TPOT], q)
    return found


def quantile(edges_s: tuple[float, ...], cumulative: Array, q: float) -> float:
    """A quantile of a histogram, linear inside its bucket as Prometheus does it.

    Args:
        edges_s: upper edges of all buckets but the last, which has none.
        cumulative: counts up to each edge, and at the end of all.
        q: from 0 to 1.

    Returns: NaN of an empty histogram; the last edge where the quantile lies beyond it.
    """
    total = float(cumulative[-1])
    if total <= 0.0:
        return float("nan")
    rank = q * total
    place = int(np.searchsorted(cumulative, rank))
    if place >= len(edges_s):
        return edges_s[-1]
    below = float(cumulative[place - 1]) if place else 0.0
    low = edges_s[place - 1] if place else 0.0
    inside = float(cumulative[place]) - below
    return low + (edges_s[place] - low) * ((rank - below) / inside if inside > 0.0 else 1.0)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else float("nan")
