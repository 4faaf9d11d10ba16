"""What the metrics pages of Kubernetes and of our adapter say, and how long changes took. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.report import Figure
from llmd_autoscaler.engines.exposition import Sample, samples_by_name

_PERIODS = "sync periods"


def total(page: str, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels; 0 where there is none."""
    return sum(sample.value for sample in _samples(page, name) if _has(sample, labels))


def total_but(page: str, name: str, **labels: str) -> float:
    """The sum of the samples of a name that do not have these labels."""
    return total(page, name) - total(page, name, **labels)


def _samples(page: str, name: str) -> list[Sample]:
    """The samples of a name; a page of an API server is larger than a reader of ours takes as a whole."""
    lines = [line for line in page.splitlines() if line.startswith(name)]
    if not lines:
        return []
    written = "\n".join([*lines, ""]).encode()
    return samples_by_name(written, {name}).get(name, [])


def _has(sample: Sample, labels: Mapping[str, str]) -> bool:
    found = sample.labels
    return all(found.get(key) == value for key, value in labels.items())


def spread(what: str, periods: Sequence[float]) -> list[Figure]:
    """Median and maximum of how long something took, in sync periods; nothing where nothing was seen."""
    if not periods:
        return []
    return [
        Figure(name=f"{what}, median", value=statistics.median(periods), unit=_PERIODS),
        Figure(name=f"{what}, max", value=max(periods), unit=_PERIODS),
    ]


def inactive(autoscalers: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The HPAs that do not say that they scale by the metric, and what they say instead."""
    found: dict[str, str] = {}
    for name, wire in autoscalers.items():
        said = _condition(wire, "ScalingActive")
        if said.get("status") != "True":
            found[name] = f"{said.get('reason', '')} {said.get('message', '')}".strip() or "nothing"
    return found


def _condition(wire: Mapping[str, object], kind: str) -> Mapping[str, object]:
    status = wire.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("type") == kind:
            return each
    return {}


def share_within(page: str, name: str, bound: str, **labels: str) -> float:
    """The share of a histogram's observations that are at most a bound; NaN where there is none."""
    n = total(page, f"{name}_count", **labels)
    return total(page, f"{name}_bucket", le=bound, **labels) / n if n else math.nan
