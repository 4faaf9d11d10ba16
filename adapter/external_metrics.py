"""Writes the answers of external.metrics.k8s.io, and checks whose that group is.

A cluster has one server for the whole group. Where KEDA is installed it is KEDA's: taking it over
would stop every ScaledObject of the cluster, so it is served only when asked for, and never taken.
"""

from collections.abc import Mapping
from typing import Literal, TypedDict

from adapter.discovery import EXTERNAL, EXTERNAL_VERSION
from adapter.store import Served
from llmd_autoscaler.errors import ConfigError

API_SERVICE = f"{EXTERNAL_VERSION}.{EXTERNAL}"
NAME_LABEL = "variantautoscaling"
# a decision holds at one moment; it is no rate over a window
_WINDOW_SECONDS = 0


class ExternalMetricValue(TypedDict):
    """One value."""

    metricName: str
    metricLabels: dict[str, str]
    timestamp: str
    window: int
    value: str


class ExternalMetricValueList(TypedDict):
    """The answer to a metric's path; a list also for one series."""

    kind: Literal["ExternalMetricValueList"]
    apiVersion: Literal["external.metrics.k8s.io/v1beta1"]
    metadata: dict[str, str]
    items: list[ExternalMetricValue]


def external_metric_value_list(served: Served) -> ExternalMetricValueList:
    """The answer: one series, since the HPA adds up whatever it is given."""
    return {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metricName": served.metric,
                "metricLabels": {NAME_LABEL: served.key.name},
                "timestamp": served.timestamp,
                "window": _WINDOW_SECONDS,
                "value": served.value,
            }
        ],
    }


def check_owner(api_service: Mapping[str, object] | None, ours: str) -> None:
    """Nothing where the group is free or ours.

    Args:
        api_service: the APIService of the group as it stands; None where there is none.
        ours: the Service that leads to us, as NAMESPACE/NAME.

    Raises: ConfigError: it leads to somebody else.
    """
    if api_service is None:
        return
    spec = api_service.get("spec")
    service = spec.get("service") if isinstance(spec, dict) else None
    theirs = (
        f"{service.get('namespace')}/{service.get('name')}"
        if isinstance(service, dict)
        else "the API server itself"
    )
    if theirs != ours:
        raise ConfigError(
            f"APIService {API_SERVICE} leads to {theirs}, not to {ours}: a cluster has one server for this group,"
            " and KEDA is one; leave out --external-metrics and use the Object metric, or name our Service with --service"
        )
