"""What the API says of itself: its groups, their versions, its metrics. Small and static.

Every kubectl, garbage collector and namespace controller reads these pages, so they never depend on
what is in the store. There is no OpenAPI document: a clean 404 is what the aggregator takes for
"none", and it then stops asking.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from adapter.store import METRICS
from models.custom_metrics import ApiResource, ApiResourceList

GROUP = "custom.metrics.k8s.io"
EXTERNAL = "external.metrics.k8s.io"
EXTERNAL_VERSION = "v1beta1"
RESOURCE = "variantautoscalings.autoscaling.llmd.ai"
Version = Literal["v1beta1", "v1beta2"]
# preferred first
VERSIONS: tuple[Version, ...] = ("v1beta2", "v1beta1")

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_AGGREGATED_PARTS = frozenset(AGGREGATED.split(";"))
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """A document that never changes while the process runs, and its tag."""

    body: bytes
    content_type: str = _JSON

    @property
    def etag(self) -> str:
        """What a client shows to be told that it has this page already."""
        return f'"{hashlib.blake2b(self.body, digest_size=12).hexdigest()}"'


class Discovery:
    """Every page, written once."""

    def __init__(self, *, is_external_served: bool) -> None:
        groups: dict[str, tuple[str, ...]] = {GROUP: VERSIONS}
        if is_external_served:
            groups[EXTERNAL] = (EXTERNAL_VERSION,)
        self._aggregated = Page(_written(_aggregated(groups)), AGGREGATED)
        self._pages: dict[tuple[str, ...], Page] = {}
        self._pages["apis",] = Page(_written(_group_list(groups)))
        for group, versions in groups.items():
            one = {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, versions)
            self._pages["apis", group] = Page(_written(one))
            for version in versions:
                self._pages["apis", group, version] = Page(_written(_resources(group, version)))

    def page(self, segments: tuple[str, ...], accept: str) -> Page | None:
        """The page of a path, in the form that the client asks for; None where there is none."""
        if segments == ("apis",) and _wants_aggregated(accept):
            return self._aggregated
        return self._pages.get(segments)


def _wants_aggregated(accept: str) -> bool:
    """Whether one of the accepted types is v2 of aggregated discovery; all others take plain JSON."""
    return any(
        {part.strip() for part in each.split(";")} >= _AGGREGATED_PARTS
        for each in accept.split(",")
    )


def _written(page: object) -> bytes:
    return json.dumps(page).encode()


def _group_list(groups: dict[str, tuple[str, ...]]) -> dict[str, object]:
    listed = [_group(group, versions) for group, versions in groups.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _group(group: str, listed: Sequence[str]) -> dict[str, object]:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in listed]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> ApiResourceList | dict[str, object]:
    api_version = f"{group}/{version}"
    if group == EXTERNAL:
        external = [_external_resource(metric) for metric in METRICS]
        kind = {"kind": "APIResourceList", "apiVersion": "v1"}
        return {**kind, "groupVersion": api_version, "resources": external}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
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


def _external_resource(metric: str) -> dict[str, object]:
    kind = "ExternalMetricValueList"
    return {"name": metric, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"]}


def _aggregated(groups: dict[str, tuple[str, ...]]) -> dict[str, object]:
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None},
            "versions": [_aggregated_version(group, version) for version in versions],
        }
        for group, versions in groups.items()
    ]
    kind = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2"}
    return {**kind, "metadata": {}, "items": items}


def _aggregated_version(group: str, version: str) -> dict[str, object]:
    kind = "ExternalMetricValueList" if group == EXTERNAL else "MetricValueList"
    answer = {"group": group, "version": version, "kind": kind}
    scope = {"scope": "Namespaced", "singularResource": ""}
    if group == EXTERNAL:
        resources: list[dict[str, object]] = [
            {"resource": metric, "responseKind": answer, **scope, "verbs": ["get"]}
            for metric in METRICS
        ]
    else:
        parts = [{"subresource": m, "responseKind": answer, "verbs": ["get"]} for m in METRICS]
        # the object itself is another API's: here it is only what the metrics hang on
        nothing = {"group": "", "version": "", "kind": ""}
        parent = {"resource": RESOURCE, "responseKind": nothing, **scope, "verbs": []}
        resources = [{**parent, "subresources": parts}]
    return {"version": version, "resources": resources, "freshness": "Current"}
