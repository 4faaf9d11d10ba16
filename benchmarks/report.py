"""The last line of every benchmark: one JSON object with its figures, their targets and the machine."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_LIBRARIES = {
    "numpy": "numpy",
    "numba": "numba",
    "highspy": "highspy",
    "llmd_autoscaler": "llmd-autoscaler",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number that was measured, and the bound that it had to keep, if any.

    A figure has `at_most` or `at_least`; one with neither is there to be read, not to be met.
    """

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        if self.at_most is not None and self.at_least is not None:
            raise ValueError(f"figure {self.name!r} has two targets; make two figures of it")

    @property
    def target(self) -> str | None:
        """The bound as people write it, such as "<= 0.03"."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return None if self.at_least is None else f">= {self.at_least:g}"

    @property
    def is_met(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least

    def to_json(self) -> dict[str, object]:
        """The figure as the report writes it."""
        # nine digits: further ones are noise, and differ from machine to machine
        value = float(f"{self.value:.9g}")
        return {
            "name": self.name,
            "value": value,
            "unit": self.unit,
            "target": self.target,
            "met": self.is_met,
        }


def report_line(name: str, figures: Sequence[Figure], beside: Sequence[Figure] = ()) -> str:
    """The JSON object of a benchmark's run.

    Args:
        name: the benchmark, as in `python -m benchmarks.NAME`.
        figures: what the benchmark claims.
        beside: what the same run measured for comparison.

    Raises: ValueError: a value is NaN or infinite, which JSON cannot say.
    """
    report = {
        "benchmark": name,
        "machine": _machine(),
        "versions": _versions(),
        "figures": [figure.to_json() for figure in figures],
        "beside": [figure.to_json() for figure in beside],
    }
    return json.dumps(report, allow_nan=False, ensure_ascii=False)


def print_report(name: str, figures: Sequence[Figure], beside: Sequence[Figure] = ()) -> bool:
    """Print the JSON object as the last line of a benchmark; returns whether every target is met."""
    print(report_line(name, figures, beside), flush=True)
    return all(figure.is_met is not False for figure in figures)


def _machine() -> dict[str, object]:
    return {
        "cpu": _cpu_model(),
        "n_cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def _cpu_model() -> str:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _versions() -> dict[str, str]:
    libraries = {name: version(distribution) for name, distribution in _LIBRARIES.items()}
    return {"python": platform.python_version()} | libraries
