"""The status of a ServiceLevel from a decision: all that the router reads, and what people look at."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.decide import RATE_WINDOW_S
from llmd_autoscaler.core.realised import WINDOW_S, Outcomes
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.world import Decision, ReasonCode, TargetState, is_seen
from llmd_autoscaler.translate.condition import FALSE, TRUE, UNKNOWN, Finding, conditions
from llmd_autoscaler.translate.profile import profile_spec_front_end, profile_spec_step
from llmd_autoscaler.translate.variant_status import Stamp, Subject, rounded
from models.decision_id import DecisionId
from models.group import Group
from models.service_level_status import (
    Attainment,
    Binding,
    Bound,
    ClassForecast,
    ClassTraffic,
    Infeasible,
    MixEntry,
    Route,
    ServiceLevelStatus,
    Summary,
    Traffic,
    TrafficSource,
)

Array = NDArray[np.float64]

_FRACTION_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Served:
    """One target and the port on which its instances serve."""

    target: TargetState
    port: int


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The traffic behind a decision: who counted it, and what became of it in the last hour."""

    classes: tuple[QosClass, ...]
    source: str  # router | vllm-histograms
    realised: Outcomes | None


def service_level_status(
    decision: Decision, stamp: Stamp, subject: Subject, seen: Seen, served: Sequence[Served]
) -> dict[str, object]:
    """The decision of one model as the wire writes it; its conditions are the subject's and SLOFeasible."""
    feasible = slo_feasible(decision)
    per_million = decision.usd_per_million_tokens
    status = ServiceLevelStatus(
        observed_generation=subject.generation,
        decision_id=DecisionId.parse(stamp.decision_id),
        decided_at_s=stamp.decided_at_s,
        valid_until_s=stamp.valid_until_s,
        summary=_summary(decision, seen, feasible),
        traffic=_traffic(decision, seen),
        forecast=tuple(_forecast(decision, seen.classes)),
        mix=tuple(_mix(decision, served)),
        routes=tuple(_routes(decision)),
        attainment=tuple(_attainment(decision, seen)),
        cost_per_hour=rounded(decision.usd_per_hour),
        cost_per_million_tokens=None if per_million is None else rounded(per_million),
        binding=Binding(limit="maxReplicas", of=decision.binding) if decision.binding else None,
        infeasible=tuple(_infeasible(decision)),
        shed=(),
        alternatives=(),
        conditions=conditions(
            (feasible, *subject.findings),
            subject.stored,
            at_s=stamp.decided_at_s,
            generation=subject.generation,
        ),
    )
    return status.to_wire()


def slo_feasible(decision: Decision) -> Finding:
    """Whether every class can be served within its SLO, in the decision's own words."""
    reason = decision.reasons[0] if decision.reasons else None
    message = reason.message if reason else ""
    if decision.infeasible:
        text = "; ".join(each.text for each in decision.infeasible)
        return Finding("SLOFeasible", FALSE, "Infeasible", text)
    if reason is not None and (
        reason.code is ReasonCode.NO_TRAFFIC or not is_seen(decision.reasons)
    ):
        # nothing was computed: neither feasible nor infeasible follows
        return Finding("SLOFeasible", UNKNOWN, str(reason.code), message)
    return Finding("SLOFeasible", TRUE, "AllClassesMet", message)


def _summary(decision: Decision, seen: Seen, feasible: Finding) -> Summary:
    realised = seen.realised.attainment() if seen.realised else None
    return Summary(
        classes=str(len(seen.classes)),
        qps=rounded(decision.qps.sum()) if is_seen(decision.reasons) else None,
        attainment=_worst(realised),
        predicted=_worst(decision.predicted),
        feasible=feasible.status,
    )


def _traffic(decision: Decision, seen: Seen) -> Traffic | None:
    if seen.source not in set(TrafficSource) or not is_seen(decision.reasons):
        return None
    classes = tuple(
        ClassTraffic(
            name=qos.name,
            qps=rounded(decision.qps[c]),
            isl_mean=round(float(decision.isl_mean[c])) or None,
            osl_mean=round(float(decision.osl_mean[c])) or None,
            prefix_hit=_fraction(decision.hit_frac[c]),
        )
        for c, qos in enumerate(seen.classes)
    )
    return Traffic(source=TrafficSource(seen.source), window_s=RATE_WINDOW_S, classes=classes)


def _forecast(decision: Decision, classes: Sequence[QosClass]) -> Iterator[ClassForecast]:
    ahead = decision.forecast
    if ahead is None:
        return
    for c, qos in enumerate(classes):
        yield ClassForecast(
            class_name=qos.name,
            horizon_s=max(1.0, float(round(ahead.horizon_s))),
            qps_p50=rounded(ahead.p50_qps[c]),
            qps_p90=rounded(ahead.p90_qps[c]),
        )


def _mix(decision: Decision, served: Sequence[Served]) -> Iterator[MixEntry]:
    """What serves the model; nothing while it sleeps, by which a router knows that it does."""
    if all(_is_at_zero(decision, each.target) for each in served):
        return
    for each in served:
        decided, profile = decision.target(each.target.name), each.target.profile
        yield MixEntry(
            target=each.target.name,
            group=Group.MIXED,
            tier_s=decided.tier_s if math.isfinite(decided.tier_s) else None,
            instances=decided.desired,
            port=each.port,
            kv_tokens=profile.kv_tokens,
            step=profile_spec_step(profile.step),
            front_end=profile_spec_front_end(profile.front_end),
        )


def _is_at_zero(decision: Decision, target: TargetState) -> bool:
    """Whether a target shall have no instance and has none that could still serve."""
    return decision.target(target.name).desired == 0 and target.n_present == 0


def _routes(decision: Decision) -> Iterator[Route]:
    for route in decision.routes:
        fractions = {
            name: rounded(frac, _FRACTION_DIGITS) for name, frac in route.fractions.items()
        }
        # the largest takes what rounding left over, so that a set sums to 1
        largest = max(fractions, key=lambda name: fractions[name])
        fractions[largest] = rounded(
            fractions[largest] + 1.0 - sum(fractions.values()), _FRACTION_DIGITS
        )
        for name, fraction in fractions.items():
            yield Route(
                class_name=route.class_name,
                isl_up_to=route.isl_up_to,
                target=name,
                group=Group.MIXED,
                fraction=fraction,
            )


def _attainment(decision: Decision, seen: Seen) -> Iterator[Attainment]:
    realised = seen.realised.attainment() if seen.realised else None
    worst = seen.realised.worst() if seen.realised else None
    for c, qos in enumerate(seen.classes):
        yield Attainment(
            class_name=qos.name,
            window_s=WINDOW_S,
            predicted=None if decision.predicted is None else _fraction(decision.predicted[c]),
            realised=None if realised is None else _fraction(realised[c]),
            # "failed" is no bound of an SLO: such requests count as missed, under no bound's name
            worst=Bound(worst[c]) if worst and worst[c] in set(Bound) else None,
        )


def _infeasible(decision: Decision) -> Iterator[Infeasible]:
    for each in decision.infeasible:
        yield Infeasible(
            class_name=each.class_name,
            bound=Bound(each.bound),
            text=each.text,
        )


def _worst(attained: Array | None) -> float | None:
    """The share of the worst class; None where no class has one."""
    known = [] if attained is None else [float(each) for each in attained if math.isfinite(each)]
    return _fraction(min(known)) if known else None


def _fraction(value: float) -> float | None:
    return rounded(min(max(value, 0.0), 1.0), _FRACTION_DIGITS) if math.isfinite(value) else None
