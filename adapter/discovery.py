"""What the API says of itself: its group, its two versions, its metrics. Small and static.

Every kubectl, garbage collector and namespace controller reads these pages, so they never depend on
what is in the store.
"""

from typing import Literal

from adapter.store import METRICS
from models.custom_metrics import ApiResource, ApiResourceList

GROUP = "custom.metrics.k8s.io"
RESOURCE = "variantautoscalings.autoscaling.llmd.ai"
Version = Literal["v1beta1", "v1beta2"]
# preferred first
VERSIONS: tuple[Version, ...] = ("v1beta2", "v1beta1")


def api_group() -> dict[str, object]:
    """The APIGroup."""
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group()


def api_group_list() -> dict[str, object]:
    """The APIGroupList: this one group."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group()]}


def _group() -> dict[str, object]:
    versions = [{"groupVersion": f"{GROUP}/{version}", "version": version} for version in VERSIONS]
    return {"name": GROUP, "versions": versions, "preferredVersion": versions[0]}


def api_resource_list(version: Version) -> ApiResourceList:
    """The APIResourceList of one version."""
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{version}",
        "resources": [_resource(metric) for metric in METRICS],
    }


def _resource(metric: str) -> ApiResource:
    return {
        "name": f"{RESOURCE}/{metric}",
        "singularName": "",
        "namespaced": True,
        "kind": "MetricValueList",
        "verbs": ["get"],
    }
