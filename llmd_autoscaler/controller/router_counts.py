"""A router's page as counts of each model: its cells by class and bin, those of unknown names left out.

A page names models, not namespaces: a controller of several namespaces that hold the same model takes
a router's counts for each of them. Run one controller a namespace there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.controller.ports import ModelKey
from llmd_autoscaler.core.realised import BOUNDS, Outcomes
from llmd_autoscaler.core.shapes import N_BINS, bin_named
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
    """A whole page; a model that the router has not seen yet has zeros."""

    by_model: Mapping[ModelKey, RouterCounts]
    n_ignored: int  # cells of a model, class, edge or bound that we do not know


class _Arrays:
    """The arrays of one model while they are filled."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.index = {name: c for c, name in enumerate(classes)}
        n = len(classes)
        self.arrivals = np.zeros((2, n, N_BINS))
        self.cells = np.zeros((4, n, N_BINS, N_BINS))
        self.outcomes = np.zeros((n, len(BOUNDS)))


def read_ledger(page: RouterPage, classes_of: Mapping[ModelKey, Sequence[str]]) -> Ledger:
    """The counts of every model.

    Args:
        page: a router's page.
        classes_of: names of the classes of each model, in their order.
    """
    arrays = {key: _Arrays(classes) for key, classes in classes_of.items()}
    of_model: dict[str, list[_Arrays]] = {}
    for key, each in arrays.items():
        of_model.setdefault(key.model_id, []).append(each)
    n_ignored = 0
    for kind, arrivals in enumerate((page.arrivals, page.arrivals_isl_tokens)):
        for (model, name, isl), count in arrivals.items():
            places = list(_places(of_model, model, name, (isl,)))
            for each, place in places:
                each.arrivals[(kind, *place)] += count
            n_ignored += not places
    completions = (page.completions, page.isl_tokens, page.osl_tokens, page.hit_tokens)
    for kind, cells in enumerate(completions):
        for (model, name, isl, osl), count in cells.items():
            places = list(_places(of_model, model, name, (isl, osl)))
            for each, place in places:
                each.cells[(kind, *place)] += count
            n_ignored += not places
    n_ignored += _take_outcomes(page, of_model)
    counts = {key: _counts(page.started_at_s, each) for key, each in arrays.items()}
    return Ledger(counts, n_ignored)


def _take_outcomes(page: RouterPage, of_model: Mapping[str, Sequence[_Arrays]]) -> int:
    """Fills in what became of the requests; returns how many cells were left out."""
    n_ignored = 0
    bounds = {name: b for b, name in enumerate(BOUNDS)}
    for (model, name, bound), count in page.attained.items():
        places = list(_places(of_model, model, name, ())) if bound in bounds else []
        for each, (c,) in places:
            each.outcomes[c, bounds[bound]] += count
        n_ignored += not places
    return n_ignored


def _places(
    of_model: Mapping[str, Sequence[_Arrays]], model: str, class_name: str, edges: tuple[int, ...]
) -> Iterator[tuple[_Arrays, tuple[int, ...]]]:
    """Where a cell stands in its model's arrays; nowhere for one that we do not know."""
    try:
        bins = tuple(bin_named(edge) for edge in edges)
    except ValueError:
        return
    for each in of_model.get(model, ()):
        c = each.index.get(class_name)
        if c is not None:
            yield each, (c, *bins)


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
    )
    return RouterCounts(traffic, Outcomes(started_at_s, arrays.outcomes))
