"""What a router's /metrics page says of each model and class, as one vector of cumulative counts."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.engines.exposition import read_labels, samples_by_name
from llmd_autoscaler.router.latency import TPOT_EDGES_S, TTFT_EDGES_S

Array = NDArray[np.float64]
Cell = tuple[str, str]  # model, class

_STARTED = "llmd_router_started_at_seconds"
# where each count stands in a vector
ARRIVALS, ARRIVALS_ISL, COMPLETIONS, ISL, OSL, ENDED, ATTAINED = range(7)
_SUMS: Mapping[str, int] = {
    "llmd_router_arrivals_total": ARRIVALS,
    "llmd_router_arrivals_isl_tokens_total": ARRIVALS_ISL,
    "llmd_router_completions_total": COMPLETIONS,
    "llmd_router_isl_tokens_total": ISL,
    "llmd_router_osl_tokens_total": OSL,
    "llmd_router_attained_total": ENDED,
}
_OUTCOMES = "llmd_router_attained_total"
_TTFT, _TPOT = "llmd_router_ttft_seconds_bucket", "llmd_router_tpot_seconds_bucket"
_WANTED = frozenset({_STARTED, *_SUMS, _TTFT, _TPOT})
# cumulative, the last one (+Inf) holds all
TTFT = slice(7, 8 + len(TTFT_EDGES_S))
TPOT = slice(TTFT.stop, TTFT.stop + 1 + len(TPOT_EDGES_S))
_PLACES: Mapping[tuple[str, str], int] = {
    (name, edge): first + i
    for name, edges, first in (
        (_TTFT, TTFT_EDGES_S, TTFT.start),
        (_TPOT, TPOT_EDGES_S, TPOT.start),
    )
    for i, edge in enumerate((*(f"{e:g}" for e in edges), "+Inf"))
}


@dataclass(frozen=True, slots=True, eq=False)
class RouterReading:
    """Cumulative counts since `started_at_s`, by model and class."""

    started_at_s: float
    cells: Mapping[Cell, Array]


def read_router(page: bytes) -> RouterReading:
    """The counts of one router.

    Raises: ObservationError: it is no page of metrics.
    """
    samples = samples_by_name(page, _WANTED)
    started = samples.pop(_STARTED, [])
    cells: dict[Cell, Array] = {}
    for name, lines in samples.items():
        for line in lines:
            cell, places = _place(name, line.label_text)
            counts = cells.get(cell)
            if counts is None:
                counts = cells[cell] = np.zeros(TPOT.stop)
            for place in places:
                counts[place] += line.value
    return RouterReading(started[0].value if started else 0.0, cells)


@functools.lru_cache(maxsize=1 << 17)
def _place(name: str, label_text: str) -> tuple[Cell, tuple[int, ...]]:
    """Whose count a line is, and where it goes; a page has the same labels at every reading."""
    labels = read_labels(label_text)
    cell = (labels.get("model", ""), labels.get("class", ""))
    if name == _OUTCOMES:
        return cell, (ENDED, ATTAINED) if labels.get("bound") == "all" else (ENDED,)
    if name in _SUMS:
        return cell, (_SUMS[name],)
    place = _PLACES.get((name, labels.get("le", "")))
    return cell, () if place is None else (place,)
