"""Writes the answers of the custom metrics API."""

from collections.abc import Sequence

from adapter.discovery import Version
from adapter.store import Served
from models.custom_metrics import (
    MetricValueListV1Beta1,
    MetricValueListV1Beta2,
    MetricValueV1Beta1,
    MetricValueV1Beta2,
    ObjectReference,
    Status,
)
from models.object_meta import API_VERSION

# a decision holds at one moment; it is no rate over a window
_WINDOW_SECONDS = 0


def metric_value_list(
    version: Version, found: Sequence[Served]
) -> MetricValueListV1Beta1 | MetricValueListV1Beta2:
    """The answer to a metric's path; a list also for one object."""
    if version == "v1beta1":
        return {
            "kind": "MetricValueList",
            "apiVersion": "custom.metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": [_v1beta1(each) for each in found],
        }
    return {
        "kind": "MetricValueList",
        "apiVersion": "custom.metrics.k8s.io/v1beta2",
        "metadata": {},
        "items": [_v1beta2(each) for each in found],
    }


def status(code: int, reason: str, message: str) -> Status:
    """An error; the HPA shows its message in a condition, word for word."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _v1beta1(served: Served) -> MetricValueV1Beta1:
    return {
        "describedObject": _described(served),
        "metricName": served.metric,
        "timestamp": served.timestamp,
        "window": _WINDOW_SECONDS,
        "selector": None,
        "value": served.value,
    }


def _v1beta2(served: Served) -> MetricValueV1Beta2:
    return {
        "describedObject": _described(served),
        "metric": {"name": served.metric, "selector": None},
        "timestamp": served.timestamp,
        "windowSeconds": _WINDOW_SECONDS,
        "value": served.value,
    }


def _described(served: Served) -> ObjectReference:
    return {
        "kind": "VariantAutoscaling",
        "namespace": served.key.namespace,
        "name": served.key.name,
        "apiVersion": API_VERSION,
    }
