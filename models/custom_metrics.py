"""What the custom metrics API answers (custom.metrics.k8s.io, both versions), and the only numbers it may carry."""

import math
from typing import Literal, TypedDict

# The HPA counts in int32; a larger quantity overflows there, and it then acts on a negative number
_TOO_MUCH = 2**31
_MILLI = 1000


class ObjectReference(TypedDict):
    """The object that a metric is about."""

    kind: str
    namespace: str
    name: str
    apiVersion: str


class MetricIdentifier(TypedDict):
    """A metric's name; the selector is written even where it is null, since it has no omitempty upstream."""

    name: str
    selector: None


class MetricValueV1Beta2(TypedDict):
    """One value in v1beta2."""

    describedObject: ObjectReference
    metric: MetricIdentifier
    timestamp: str
    windowSeconds: int
    value: str


class MetricValueV1Beta1(TypedDict):
    """One value in v1beta1."""

    describedObject: ObjectReference
    metricName: str
    timestamp: str
    window: int
    selector: None
    value: str


class MetricValueListV1Beta2(TypedDict):
    """The answer to a metric's path in v1beta2; a list also for one object."""

    kind: Literal["MetricValueList"]
    apiVersion: Literal["custom.metrics.k8s.io/v1beta2"]
    metadata: dict[str, str]
    items: list[MetricValueV1Beta2]


class MetricValueListV1Beta1(TypedDict):
    """The answer to a metric's path in v1beta1."""

    kind: Literal["MetricValueList"]
    apiVersion: Literal["custom.metrics.k8s.io/v1beta1"]
    metadata: dict[str, str]
    items: list[MetricValueV1Beta1]


class Status(TypedDict):
    """An error of any Kubernetes API."""

    kind: Literal["Status"]
    apiVersion: Literal["v1"]
    metadata: dict[str, str]
    status: Literal["Failure"]
    message: str
    reason: str
    code: int


class ApiResource(TypedDict):
    """One line of discovery: `variantautoscalings.autoscaling.llmd.ai/desired_replicas`."""

    name: str
    singularName: str
    namespaced: bool
    kind: Literal["MetricValueList"]
    verbs: list[str]


class ApiResourceList(TypedDict):
    """Discovery of one version of the group."""

    kind: Literal["APIResourceList"]
    apiVersion: Literal["v1"]
    groupVersion: str
    resources: list[ApiResource]


def quantity(value: float) -> str:
    """A number as the HPA may read it: whole ("3"), or whole thousandths ("3210m").

    The HPA rounds a quantity up to thousandths, then the instances up: a float written in full
    (3.0000001) would become a fourth instance.

    Raises: ValueError: NaN, infinite, negative, or beyond an int32; a value that is not known is not served.
    """
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{value} cannot be served as a quantity: only numbers from 0 up can")
    milli = round(value * _MILLI)
    if milli >= _TOO_MUCH * _MILLI:
        raise ValueError(
            f"{value} cannot be served as a quantity: the HPA counts below {_TOO_MUCH}"
        )
    whole, rest = divmod(milli, _MILLI)
    return f"{milli}m" if rest else str(whole)
