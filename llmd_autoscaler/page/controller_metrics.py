"""What the controller's own /metrics page says of each model: newer than the statuses, which are written rarely."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llmd_autoscaler.engines.exposition import samples_by_name

_PREFIX = "llmd_autoscaler_"
_TARGETS: Mapping[str, str] = {
    f"{_PREFIX}desired_instances": "desired",
    f"{_PREFIX}ready_instances": "ready",
    f"{_PREFIX}starting_instances": "starting",
    f"{_PREFIX}draining_instances": "draining",
    f"{_PREFIX}load": "load",
    f"{_PREFIX}utilization": "utilization",
}
_ATTAINMENT = f"{_PREFIX}attainment"
_WANTED = frozenset({*_TARGETS, _ATTAINMENT})


@dataclass(slots=True)
class ControllerReading:
    """The gauges of one model."""

    targets: dict[tuple[str, str], float] = field(default_factory=dict)  # target, gauge
    attainment: dict[tuple[str, str], float] = field(default_factory=dict)  # class, kind


def read_controller(page: bytes) -> dict[tuple[str, str], ControllerReading]:
    """The gauges by (namespace, model).

    Raises: ObservationError: it is no page of metrics.
    """
    found: dict[tuple[str, str], ControllerReading] = {}

    def of(labels: Mapping[str, str]) -> ControllerReading:
        key = (labels.get("namespace", ""), labels.get("model", ""))
        return found.setdefault(key, ControllerReading())

    for name, samples in samples_by_name(page, _WANTED).items():
        put = _put_attainment if name == _ATTAINMENT else _putter(_TARGETS[name])
        for sample in samples:
            labels = sample.labels
            put(of(labels), labels, sample.value)
    return found


def _putter(gauge: str) -> Callable[[ControllerReading, Mapping[str, str], float], None]:
    def put(reading: ControllerReading, labels: Mapping[str, str], value: float) -> None:
        reading.targets[labels.get("target", ""), gauge] = value

    return put


def _put_attainment(reading: ControllerReading, labels: Mapping[str, str], value: float) -> None:
    reading.attainment[labels.get("class", ""), labels.get("kind", "")] = value
