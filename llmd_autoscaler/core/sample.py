"""Requests drawn from a traffic mix: what the engine is run on to find out what a fleet carries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.burstiness import POISSON, Burstiness, arrivals
from llmd_autoscaler.core.engine.compiled import as_float_row, as_int_row
from llmd_autoscaler.core.engine.fleet import Traffic
from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.core.traffic import CountSnapshot, TrafficMix

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Requests at a rate of one a second: arrays (request,)."""

    at_s: Array
    class_of: NDArray[np.int64]
    bin_of: NDArray[np.int64]
    isl: NDArray[np.int64]
    osl: NDArray[np.int64]
    expected_osl: Array

    def traffic(self, qps: float) -> Traffic:
        """The same requests at another rate, as the fleet takes them."""
        return Traffic(
            at=as_float_row(self.at_s / qps),
            class_of=as_int_row(self.class_of),
            bin_of=as_int_row(self.bin_of),
            isl=as_int_row(self.isl),
            osl=as_int_row(self.osl),
            expected_osl=as_float_row(self.expected_osl),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the traffic looks like."""

    mix: TrafficMix
    shapes: CountSnapshot  # what the mix was made from: it holds the spread of the answers' lengths
    bursts: Burstiness = POISSON


def draw(weights: Array, seen: Seen, *, n: int, seed: int) -> Sample:
    """Draw n requests.

    Args:
        weights: (class, isl) requests a second of each cell; in any unit where arrivals are Poisson.
        seen: what the cells look like, and how unevenly their requests arrive.
    """
    mix, shapes = seen.mix, seen.shapes
    rng = np.random.default_rng(seed)
    cells = weights.ravel() / weights.sum()
    # Stratified: each cell gets its share of the n requests, in a shuffled order.
    quantiles = (np.arange(n) + rng.random(n)) / n
    cell = np.searchsorted(np.cumsum(cells), rng.permutation(quantiles), side="right").clip(
        0, len(cells) - 1
    )
    class_of, bin_of = np.divmod(cell, N_BINS)
    edges = np.array(EDGES_TOKENS, dtype=np.float64)
    lower = np.append(1.0, edges[:-1])
    # Spread within a cell around its mean, half-way to its nearer edge: a cell is half an octave wide.
    mean = np.clip(mix.isl_tokens[class_of, bin_of], lower[bin_of], edges[bin_of])
    reach = np.minimum(mean - lower[bin_of], edges[bin_of] - mean)
    isl = np.maximum(1, np.rint(mean + reach * (rng.random(n) - 0.5))).astype(np.int64)
    osl = _answers(class_of, bin_of, mix, shapes, rng)
    class_osl = np.array(
        [
            np.average(o, weights=w) if w.sum() > 0 else 1.0
            for o, w in zip(mix.osl_tokens, weights, strict=True)
        ]
    )
    return Sample(
        at_s=arrivals(n, float(weights.sum()), seen.bursts, rng),
        class_of=class_of.astype(np.int64),
        bin_of=bin_of.astype(np.int64),
        isl=isl,
        osl=osl,
        expected_osl=class_osl[class_of],
    )


def _answers(
    class_of: NDArray[np.int64],
    bin_of: NDArray[np.int64],
    mix: TrafficMix,
    shapes: CountSnapshot,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """An answer's length for each request: from the answers of its cell, of its class, or an exponential."""
    n_classes = len(mix.osl_tokens)
    edges = np.array(EDGES_TOKENS, dtype=np.float64)
    lower = np.append(1.0, edges[:-1])
    by_class = shapes.completions.sum(axis=1)
    bin_mean = _bin_means(shapes, lower, edges)
    power = (edges - lower) / (bin_mean - lower) - 1.0
    osl = np.ones(len(class_of), dtype=np.int64)
    for cell in np.unique(class_of * N_BINS + bin_of):
        where = np.flatnonzero(class_of * N_BINS + bin_of == cell)
        c, b = divmod(int(cell), N_BINS)
        counts = shapes.completions[c, b] + 10.0 * by_class[c] / max(by_class[c].sum(), 1.0)
        if c >= n_classes or counts.sum() == 0.0:
            drawn = rng.exponential(mix.osl_tokens[c, b], len(where))
        else:
            bins = rng.choice(N_BINS, len(where), p=counts / counts.sum())
            reach = edges[bins] - lower[bins]
            drawn = lower[bins] + reach * rng.random(len(where)) ** power[c, bins]
            # A cell's mean is measured, too, and its few answers may be longer or shorter than its class's.
            drawn *= mix.osl_tokens[c, b] / max(float(bin_mean[c] @ (counts / counts.sum())), 1.0)
        osl[where] = np.maximum(1, np.rint(drawn))
    return osl


def _bin_means(shapes: CountSnapshot, lower: Array, edges: Array) -> Array:
    """(class, OSL bin) mean length of a class's answers in each bin, off its edges; the middle where there were none.

    The shortest bin is six octaves wide, and whether its answers have four tokens or forty decides about their
    TPOT: `lower + reach * u ** power` with u uniform has this mean.
    """
    counts, tokens = shapes.completions.sum(axis=1), shapes.osl_tokens.sum(axis=1)
    middle = np.broadcast_to(0.5 * (lower + edges), counts.shape)
    mean = np.divide(tokens, counts, out=middle.copy(), where=counts > 0)
    margin = 0.02 * (edges - lower)
    return np.asarray(np.clip(mean, lower + margin, edges - margin))
