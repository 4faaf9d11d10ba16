"""A router's page as counts of each model: its cells by class and bin, those of unknown names left out.

A page names models, not namespaces: a controller of several namespaces that hold the same model takes
a router's counts for each of them. Run one controller a namespace there.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.controller.ports import ModelKey
from llmd_autoscaler.core.realised import BOUNDS, Outcomes
from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.engines.router import RouterPage

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RouterCounts:
    """What one router counted of one model."""

    traffic: CountSnapshot
    outcomes: Outcomes


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """A whole page: the models that the router has seen."""

    started_at_s: float
    by_model: Mapping[ModelKey, RouterCounts]
    n_ignored: int  # cells of a model, class, edge or bound that we do not know


_BIN_OF_EDGE = {edge: b for b, edge in enumerate(EDGES_TOKENS)}
_BOUND_INDEX = {name: b for b, name in enumerate(BOUNDS)}


class _Arrays:
    """The arrays of one model while they are filled."""

    def __init__(self, n_classes: int) -> None:
        self.arrivals = np.zeros((2, n_classes, N_BINS))
        self.arrivals_squared = 0.0
        self.cells = np.zeros((4, n_classes, N_BINS, N_BINS))
        self.outcomes = np.zeros((n_classes, len(BOUNDS)))


def read_ledger(page: RouterPage, classes_of: Mapping[ModelKey, Sequence[str]]) -> Ledger:
    """The counts of every model that the page names.

    Args:
        page: a router's page.
        classes_of: names of the classes of each model, in their order.
    """
    filling = _Filling(classes_of)
    for kind, arrivals in enumerate((page.arrivals, page.arrivals_isl_tokens)):
        for (model, name, isl), count in arrivals.items():
            b = _BIN_OF_EDGE.get(isl)
            for each, c in filling.places(model, name, is_known=b is not None):
                each.arrivals[kind, c, b] += count
    for kind, cells in enumerate(
        (page.completions, page.isl_tokens, page.osl_tokens, page.hit_tokens)
    ):
        for (model, name, isl, osl), count in cells.items():
            b, o = _BIN_OF_EDGE.get(isl), _BIN_OF_EDGE.get(osl)
            for each, c in filling.places(model, name, is_known=b is not None and o is not None):
                each.cells[kind, c, b, o] += count
    for key, each in filling.arrays.items():
        each.arrivals_squared = page.arrivals_squared.get(key.model_id, 0.0)
    _take_outcomes(page, filling)
    counts = {key: _counts(page.started_at_s, each) for key, each in filling.arrays.items()}
    return Ledger(page.started_at_s, counts, filling.n_ignored)


def _take_outcomes(page: RouterPage, filling: "_Filling") -> None:
    """Fill in what became of the requests."""
    for (model, name, bound), count in page.attained.items():
        b = _BOUND_INDEX.get(bound)
        for each, c in filling.places(model, name, is_known=b is not None):
            each.outcomes[c, b] += count


class _Filling:
    """The arrays of the models that were named so far, and how many cells had no place in any."""

    def __init__(self, classes_of: Mapping[ModelKey, Sequence[str]]) -> None:
        self.arrays: dict[ModelKey, _Arrays] = {}
        self.n_ignored = 0
        self._classes_of = classes_of
        self._places: dict[tuple[str, str], list[tuple[_Arrays, int]]] = {}

    def places(self, model: str, class_name: str, *, is_known: bool) -> list[tuple[_Arrays, int]]:
        """Where the cells of a class stand: its model's arrays in every namespace, and its index there."""
        found = self._places.get((model, class_name))
        if found is None:
            found = self._places[model, class_name] = [
                (self._arrays_of(key, len(classes)), classes.index(class_name))
                for key, classes in self._classes_of.items()
                if key.model_id == model and class_name in classes
            ]
        if found and is_known:
            return found
        self.n_ignored += 1
        return []

    def _arrays_of(self, key: ModelKey, n_classes: int) -> _Arrays:
        return self.arrays.setdefault(key, _Arrays(n_classes))


def _counts(started_at_s: float, arrays: _Arrays) -> RouterCounts:
    arrivals, arrival_isl_tokens = arrays.arrivals
    completions, isl_tokens, osl_tokens, hit_tokens = arrays.cells
    traffic = CountSnapshot(
        started_at_s=started_at_s,
        arrivals=arrivals,
        arrival_isl_tokens=arrival_isl_tokens,
        completions=completions,
        isl_tokens=isl_tokens,
        osl_tokens=osl_tokens,
        hit_tokens=hit_tokens,
        arrivals_squared=arrays.arrivals_squared,
    )
    return RouterCounts(traffic, Outcomes(started_at_s, arrays.outcomes))


@functools.lru_cache
def nothing_counted(n_classes: int, started_at_s: float) -> RouterCounts:
    """A router that has not seen a model; the same object each time, so that nothing need be compared."""
    return _counts(started_at_s, _Arrays(n_classes))
