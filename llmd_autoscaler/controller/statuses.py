"""The statuses that a publication and the troubles beside it come to. Pure."""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmd_autoscaler.controller.events import Notice
from llmd_autoscaler.controller.hpas import HPA_HEALTHY
from llmd_autoscaler.controller.observed import LEVEL, VARIANT, Picture, Placed
from llmd_autoscaler.controller.ports import ModelView, Publication, Trouble
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.controller.starts import STARTS, WAITING
from llmd_autoscaler.controller.view import is_warning
from llmd_autoscaler.core.world import ReasonCode, TargetDecision, TargetState, is_seen
from llmd_autoscaler.translate.condition import (
    FALSE,
    TRUE,
    UNKNOWN,
    Finding,
    Truth,
    rfc3339_seconds,
    with_findings,
)
from llmd_autoscaler.translate.json_object import Json
from llmd_autoscaler.translate.status import Seen, Served, service_level_status
from llmd_autoscaler.translate.stored import (
    stored_desired,
    stored_truth,
    stored_valid_until_s,
)
from llmd_autoscaler.translate.variant_status import Stamp, Subject, variant_status
from llmd_autoscaler.translate.world import ScaleTarget

Stored = Callable[[str, Key], Json]  # kind, key -> the status as it stands

_UNKNOWN_REASONS = {"NoTargets"}
# What an object in trouble may still say of a trouble that it has no more.
_OVER: Mapping[str, Container[tuple[object, object]]] = {
    LEVEL: {("Conflict", TRUE)},
    VARIANT: {
        ("TargetResolved", FALSE),
        ("ProfileTrusted", FALSE),
        ("OptimizationReady", FALSE),
        ("Conflict", TRUE),
        ("OverrideActive", TRUE),
        ("OverrideActive", FALSE),
        (STARTS, FALSE),
        ("HPAHealthy", FALSE),
    },
}


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """One status as it should stand, and what to tell people if it does not yet."""

    kind: str
    key: Key
    status: dict[str, object]
    notices: tuple[Notice, ...] = ()


def published(publication: Publication, found: Picture, stored: Stored) -> Iterator[StatusWrite]:
    """The statuses of one model: its VariantAutoscalings first, what the HPA waits for."""
    view, decision = publication.view, publication.decision
    namespace = view.key.namespace
    # whole seconds, as Kubernetes writes times; a decision that ends a moment early is renewed long before
    decided_s, until_s = (
        math.floor(publication.decided_at_s),
        math.floor(publication.valid_until_s),
    )
    stamp = Stamp(publication.decision_id, float(decided_s), float(until_s))
    ports: list[Served] = []
    for state in view.targets:
        key = (namespace, state.name)
        target = found.targets.get(key)
        if target is None:
            continue  # gone since it was observed
        ports.append(Served(state, target.variant.port))
        if target.is_held:
            continue  # its own last decision holds; `troubled` says so
        decided = decision.target(state.name)
        findings = (
            _resolved(state, target.variant.scale_target),
            _available(publication, state.name),
            target.trust,
            _optimized(decided, is_paused=state.is_paused),
            *target.notes,
        )
        before = stored(VARIANT, key)
        subject = Subject(
            target.variant.generation,
            findings,
            before,
            n_lead_samples=target.n_lead_samples,
            is_waiting=any(note.reason == WAITING for note in target.notes),
        )
        status = variant_status(state, decided, stamp, subject)
        notices = (*_changed(decided, before), *_noted(target.notes, before))
        yield StatusWrite(VARIANT, key, status, notices)
    level = found.levels.get(view.key)
    if level is None or level.name != view.service_level:
        return
    key = (namespace, level.name)
    subject = Subject(level.generation, (_conflict(view),), stored(LEVEL, key))
    seen = Seen(view.classes, publication.source, publication.realised)
    yield StatusWrite(LEVEL, key, service_level_status(decision, stamp, subject, seen, ports))


def troubled(found: Picture, stored: Stored, *, now_s: float) -> Iterator[StatusWrite]:
    """The statuses of what cannot be acted on: its conditions, over what was decided before."""
    at_s = float(math.floor(now_s))
    acting = _acting(found)
    by_object: dict[tuple[str, Key], list[Placed]] = {}
    for placed in found.troubles:
        where = (placed.trouble.kind, (placed.namespace, placed.trouble.name))
        if where not in acting:
            by_object.setdefault(where, []).append(placed)
    for (kind, key), placed_here in by_object.items():
        before = stored(kind, key)
        until = _until(before, now_s=now_s) if kind == VARIANT else ""
        findings = [_finding(placed.trouble, until) for placed in placed_here]
        status = with_findings(before, findings, at_s=at_s, over=_OVER.get(kind, ()))
        notices = tuple(Notice(each.reason, each.message, is_warning=True) for each in findings)
        yield StatusWrite(kind, key, status, notices)
    for kind, key, finding in found.mended:
        yield StatusWrite(kind, key, with_findings(stored(kind, key), [finding], at_s=at_s))


def _acting(found: Picture) -> set[tuple[str, Key]]:
    """The objects whose statuses a publication writes, troubles included."""
    acting: set[tuple[str, Key]] = set()
    for model in found.view.models:
        namespace = model.key.namespace
        acting.add((LEVEL, (namespace, model.service_level)))
        acting.update(
            (VARIANT, key)
            for target in model.targets
            if not found.targets[key := (namespace, target.name)].is_held
        )
    return acting


def _until(before: Json, *, now_s: float) -> str:
    """How long the last decision of an object in trouble still holds, and what comes then."""
    number, until_s = stored_desired(before), stored_valid_until_s(before)
    if not number or until_s is None:
        return ""
    until = rfc3339_seconds(until_s)
    if now_s < until_s:
        return f"; the last decision, {number}, holds until {until}"
    return f"; the last decision, {number}, ended at {until}: nothing is served, and the HPA keeps what it has"


def _finding(trouble: Trouble, more: str = "") -> Finding:
    truth: Truth = FALSE
    if trouble.condition == "Conflict":
        truth = TRUE
    elif trouble.reason in _UNKNOWN_REASONS:
        truth = UNKNOWN
    return Finding(trouble.condition, truth, trouble.reason, trouble.message + more)


def _resolved(state: TargetState, target: ScaleTarget) -> Finding:
    message = f'{target.kind} "{target.name}": {state.n_ready} ready, {state.n_starting} starting, {state.n_draining} draining'
    return Finding("TargetResolved", TRUE, "Resolved", message)


def _available(publication: Publication, target: str) -> Finding:
    """Whether the ready pods of a target could be asked."""
    namespace = publication.view.key.namespace
    why = dict(_named(publication.unreachable))
    ready = [i.name for i in publication.view.instances if i.target == target and i.is_ready]
    silent = [name for name in ready if f"{namespace}/{name}" in why]
    type_ = "MetricsAvailable"
    if not ready:
        return Finding(type_, UNKNOWN, "NoReadyPods", "no pod is ready, so none could be asked")
    answered = f"{len(ready) - len(silent)} of {len(ready)} ready pods answered"
    if not silent:
        return Finding(type_, TRUE, "AllAnswered", answered)
    first = f"{answered}; {silent[0]}: {why[f'{namespace}/{silent[0]}']}"
    if len(silent) == len(ready):
        return Finding(type_, FALSE, "NoneAnswered", first)
    return Finding(type_, TRUE, "SomeUnreachable", first)


def _named(unreachable: Iterable[str]) -> Iterator[tuple[str, str]]:
    for each in unreachable:
        name, _, why = each.partition(": ")
        yield name, why


def _optimized(decided: TargetDecision, *, is_paused: bool) -> Finding:
    """Whether the number was computed; of a paused target also that it is not followed."""
    reason = decided.reasons[0]
    truth = TRUE if is_seen((reason,)) else FALSE
    if is_paused and reason.code is not ReasonCode.PAUSED:
        message = f"paused at {decided.desired}; {reason.message}"
        return Finding("OptimizationReady", truth, str(ReasonCode.PAUSED), message)
    return Finding("OptimizationReady", truth, str(reason.code), reason.message)


def _conflict(view: ModelView) -> Finding:
    mine = [
        trouble
        for trouble in view.troubles
        if trouble.kind == LEVEL
        and trouble.name == view.service_level
        and trouble.condition == "Conflict"
    ]
    if mine:
        return _finding(mine[0])
    return Finding("Conflict", FALSE, "OnlyOne", "no other ServiceLevel names this model")


def _noted(notes: Iterable[Finding], before: Json) -> Iterator[Notice]:
    """The Events of what is said of a target for the first time."""
    for note in notes:
        said = stored_truth(before, note.type)
        is_good_at_first = not said[0] and not is_warning(note) and note.type == HPA_HEALTHY
        if said != (note.status, note.reason) and not is_good_at_first:
            yield Notice(note.reason, note.message, is_warning=is_warning(note))


def _changed(decided: TargetDecision, before: Json) -> Iterator[Notice]:
    """The Event of a number that changes."""
    if decided.desired != stored_desired(before):
        reason = decided.reasons[0]
        is_warning = reason.code in {ReasonCode.AT_LIMIT, ReasonCode.INFEASIBLE}
        yield Notice(str(reason.code), reason.message, is_warning=is_warning)
