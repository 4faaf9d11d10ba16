"""What a page of our router says: demand (arrivals), the shapes served, and how many attained their bounds."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llmd_autoscaler.engines.exposition import Sample, read_labels, samples_by_name
from llmd_autoscaler.errors import ObservationError

ArrivalCell = tuple[str, str, int]  # model, class, ISL edge
CompletionCell = tuple[str, str, int, int]  # model, class, ISL edge, OSL edge
AttainedCell = tuple[str, str, str]  # model, class, bound ("all", or the one that was missed)
Cell = TypeVar("Cell")

_STARTED = "llmd_router_started_at_seconds"
_ARRIVALS = "llmd_router_arrivals_total"
_ARRIVALS_ISL = "llmd_router_arrivals_isl_tokens_total"
_SQUARED = "llmd_router_arrivals_squared_total"
_COMPLETIONS = "llmd_router_completions_total"
_ISL = "llmd_router_isl_tokens_total"
_OSL = "llmd_router_osl_tokens_total"
_HIT = "llmd_router_hit_tokens_total"
_ATTAINED = "llmd_router_attained_total"
_WANTED = frozenset(
    {
        _STARTED,
        _ARRIVALS,
        _ARRIVALS_ISL,
        _SQUARED,
        _COMPLETIONS,
        _ISL,
        _OSL,
        _HIT,
        _ATTAINED,
    }
)


@dataclass(frozen=True, slots=True)
class RouterPage:
    """Cumulative counts since `started_at_s`; a cell that never occurred is not there.

    Edges are the upper edges of the shape grid (core.shapes), in tokens. Arrivals count refused and
    shed requests, too, at an ISL estimated from bytes; completions have the ISL that the engine counted.
    """

    started_at_s: float
    arrivals: Mapping[ArrivalCell, float]
    arrivals_isl_tokens: Mapping[ArrivalCell, float]
    arrivals_squared: Mapping[str, float]  # by model; an older router does not count them
    completions: Mapping[CompletionCell, float]
    isl_tokens: Mapping[CompletionCell, float]
    osl_tokens: Mapping[CompletionCell, float]
    hit_tokens: Mapping[CompletionCell, float]
    attained: Mapping[AttainedCell, float]


def read_page(page: bytes) -> RouterPage:
    """The page of one router.

    Raises: ObservationError: it is no page of metrics, none of our router's, or a cell of it is broken.
    A broken cell fails the whole page: what is left would look like less demand.
    """
    samples = samples_by_name(page, _WANTED)
    started = samples.get(_STARTED)
    if not started:
        raise ObservationError(
            f"the page has no {_STARTED}: this is not our router, or one too old"
        )

    def cells(name: str, cell_of: Callable[[str, str], Cell]) -> dict[Cell, float]:
        return _cells(name, samples.get(name, ()), cell_of)

    return RouterPage(
        started_at_s=_count(_STARTED, started[0].value),
        arrivals=cells(_ARRIVALS, _arrival_cell),
        arrivals_isl_tokens=cells(_ARRIVALS_ISL, _arrival_cell),
        arrivals_squared=cells(_SQUARED, _model),
        completions=cells(_COMPLETIONS, _completion_cell),
        isl_tokens=cells(_ISL, _completion_cell),
        osl_tokens=cells(_OSL, _completion_cell),
        hit_tokens=cells(_HIT, _completion_cell),
        attained=cells(_ATTAINED, _attained_cell),
    )


def _cells(
    name: str, samples: Sequence[Sample], cell_of: Callable[[str, str], Cell]
) -> dict[Cell, float]:
    counts: dict[Cell, float] = {}
    for sample in samples:
        cell = cell_of(name, sample.label_text)
        counts[cell] = counts.get(cell, 0.0) + _count(name, sample.value)
    return counts


# A page names the same cells at every scrape: their labels are read once.
_remembered = functools.lru_cache(maxsize=1 << 18)


@_remembered
def _arrival_cell(name: str, label_text: str) -> ArrivalCell:
    labels = read_labels(label_text)
    return *_owner(name, labels), _edge(name, labels, "isl")


@_remembered
def _model(name: str, label_text: str) -> str:
    return _label(name, read_labels(label_text), "model")


@_remembered
def _completion_cell(name: str, label_text: str) -> CompletionCell:
    labels = read_labels(label_text)
    return *_owner(name, labels), _edge(name, labels, "isl"), _edge(name, labels, "osl")


@_remembered
def _attained_cell(name: str, label_text: str) -> AttainedCell:
    labels = read_labels(label_text)
    return *_owner(name, labels), _label(name, labels, "bound")


def _owner(name: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """Model and class of a cell."""
    return _label(name, labels, "model"), _label(name, labels, "class")


def _count(name: str, value: float) -> float:
    if not 0.0 <= value < math.inf:  # false for NaN, too
        raise ObservationError(f"{name} is {value:g}, which is no count")
    return value


def _label(name: str, labels: Mapping[str, str], label: str) -> str:
    try:
        return labels[label]
    except KeyError as error:
        raise ObservationError(f"{name} has a sample without the label {label}") from error


def _edge(name: str, labels: Mapping[str, str], label: str) -> int:
    text = _label(name, labels, label)
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 (an int, not a flood)
        raise ObservationError(
            f"{name} has {label}={text[:40]!r}, which is no edge in whole tokens"
        )
    return int(text)
