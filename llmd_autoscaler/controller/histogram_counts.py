"""Traffic from vLLM's own pages, for models without a router: one pod's counters as counts of shapes.

Offered is what finished, runs and waits. The page has the lengths as two separate histograms with
coarse edges, and no classes: shapes are their product, all of one class. That is worse than a
router's counts (the benchmark races say by how much), and better than none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.engines.vllm import Histogram, VllmPage

Array = NDArray[np.float64]

_UPPER = np.array(EDGES_TOKENS, dtype=np.float64)
_LOWER = np.append(1.0, _UPPER[:-1])
_MIDDLE = np.sqrt(_LOWER * _UPPER)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page says, as far as it is counted."""

    started_at_s: float
    offered: float
    isl: Histogram
    osl: Histogram
    queries_tokens: float
    hits_tokens: float


@dataclass(slots=True)
class PodCounts:
    """One pod's counts since they were begun; they only grow, whatever its page does.

    A product of two histograms does not grow cell by cell, and a gauge falls without a reason: so what
    is new on each page is spread over the cells and added up here.
    """

    started_at_s: float
    last: Reading | None = None
    _arrivals: Array = field(default_factory=lambda: np.zeros(N_BINS))
    _arrival_tokens: Array = field(default_factory=lambda: np.zeros(N_BINS))
    _cells: Array = field(default_factory=lambda: np.zeros((4, N_BINS, N_BINS)))

    def take(self, reading: Reading) -> None:
        """Add what is new on a page."""
        before = self.last
        is_restart = before is not None and (
            reading.started_at_s != before.started_at_s or reading.isl.count < before.isl.count
        )
        offered_before = 0.0 if before is None or is_restart else before.offered
        n_offered = max(0.0, reading.offered - offered_before)
        base = None if is_restart else before
        isl = _spread(_new(reading.isl, base.isl if base else None))
        osl = _spread(_new(reading.osl, base.osl if base else None))
        self._add_completions(reading, base, isl, osl)
        self._add_arrivals(n_offered, reading, isl)
        # a gauge that fell must not let the same requests count twice when it rises
        self.last = _with_offered(reading, max(reading.offered, offered_before))

    def begin_at(self, reading: Reading) -> None:
        """Count from this page on: what stands there was counted by somebody else."""
        self.last = reading

    def snapshot(self, n_classes: int, class_index: int) -> CountSnapshot:
        """The counts, all in one class."""
        zero = CountSnapshot.zero(n_classes, started_at_s=self.started_at_s)
        completions, isl_tokens, osl_tokens, hit_tokens = self._cells
        return CountSnapshot(
            started_at_s=self.started_at_s,
            arrivals=_placed(zero.arrivals, self._arrivals, class_index),
            arrival_isl_tokens=_placed(zero.arrivals, self._arrival_tokens, class_index),
            completions=_placed(zero.completions, completions, class_index),
            isl_tokens=_placed(zero.completions, isl_tokens, class_index),
            osl_tokens=_placed(zero.completions, osl_tokens, class_index),
            hit_tokens=_placed(zero.completions, hit_tokens, class_index),
        )

    def _add_completions(
        self, reading: Reading, base: Reading | None, isl: "Lengths", osl: "Lengths"
    ) -> None:
        n = isl.counts.sum()
        if n <= 0.0 or osl.counts.sum() <= 0.0:
            return
        cells = np.outer(isl.counts, osl.counts / osl.counts.sum())
        isl_tokens = cells * isl.mean_tokens[:, None]
        queries = reading.queries_tokens - (base.queries_tokens if base else 0.0)
        hits = reading.hits_tokens - (base.hits_tokens if base else 0.0)
        hit_frac = min(max(hits / queries, 0.0), 1.0) if queries > 0.0 else 0.0
        self._cells = self._cells + np.stack(
            [cells, isl_tokens, cells * osl.mean_tokens[None, :], isl_tokens * hit_frac]
        )

    def _add_arrivals(self, n_offered: float, reading: Reading, isl: "Lengths") -> None:
        """Who arrived has no length before it finished: it is taken to be like those that did."""
        if n_offered <= 0.0:
            return
        like = isl if isl.counts.sum() > 0.0 else _spread(reading.isl)
        total = like.counts.sum()
        share = like.counts / total if total > 0.0 else np.full(N_BINS, 1.0 / N_BINS)
        self._arrivals = self._arrivals + n_offered * share
        self._arrival_tokens = self._arrival_tokens + n_offered * share * like.mean_tokens


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """Requests by bin of the shape grid, and their mean length there."""

    counts: Array
    mean_tokens: Array


def read(page: VllmPage) -> Reading | str:
    """What is counted of a page, or which series it lacks for that."""
    missing = [name for name in ("running", "waiting", "isl", "osl") if name in page.missing]
    if missing or page.isl is None or page.osl is None:
        return "; ".join(page.missing[name] for name in missing)
    finished = (
        page.isl.count if page.success_by_reason is None else sum(page.success_by_reason.values())
    )
    return Reading(
        started_at_s=page.started_at_s or 0.0,
        offered=max(finished, page.isl.count) + (page.n_running or 0.0) + (page.n_waiting or 0.0),
        isl=page.isl,
        osl=page.osl,
        queries_tokens=page.prefix_queries_tokens or 0.0,
        hits_tokens=page.prefix_hits_tokens or 0.0,
    )


def _new(now: Histogram, before: Histogram | None) -> Histogram:
    """What came to a histogram; all of it where its edges are others now."""
    if before is None or now.edges != before.edges:
        return now
    return Histogram(
        edges=now.edges,
        counts=tuple(max(0.0, a - b) for a, b in zip(now.counts, before.counts, strict=True)),
        sum=max(0.0, now.sum - before.sum),
        count=max(0.0, now.count - before.count),
    )


def _spread(histogram: Histogram) -> Lengths:
    """A histogram on the grid of shapes: each bucket evenly over its logarithm, scaled to the true mean."""
    counts = np.zeros(N_BINS)
    below = 0.0
    low = 1.0
    for edge, cumulative in zip(
        (*histogram.edges, math.inf), (*histogram.counts, histogram.count), strict=True
    ):
        n = max(0.0, cumulative - below)
        if n > 0.0:
            counts += n * _shares(low, edge)
        below, low = max(below, cumulative), max(edge, 1.0)
    total = float(counts @ _MIDDLE)
    scale = histogram.sum / total if total > 0.0 and histogram.sum > 0.0 else 1.0
    return Lengths(counts, np.clip(_MIDDLE * scale, 1.0, None))


def _shares(low: float, high: float) -> Array:
    """(bin,) share of a bucket's logarithm that each bin holds; the open last bucket is one octave."""
    high = 2.0 * low if math.isinf(high) else high
    if high <= low:
        return _one_bin(high)
    upper = np.append(_UPPER[:-1], math.inf)  # the last bin takes the rest
    overlap = np.log(np.minimum(upper, high)) - np.log(np.maximum(_LOWER, low))
    shares = np.clip(overlap, 0.0, None) / math.log(high / low)
    return np.asarray(shares / shares.sum())


def _one_bin(tokens: float) -> Array:
    shares = np.zeros(N_BINS)
    shares[min(int(np.searchsorted(_UPPER, tokens)), N_BINS - 1)] = 1.0
    return shares


def _placed(zero: Array, counts: Array, class_index: int) -> Array:
    """The counts in their class."""
    placed = zero.copy()
    placed[class_index] = counts
    return placed


def _with_offered(reading: Reading, offered: float) -> Reading:
    return Reading(
        reading.started_at_s,
        offered,
        reading.isl,
        reading.osl,
        reading.queries_tokens,
        reading.hits_tokens,
    )


def class_index(names: Sequence[str], default: str) -> int:
    """Where the default class stands; the last where nobody says."""
    return names.index(default) if default in names else len(names) - 1
