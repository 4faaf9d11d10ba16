"""The arithmetic of the HorizontalPodAutoscaler of Kubernetes 1.37, pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from llmd_autoscaler.simulator.hpa_behavior import (
    INT32_MAX,
    INT32_MIN,
    TOLERANCE,
    Behavior,
    History,
    Step,
    bounded,
    remembered,
    stabilised,
)


class Source(Enum):
    """Where a metric comes from."""

    OBJECT = "Object"
    EXTERNAL = "External"


class Goal(Enum):
    """What is compared with the target: the value a replica, or the value as it is."""

    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One entry of `spec.metrics`."""

    target_milli: int
    goal: Goal = Goal.AVERAGE_VALUE
    source: Source = Source.OBJECT
    name: str = "desired_replicas"


@dataclass(frozen=True, slots=True)
class HpaSpec:
    """What an HPA asks for; no `behavior` is not the same as a default one."""

    min_replicas: int
    max_replicas: int
    metrics: tuple[MetricSpec, ...]
    behavior: Behavior | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as read this period: the items in thousandths, or why it could not be read."""

    items_milli: tuple[int, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scaled object as `/scale` and its pods show it."""

    spec_replicas: int
    status_replicas: int
    n_ready: int

    @staticmethod
    def steady(n: int) -> "Scale":
        """All asked for are there and ready."""
        return Scale(n, n, n)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the HPA status."""

    type: str
    is_true: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class HpaResult:
    """The replicas to set (the present number: leave the scale alone), what to show and to remember."""

    replicas: int
    conditions: tuple[Condition, ...]
    history: History


class _UnreadableError(Exception):
    """A metric has no usable value."""


def desired_replicas(
    spec: HpaSpec,
    scale: Scale,
    metrics: Sequence[Metric],
    history: History,
    now_s: float,
) -> HpaResult:
    """One period of an HPA.

    Args:
        spec: the HPA.
        scale: what it scales, now.
        metrics: one per entry of `spec.metrics`, in its order.
        history: what the period before left; `History()` after a restart.
        now_s: simulated Unix seconds.
    """
    current = scale.spec_replicas
    if not history.recommendations:
        history = replace(history, recommendations=(Step(now_s, current),))
    if current == 0 and (spec.min_replicas > 0 or not history.is_scaled_to_zero):
        # zero that the HPA did not write itself means "switched off by somebody"
        message = "scaling is disabled since the replica count of the target is zero"
        off = Condition("ScalingActive", False, "ScalingDisabled", message)
        return HpaResult(0, (_able("ReadyForNewScale"), off), history)
    if current > spec.max_replicas:
        return _rescaled(spec, current, spec.max_replicas, history, now_s)
    if current < spec.min_replicas:
        return _rescaled(spec, current, spec.min_replicas, history, now_s)
    wanted, active = _recommended(spec, scale, metrics)
    if wanted is None:
        return HpaResult(current, (_able("SucceededGetScale"), active), history)
    # an overflow is negative and loses against the nought that the controller starts from
    count, history = stabilised(
        spec.behavior, history, current=current, wanted=max(wanted, 0), now_s=now_s
    )
    limits = (spec.min_replicas, spec.max_replicas)
    held = bounded(
        spec.behavior, history, current=current, wanted=count, limits=limits, now_s=now_s
    )
    limited = Condition("ScalingLimited", held.is_limited, held.reason, held.message)
    result = _rescaled(spec, current, held.replicas, history, now_s)
    return replace(result, conditions=(*result.conditions, active, limited))


def _recommended(
    spec: HpaSpec, scale: Scale, metrics: Sequence[Metric]
) -> tuple[int | None, Condition]:
    """The highest count that a metric asks for; None where the replicas must not move."""
    proposals: list[int] = []
    first_failure: Condition | None = None
    for entry, metric in zip(spec.metrics, metrics, strict=True):
        try:
            proposals.append(_proposed(spec, entry, scale, metric))
        except _UnreadableError as error:
            reason = f"FailedGet{entry.source.value}Metric"
            message = f"the HPA was unable to compute the replica count: {error}"
            first_failure = first_failure or Condition("ScalingActive", False, reason, message)
    if first_failure and (not proposals or max(proposals) < scale.spec_replicas):
        return None, first_failure  # up is safe on what is known, down is not
    names = ", ".join(entry.name for entry in spec.metrics)
    message = f"the HPA was able to successfully calculate a replica count from {names}"
    return max(proposals), Condition("ScalingActive", True, "ValidMetricFound", message)


def _proposed(spec: HpaSpec, entry: MetricSpec, scale: Scale, metric: Metric) -> int:
    """The count that one metric asks for, in the floating point of the controller."""
    usage = _usage_milli(entry, metric)
    if entry.goal is Goal.AVERAGE_VALUE:
        base = scale.status_replicas
        if base and _is_within(spec, usage / (float(entry.target_milli) * base)):
            return base
        return _as_int32(math.ceil(usage / entry.target_milli), entry.source)
    ratio = usage / entry.target_milli
    if scale.spec_replicas == 0:
        return _as_int32(math.ceil(ratio), entry.source)
    if _is_within(spec, ratio):
        return scale.spec_replicas
    return _as_int32(math.ceil(ratio * scale.n_ready), entry.source)


def _usage_milli(entry: MetricSpec, metric: Metric) -> int:
    if metric.failure:
        raise _UnreadableError(metric.failure)
    n_items = len(metric.items_milli)
    if entry.source is Source.EXTERNAL and n_items:
        return sum(metric.items_milli)
    if n_items == 1:
        return metric.items_milli[0]
    found = "no metrics returned" if not n_items else f"{n_items} items returned, not one,"
    raise _UnreadableError(f"unable to get metric {entry.name}: {found} from the metrics API")


def _is_within(spec: HpaSpec, ratio: float) -> bool:
    up = spec.behavior.up.tolerance if spec.behavior else TOLERANCE
    down = spec.behavior.down.tolerance if spec.behavior else TOLERANCE
    return 1.0 - down <= ratio <= 1.0 + up


def _as_int32(count: int, source: Source) -> int:
    """A count as the controller's int32: an Object metric overflows, an External one is clamped."""
    if count <= INT32_MAX:
        return max(count, INT32_MIN)
    return INT32_MIN if source is Source.OBJECT else INT32_MAX


def _rescaled(
    spec: HpaSpec, current: int, replicas: int, history: History, now_s: float
) -> HpaResult:
    history = remembered(spec.behavior, history, change=replicas - current, now_s=now_s)
    is_zero = replicas == 0
    conditions = [_able("ReadyForNewScale" if replicas == current else "SucceededRescale")]
    if is_zero or history.is_scaled_to_zero:
        reason = "ScaledToZero" if is_zero else "ScaledFromZero"
        message = f"the HPA controller set the replica count to {replicas}"
        conditions.append(Condition("ScaledToZero", is_zero, reason, message))
    return HpaResult(replicas, tuple(conditions), replace(history, is_scaled_to_zero=is_zero))


def _able(reason: str) -> Condition:
    messages = {
        "ReadyForNewScale": "recommended size matches current size",
        "SucceededRescale": "the HPA controller was able to update the target scale",
        "SucceededGetScale": "the HPA controller was able to get the target's current scale",
    }
    return Condition("AbleToScale", True, reason, messages[reason])
