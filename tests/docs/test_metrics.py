"""docs/metrics.md names every series that our processes export, and no other."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapter.telemetry import Telemetry as AdapterTelemetry
from llmd_autoscaler.core.slo import Timing
from llmd_autoscaler.engines import vllm
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.telemetry import Telemetry
from tests.docs.markdown import DOCS, ROOT, documents, named, section

Exported = dict[str, tuple[str, tuple[str, ...]]]  # name: type, labels


def of_registry(registry: object) -> Exported:
    found: Exported = {}
    for collector in registry._collector_to_names:  # type: ignore[attr-defined]
        kind = collector._type
        name = f"{collector._name}_total" if kind == "counter" else collector._name
        found[name] = (kind, tuple(collector._labelnames))
    return found


def of_router() -> Exported:
    counts = Counts(started_at_s=0.0)
    counts.timed("m", "c", Timing(0.0, 1.0, 2.0, isl=1, osl=2))
    found: Exported = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", counts.page([]), re.MULTILINE):
        series = counts._series.get(name.removeprefix("llmd_router_"))
        labels = series.labels if series else ("model", "class") if kind == "histogram" else ()
        is_of_instance = kind == "gauge" and not name.endswith("started_at_seconds")
        found[name] = (kind, ("target", "group", "instance") if is_of_instance else labels)
    return found


EXPORTED: Mapping[str, Exported] = {
    "## Controller": of_registry(Telemetry()._registry),
    "## Router": of_router(),
    "## Adapter": of_registry(AdapterTelemetry()._registry),
}


@pytest.mark.parametrize("heading", EXPORTED)
def test_the_metrics_page_names_what_a_process_exports_and_nothing_else(heading: str) -> None:
    said = {
        name: (cells[0], tuple(label.strip() for label in cells[1].split(",") if label.strip()))
        for name, cells in named(section((DOCS / "metrics.md").read_text(), heading)).items()
    }
    assert said == EXPORTED[heading]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_series_that_a_document_names_is_exported_or_read(path: Path) -> None:
    ours = {name for exported in EXPORTED.values() for name in exported}
    read = {series for names in vllm.CANDIDATES.values() for series in names}
    found = set(re.findall(r"\b(?:llmd_(?:autoscaler|router|adapter)_|vllm:)\w+", path.read_text()))
    roots = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in found}
    modules = set[str]()
    assert roots - ours - read - modules == set()
