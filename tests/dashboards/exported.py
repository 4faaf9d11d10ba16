"""The names of every series that our processes export, from their own pages."""

import re

from adapter.store import Store
from adapter.telemetry import Telemetry as AdapterTelemetry
from llmd_autoscaler.controller.election import leader_page
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.telemetry import Telemetry as ControllerTelemetry

_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_OURS = re.compile(r"\bllmd_\w+")


def exported() -> set[str]:
    """As PromQL names them: of a histogram, the parts."""
    pages = (
        ControllerTelemetry().page(now_s=0.0).decode(),
        leader_page(is_leader=True).decode(),
        AdapterTelemetry().page(Store()).decode(),
        Counts(0.0).page([]),
    )
    names: set[str] = set()
    for page in pages:
        for name, kind in _TYPE.findall(page):
            parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            names |= {name + part for part in parts}
    return names


def used(expression: str) -> set[str]:
    """The series of ours in an expression."""
    return set(_OURS.findall(expression))
