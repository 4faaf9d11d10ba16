"""The status of a VariantAutoscaling from a decision: all that the metrics adapter reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmd_autoscaler.core.world import TargetDecision, TargetState, is_seen
from llmd_autoscaler.translate.condition import Finding, conditions
from llmd_autoscaler.translate.stored import (
    N_HISTORY,
    Change,
    stored_desired,
    stored_history,
    stored_number,
    stored_ready_by_s,
)
from models.decision_id import DecisionId
from models.group import Group
from models.variant_autoscaling_status import (
    GroupStatus,
    HistoryEntry,
    LeadTimeSource,
    LeadTimeStatus,
    Reason,
    VariantAutoscalingStatus,
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which decision a status repeats, and for how long it holds."""

    decision_id: str
    decided_at_s: float
    valid_until_s: float


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that a status is written to, as it stands."""

    generation: int
    findings: tuple[Finding, ...] = ()
    stored: Mapping[str, object] = field(default_factory=dict)
    n_lead_samples: int = 0  # starts behind the lead time; 0: it is the profile's
    is_waiting: bool = False  # whether instances wait for a node, so that no start is under way


def rounded(value: float, digits: int = 2) -> float:
    """A number as a status writes it: more digits would only be noise that wakes watchers."""
    return float(round(float(value), digits)) + 0.0  # + 0.0: never "-0"


def variant_status(
    target: TargetState, decided: TargetDecision, stamp: Stamp, subject: Subject
) -> dict[str, object]:
    """The decision for one target as the wire writes it; all its instances are of the group mixed."""
    has_traffic = is_seen(decided.reasons)
    load = rounded(decided.load) if has_traffic else None
    used = rounded(decided.utilization) if has_traffic and decided.utilization is not None else None
    status = VariantAutoscalingStatus(
        observed_generation=subject.generation,
        decision_id=DecisionId.parse(stamp.decision_id),
        decided_at_s=stamp.decided_at_s,
        valid_until_s=stamp.valid_until_s,
        group_names=Group.MIXED.value,
        cost_per_hour=rounded(target.usd_per_hour * decided.desired),
        reason=str(decided.reasons[0].code) if decided.reasons else None,
        replicas=target.n_present,
        ready_replicas=target.n_ready,
        desired_replicas=decided.desired,
        load=load,
        utilization=used,
        groups=(
            GroupStatus(
                name=Group.MIXED,
                desired=decided.desired,
                current=target.n_ready,
                starting=target.n_starting,
                ready_by_s=_ready_by_s(target, decided, stamp, subject),
                load=load,
            ),
        ),
        lead_time=_lead_time(target, subject.n_lead_samples),
        reasons=tuple(Reason(code=str(r.code), message=r.message) for r in decided.reasons),
        history=tuple(
            HistoryEntry(
                at_s=change.at_s,
                from_replicas=change.before,
                to_replicas=change.after,
                code=change.code,
            )
            for change in history(decided, stamp, subject.stored)
        ),
        conditions=conditions(
            subject.findings,
            subject.stored,
            at_s=stamp.decided_at_s,
            generation=subject.generation,
        ),
    )
    return status.to_wire()


def _lead_time(target: TargetState, n_samples: int) -> LeadTimeStatus:
    """How long a start takes, and who says so."""
    if not n_samples:
        return LeadTimeStatus(
            p50_s=target.lead.p50_s, p90_s=target.lead.p90_s, source=LeadTimeSource.PROFILE
        )
    return LeadTimeStatus(
        p50_s=target.lead.p50_s,
        p90_s=target.lead.p90_s,
        source=LeadTimeSource.OBSERVED,
        samples=n_samples,
    )


def history(
    decided: TargetDecision, stamp: Stamp, stored: Mapping[str, object]
) -> tuple[Change, ...]:
    """The last changes of a target's number, this one included where it is one."""
    before, changes = stored_number(stored), stored_history(stored)
    if before is None or before == decided.desired:
        return changes
    code = str(decided.reasons[0].code) if decided.reasons else ""
    change = Change(stamp.decided_at_s, before, decided.desired, code)
    return (*changes, change)[-N_HISTORY:]


def _ready_by_s(
    target: TargetState, decided: TargetDecision, stamp: Stamp, subject: Subject
) -> float | None:
    """When the missing instances should serve: counted from the decision that asked for them."""
    if decided.desired <= target.n_ready:
        return None
    known_s = stored_ready_by_s(subject.stored, Group.MIXED.value)
    is_asked_for = known_s is not None and stored_desired(subject.stored) == decided.desired
    # without a node no start is under way: its end moves on with the clock
    if is_asked_for and not subject.is_waiting:
        return known_s
    return stamp.decided_at_s + target.lead.p90_s
