"""Classes of requests: from a ServiceLevel to what the core scores and plans by."""

import math

from llmd_autoscaler.core.slo import Bounds, QosClass
from models.service_level import LatencyBound, QosClassSpec, ServiceLevelSpec, Slo

_TOKENS_PER_THOUSAND = 1000


def qos_classes(spec: ServiceLevelSpec) -> tuple[QosClass, ...]:
    """The classes of a model, in their order of matching."""
    return tuple(_qos_class(each) for each in spec.classes)


def bounds(slo: Slo) -> Bounds:
    """The latency bounds of an SLO; infinite where it names none."""
    ttft = slo.ttft
    return Bounds(
        ttft_max_s=ttft.max_s if ttft else math.inf,
        ttft_per_prompt_token_s=(ttft.per_thousand_prompt_tokens_s or 0.0) / _TOKENS_PER_THOUSAND
        if ttft
        else 0.0,
        tpot_max_s=_max_s(slo.tpot),
        e2e_max_s=_max_s(slo.e2e),
        deadline_s=math.inf if slo.deadline_s is None else slo.deadline_s,
    )


def _qos_class(spec: QosClassSpec) -> QosClass:
    return QosClass(
        name=spec.name,
        priority=spec.priority,
        percentile_frac=spec.slo.percentile,
        bounds=bounds(spec.slo),
    )


def _max_s(bound: LatencyBound | None) -> float:
    return bound.max_s if bound else math.inf
