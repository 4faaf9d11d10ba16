"""Conditions of a status, whose transition time moves only when the truth does."""

from llmd_autoscaler.simulator.kubeapi.objects import Json, timestamp
from llmd_autoscaler.translate.json_object import items, text


def conditioned(body: Json, kind: str, *, is_true: bool, reason: str, now_s: float) -> Json:
    """The condition of a kind, to stand in the status of an object.

    Args:
        body: the object as it is now: where the condition was the same, so is its transition time.
        kind: the condition's `type`.
        is_true: its status.
        reason: one word for machines; empty leaves it out.
        now_s: simulated Unix seconds.
    """
    status = "True" if is_true else "False"
    before = next((it for it in items(body, "status", "conditions") if it.get("type") == kind), {})
    since = text(before, "lastTransitionTime") if before.get("status") == status else ""
    found: Json = {"type": kind, "status": status, "lastTransitionTime": since or timestamp(now_s)}
    return {**found, "reason": reason} if reason else found
