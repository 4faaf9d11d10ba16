"""The HPAs before our targets, and whether each lands on the number that we publish. Pure.

Every reason has been measured on a real HPA: what it does with such a spec, not what it should.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.translate.condition import FALSE, TRUE, Finding
from llmd_autoscaler.translate.json_object import Json, child, items, text, whole
from llmd_autoscaler.translate.world import ScaleTarget

HPA_HEALTHY = "HPAHealthy"
EXACT = "desired_replicas"
_OURS = "autoscaling.llmd.ai/"
_GROUPS = ("prefill", "decode", "mixed", "batch")
_METRICS = frozenset(
    {EXACT, "load", "utilization"}
    | {f"{group}_{noun}" for group in _GROUPS for noun in ("desired_instances", "load")}
)
# From here on a step of one is within the HPA's own tolerance of a tenth, and ignored.
_TOLERANCE_BITES = 10
_ZERO = frozenset({"0", "0.0", "0m"})


class Problem(NamedTuple):
    """What keeps an HPA from landing on the number: a reason, and a sentence with what to write."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class HpaMetric:
    """One metric of an HPA that is read of an object of ours."""

    object_name: str
    name: str
    target_type: str
    average: str


@dataclass(frozen=True, slots=True)
class Hpa:
    """A HorizontalPodAutoscaler."""

    name: str
    min_replicas: int
    max_replicas: int
    metrics: tuple[HpaMetric, ...]
    n_other_metrics: int
    tolerances: tuple[str, str]  # up and down, as written; empty: the default
    inactive: Problem | None  # why it does not scale, in its own words


@dataclass(frozen=True, slots=True)
class Scaled:
    """What is scaled, as far as an HPA must agree with it."""

    variant: str
    target: ScaleTarget
    actuation: str
    min_instances: int
    max_instances: int


def by_target(objects: Mapping[Key, Json]) -> dict[tuple[str, ScaleTarget], tuple[Hpa, ...]]:
    """All HPAs by namespace and what they scale."""
    found: dict[tuple[str, ScaleTarget], list[Hpa]] = defaultdict(list)
    for (namespace, _), wire in sorted(objects.items()):
        ref = child(wire, "spec", "scaleTargetRef")
        target = ScaleTarget(text(ref, "apiVersion"), text(ref, "kind"), text(ref, "name"))
        found[namespace, target].append(read_hpa(wire))
    return {key: tuple(hpas) for key, hpas in found.items()}


def read_hpa(wire: Json) -> Hpa:
    """An HPA; what cannot be read there is as if it were not written."""
    metrics = tuple(_ours(wire))
    return Hpa(
        name=text(wire, "metadata", "name"),
        min_replicas=whole(wire, "spec", "minReplicas", default=1),
        max_replicas=whole(wire, "spec", "maxReplicas"),
        metrics=metrics,
        n_other_metrics=sum(1 for _ in items(wire, "spec", "metrics")) - len(metrics),
        tolerances=(_tolerance(wire, "scaleUp"), _tolerance(wire, "scaleDown")),
        inactive=_inactive(wire),
    )


def may_sleep(scaled: Scaled, hpas: Sequence[Hpa]) -> bool:
    """Whether a 0 of ours is safe: one HPA goes there by itself, for only what it put to 0 does it wake."""
    return (
        scaled.actuation == "HPA"
        and len(hpas) == 1
        and hpas[0].min_replicas == 0
        and any(_is_exact(each, scaled.variant) for each in hpas[0].metrics)
    )


def health(scaled: Scaled, hpas: Sequence[Hpa], *, unwritten: str = "") -> Finding:
    """Whether what scales a target lands on our number.

    Args:
        scaled: the target.
        hpas: those that scale it.
        unwritten: why we could not do it ourselves, where that is asked of us; empty where we could.
    """
    if scaled.actuation != "HPA":
        return _unused(scaled, hpas, unwritten)
    problems = list(_problems(scaled, hpas))
    if problems:
        message = "; ".join(sentence for _, sentence in problems)
        return Finding(HPA_HEALTHY, FALSE, problems[0][0], message)
    (hpa,) = hpas
    message = f'HPA "{hpa.name}" follows {hpa.metrics[0].name} within {hpa.min_replicas} and {hpa.max_replicas}'
    return Finding(HPA_HEALTHY, TRUE, "Follows", message)


def _unused(scaled: Scaled, hpas: Sequence[Hpa], unwritten: str) -> Finding:
    """Of a target that no HPA should scale."""
    if scaled.actuation == "Direct" and hpas:
        message = (
            f'actuation is Direct, but HPA "{hpas[0].name}" scales {_named(scaled.target)} too: '
            "delete it, or write actuation: HPA"
        )
        return Finding(HPA_HEALTHY, FALSE, "HPABesideDirect", message)
    if scaled.actuation == "Direct" and unwritten:
        message = (
            f"the scale of {_named(scaled.target)} could not be written: {unwritten}; where that is forbidden, "
            "apply manifests/components/direct-actuation, or write actuation: HPA"
        )
        return Finding(HPA_HEALTHY, FALSE, "ScaleNotWritten", message)
    return Finding(
        HPA_HEALTHY, TRUE, "NotUsed", f"actuation is {scaled.actuation}: no HPA is needed"
    )


def _problems(scaled: Scaled, hpas: Sequence[Hpa]) -> Iterator[Problem]:
    if not hpas:
        yield Problem(
            "NoHPA",
            f"no HPA scales {_named(scaled.target)}, so nobody follows the number; write one with the metric "
            f"{{type: Object, object: {{describedObject: {{apiVersion: {_OURS}v1alpha1, kind: VariantAutoscaling, "
            f"name: {scaled.variant}}}, metric: {{name: {EXACT}}}, target: {{type: AverageValue, averageValue: "
            '"1"}}}, or write actuation: Direct',
        )
        return
    if len(hpas) > 1:
        names = " and ".join(f'"{hpa.name}"' for hpa in hpas)
        yield Problem(
            "AmbiguousSelector",
            f"HPAs {names} scale {_named(scaled.target)}, so none of them acts; delete all but one",
        )
        return
    yield from _of_one(scaled, hpas[0])


def _of_one(scaled: Scaled, hpa: Hpa) -> Iterator[Problem]:
    """What keeps one HPA from landing on the number."""
    mine = [each for each in hpa.metrics if each.object_name == scaled.variant]
    if not mine:
        yield Problem(
            "NoMetric",
            f'HPA "{hpa.name}" reads no metric of VariantAutoscaling "{scaled.variant}"; '
            f"write an Object metric {EXACT} with describedObject name {scaled.variant}",
        )
    for metric in mine:
        yield from _of_metric(hpa, metric)
    yield from _of_tolerance(scaled, hpa)
    if hpa.min_replicas > scaled.min_instances:
        yield Problem(
            "Clamped",
            f'HPA "{hpa.name}" has minReplicas {hpa.min_replicas}, above ours, {scaled.min_instances}: '
            f"it stops there; write minReplicas: {scaled.min_instances}",
        )
    if hpa.max_replicas < scaled.max_instances:
        yield Problem(
            "Clamped",
            f'HPA "{hpa.name}" has maxReplicas {hpa.max_replicas}, below ours, {scaled.max_instances}: '
            f"it stops there; write maxReplicas: {scaled.max_instances}",
        )
    if hpa.inactive is not None:
        yield hpa.inactive


def _of_metric(hpa: Hpa, metric: HpaMetric) -> Iterator[Problem]:
    if metric.name not in _METRICS:
        yield Problem(
            "UnknownMetric",
            f'HPA "{hpa.name}" reads {metric.name}, which nobody serves; write {EXACT}',
        )
    elif metric.target_type != "AverageValue":
        yield Problem(
            "ValueTarget",
            f'HPA "{hpa.name}" has target type {metric.target_type} for {metric.name}, which multiplies by the '
            'ready pods and runs up to maxReplicas; write type: AverageValue, averageValue: "1"',
        )
    elif metric.name == EXACT and metric.average != "1":
        yield Problem(
            "WrongAverage",
            f'HPA "{hpa.name}" divides {EXACT} by {metric.average}; write averageValue: "1"',
        )


def _of_tolerance(scaled: Scaled, hpa: Hpa) -> Iterator[Problem]:
    lax = [
        name
        for name, written in zip(("scaleUp", "scaleDown"), hpa.tolerances, strict=True)
        if written not in _ZERO
    ]
    if lax and scaled.max_instances >= _TOLERANCE_BITES:
        yield Problem(
            "Tolerance",
            f'HPA "{hpa.name}" ignores steps of one from {_TOLERANCE_BITES} replicas on, by its tolerance; '
            f'write tolerance: "0" under behavior.{" and behavior.".join(lax)}',
        )


def _named(target: ScaleTarget) -> str:
    return f'{target.kind} "{target.name}"'


def _is_exact(metric: HpaMetric, variant: str) -> bool:
    return (metric.object_name, metric.name, metric.target_type, metric.average) == (
        variant,
        EXACT,
        "AverageValue",
        "1",
    )


def _ours(wire: Json) -> Iterable[HpaMetric]:
    """The Object metrics of VariantAutoscalings."""
    for each in items(wire, "spec", "metrics"):
        part = child(each, "object")
        described = child(part, "describedObject")
        if text(described, "kind") == "VariantAutoscaling" and text(
            described, "apiVersion"
        ).startswith(_OURS):
            target = child(part, "target")
            yield HpaMetric(
                object_name=text(described, "name"),
                name=text(part, "metric", "name"),
                target_type=text(target, "type"),
                average=str(target.get("averageValue", "")),
            )


def _tolerance(wire: Json, direction: str) -> str:
    return str(child(wire, "spec", "behavior", direction).get("tolerance", ""))


def _inactive(wire: Json) -> Problem | None:
    """The HPA's own reason for not scaling."""
    for each in items(wire, "status", "conditions"):
        if each.get("type") != "ScalingActive" or each.get("status") != "False":
            continue
        reason, message = text(each, "reason"), text(each, "message")
        name = text(wire, "metadata", "name")
        if reason == "ScalingDisabled":
            more = "; somebody else than the HPA wrote 0, which it never leaves by itself: write 1 replica once"
            message += more
        return Problem(f"HPA{reason}", f'HPA "{name}" does not scale: {message}')
    return None
