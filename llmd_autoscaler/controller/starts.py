"""What is said of instances that do not start as they should: no node for them, or stuck on it."""

from collections.abc import Sequence

from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.core.variant import LeadTime
from llmd_autoscaler.translate.condition import FALSE, Finding, unix_s

STARTS = "StartsInTime"
WAITING = "WaitingForCapacity"
# A scheduler that has found nothing for so long needs a node, which takes minutes, or somebody.
_PATIENCE_S = 60.0
# A start of more than so many times the p90 is no slow start.
_STUCK_AFTER = 3.0


def starts(pods: Sequence[Pod], lead: LeadTime, *, now_s: float) -> Finding | None:
    """The finding about the pods that do not serve yet; None where they start as expected."""
    ages_s = [(pod, now_s - (unix_s(pod.created_at) or now_s)) for pod in pods if pod.is_starting]
    waiting = [(pod, age_s) for pod, age_s in ages_s if pod.waits_for and age_s > _PATIENCE_S]
    if waiting:
        pod, age_s = max(waiting, key=lambda each: each[1])
        message = (
            f"{len(waiting)} of {len(ages_s)} starting instances wait for capacity, {pod.name} for {age_s:.0f} s "
            f"({pod.waits_for}); no more are asked for because of them"
        )
        return Finding(STARTS, FALSE, WAITING, message)
    stuck = [
        (pod, age_s)
        for pod, age_s in ages_s
        if not pod.waits_for and age_s > _STUCK_AFTER * lead.p90_s
    ]
    if stuck:
        pod, age_s = max(stuck, key=lambda each: each[1])
        message = (
            f"{pod.name} has been starting for {age_s:.0f} s, and 90 % start within {lead.p90_s:.0f} s; "
            f"look at it with kubectl describe pod {pod.name}"
        )
        return Finding(STARTS, FALSE, "StuckStart", message)
    return None
