"""HorizontalPodAutoscaler objects: autoscaling/v2 JSON to the arithmetic's terms, and its results back."""

from collections.abc import Mapping
from dataclasses import replace

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.conditions import conditioned
from llmd_autoscaler.simulator.hpa import Condition, Goal, HpaSpec, MetricSpec, Source
from llmd_autoscaler.simulator.hpa_behavior import (
    DOWN_RULES,
    UP_RULES,
    Behavior,
    History,
    Policy,
    PolicyKind,
    Rules,
    Select,
)
from llmd_autoscaler.simulator.kubeapi.kinds import KINDS
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.quantity import milli
from llmd_autoscaler.translate.json_object import child, items, text, texts, whole

_TYPES = ("AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero")


def hpa_spec(body: Json) -> HpaSpec:
    """The spec of an HPA.

    Raises: ConfigError: a value that the API would have refused, or a kind of metric that the simulator
        does not read (Pods, Resource).
    """
    try:
        return HpaSpec(
            min_replicas=whole(body, "spec", "minReplicas", default=1),
            max_replicas=whole(body, "spec", "maxReplicas", default=1),
            metrics=tuple(_metric(entry) for entry in items(body, "spec", "metrics")),
            behavior=_behavior(child(body, "spec").get("behavior")),
        )
    except ValueError as error:
        raise ConfigError(f"HPA {text(body, 'metadata', 'name')}: {error}") from error


def metric_path(body: Json, index: int) -> str:
    """Where the HPA reads its index-th metric: the request that Kubernetes 1.37 sends."""
    namespace = text(body, "metadata", "namespace")
    entry = list(items(body, "spec", "metrics"))[index]
    described = child(entry, "object", "describedObject")
    kind, api_version = text(described, "kind"), text(described, "apiVersion")
    resource = next(
        (
            known.resource
            for known in KINDS
            if (known.name, known.api_version) == (kind, api_version)
        ),
        "",
    )
    if not resource:
        raise ConfigError(
            f'HPA {text(body, "metadata", "name")}: no matches for kind "{kind}" in version "{api_version}"'
        )
    metric = child(entry, "object", "metric")
    path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/{resource}/{text(described, 'name')}/{text(metric, 'name')}"
    labels = texts(metric, "selector", "matchLabels")
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{path}?metricLabelSelector={selector.replace('=', '%3D')}" if selector else path


def is_scaled_to_zero(body: Json) -> bool:
    """Whether the status says that the HPA itself went to zero: the memory that outlives a restart."""
    return any(
        condition.get("type") == "ScaledToZero" and condition.get("status") == "True"
        for condition in items(body, "status", "conditions")
    )


def first_history(body: Json) -> History:
    """What is known of an HPA that is seen for the first time."""
    return History(is_scaled_to_zero=is_scaled_to_zero(body))


def conditions(body: Json, found: tuple[Condition, ...], now_s: float) -> list[Json]:
    """`status.conditions` with these results in it; a condition that was not judged stays."""
    kept = {text(condition, "type"): condition for condition in items(body, "status", "conditions")}
    for condition in found:
        written = conditioned(
            body,
            condition.type,
            is_true=condition.is_true,
            reason=condition.reason,
            now_s=now_s,
        )
        kept[condition.type] = {**written, "message": condition.message}
    return [kept[kind] for kind in _TYPES if kind in kept]


def _metric(entry: Json) -> MetricSpec:
    source = {"Object": Source.OBJECT, "External": Source.EXTERNAL}.get(text(entry, "type"))
    if source is None:
        raise ValueError(f"metric of type {entry.get('type')!r}: write Object or External")
    part = child(entry, source.value.lower())
    goal = Goal(text(part, "target", "type") or "unknown")
    field = "averageValue" if goal is Goal.AVERAGE_VALUE else "value"
    target = milli(_quantity(child(part, "target").get(field)))
    if target <= 0:
        raise ValueError(f"target.{field} is {target}m: must be above 0")
    return MetricSpec(target, goal, source, text(part, "metric", "name"))


def _behavior(found: object) -> Behavior | None:
    if not isinstance(found, dict):
        return None
    return Behavior(
        up=_rules(child(found, "scaleUp"), UP_RULES),
        down=_rules(child(found, "scaleDown"), DOWN_RULES),
    )


def _rules(found: Mapping[str, object], default: Rules) -> Rules:
    """One direction; what is not written is the API's default."""
    body = dict(found)
    policies = tuple(
        Policy(
            PolicyKind(text(policy, "type")), whole(policy, "value"), whole(policy, "periodSeconds")
        )
        for policy in items(body, "policies")
    )
    rules = replace(
        default,
        window_s=float(whole(body, "stabilizationWindowSeconds", default=int(default.window_s))),
        policies=policies or default.policies,
        select=Select(text(body, "selectPolicy") or default.select.value),
    )
    if "tolerance" in body:
        return replace(rules, tolerance=milli(_quantity(body["tolerance"])) / 1000.0)
    return rules


def _quantity(found: object) -> str:
    """A quantity as text: YAML writes `1` and `"1"` alike."""
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
