"""Demand cells of the optimizer: class x ISL cluster, at most eight a class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.core.slo import QosClass

Array = NDArray[np.float64]

# More cells than this a class make 100 models too slow to solve, and their mixes no cheaper (capacity.md section 4).
MAX_CLUSTERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Neighbouring ISL bins of a class, merged; arrays (cell,)."""

    class_of: NDArray[np.int64]
    first_bin: NDArray[np.int64]
    last_bin: NDArray[np.int64]
    weights: Array  # (cell, class, isl) share of each bin in its cell
    rate_qps: Array
    priority: Array

    def mean(self, values: Array) -> Array:
        """(cell,) mean of a (class, isl) array over the requests of each cell."""
        return np.asarray(np.tensordot(self.weights, values, axes=2))

    def isl_up_to(self, cell: int) -> int | None:
        """The highest ISL of a cell; None where it is its class's last, which has no upper limit."""
        is_last = cell + 1 == len(self.class_of) or self.class_of[cell + 1] != self.class_of[cell]
        return None if is_last else EDGES_TOKENS[int(self.last_bin[cell])]


def cells(classes: Sequence[QosClass], qps: Array, share: Array, work_s: Array) -> Cells:
    """Merge bins so that each cell of a class has about the same work.

    Args:
        qps: (class,) demand.
        share: (class, isl) of the class's arrivals.
        work_s: (class, isl) of one request, on any variant: only its proportions count.
    """
    rates = qps[:, None] * share
    found: list[tuple[int, int, int]] = []
    for c in range(len(classes)):
        work = np.cumsum(rates[c] * work_s[c])
        if work[-1] <= 0.0:
            continue
        cluster = np.minimum(
            (work / work[-1] * MAX_CLUSTERS * (1 - 1e-9)).astype(np.int64), MAX_CLUSTERS - 1
        )
        for k in np.unique(cluster[rates[c] > 0]):
            bins = np.flatnonzero((cluster == k) & (rates[c] > 0))
            found.append((c, int(bins[0]), int(bins[-1])))
    weights = np.zeros((len(found), len(classes), N_BINS))
    for i, (c, first, last) in enumerate(found):
        weights[i, c, first : last + 1] = (
            rates[c, first : last + 1] / rates[c, first : last + 1].sum()
        )
    of = np.array(found, dtype=np.int64).reshape(-1, 3)
    return Cells(
        class_of=of[:, 0],
        first_bin=of[:, 1],
        last_bin=of[:, 2],
        weights=weights,
        rate_qps=np.array([rates[c, first : last + 1].sum() for c, first, last in found]),
        priority=np.array([float(classes[c].priority) for c, _, _ in found]),
    )
