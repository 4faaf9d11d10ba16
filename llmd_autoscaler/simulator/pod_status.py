"""What a pod says of itself: reading and writing the fields that controllers look at."""

from llmd_autoscaler.simulator.conditions import conditioned
from llmd_autoscaler.simulator.kubeapi.objects import Json, seconds, timestamp
from llmd_autoscaler.translate.json_object import child, items, text

READY_AT = (
    "simulator.llmd.ai/ready-at-s"  # pod annotation: creation + drawn lead, simulated seconds
)
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def serves(pod: Json) -> bool:
    """Whether the Ready condition is True and nobody has asked for the pod's end."""
    return ready_since_s(pod) < float("inf") and not is_ending(pod)


def ready_since_s(pod: Json) -> float:
    """When it became Ready; inf where it is not."""
    for condition in items(pod, "status", "conditions"):
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return seconds(text(condition, "lastTransitionTime"))
    return float("inf")


def is_ending(pod: Json) -> bool:
    """Whether it has a deletionTimestamp."""
    return bool(text(pod, "metadata", "deletionTimestamp"))


def is_failed(pod: Json) -> bool:
    """Whether its process died."""
    return text(pod, "status", "phase") == "Failed"


def ready_at_s(pod: Json) -> float:
    """When its start-up is over, as drawn at its creation; 0 where nothing was drawn."""
    written = text(pod, "metadata", "annotations", READY_AT)
    try:
        return float(written or 0.0)
    except ValueError:
        return 0.0


def deletion_cost(pod: Json) -> int:
    """The pod-deletion-cost annotation; 0 where it is absent or no number, as in Kubernetes."""
    written = text(pod, "metadata", "annotations", DELETION_COST)
    return int(written) if written.lstrip("+-").isdecimal() else 0


def running(pod: Json, address: str, now_s: float, *, is_ready: bool) -> Json:
    """The status of a pod whose process runs."""
    started = text(pod, "status", "startTime") or timestamp(now_s)
    truths = {
        "PodScheduled": True,
        "Initialized": True,
        "ContainersReady": is_ready,
        "Ready": is_ready,
    }
    conditions = [
        conditioned(pod, kind, is_true=is_true, reason="", now_s=now_s)
        for kind, is_true in truths.items()
    ]
    containers = [
        {
            "name": text(container, "name"),
            "image": text(container, "image"),
            "ready": is_ready,
            "started": is_ready,
            "restartCount": 0,
            "state": {"running": {"startedAt": started}},
        }
        for container in items(pod, "spec", "containers")
    ]
    return {
        "phase": "Running",
        "startTime": started,
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": conditions,
        "containerStatuses": containers,
    }


def failed(pod: Json, now_s: float, why: str) -> Json:
    """The status of a pod whose process died, or never started."""
    condition = conditioned(pod, "Ready", is_true=False, reason="PodFailed", now_s=now_s)
    status = {**child(pod, "status"), "phase": "Failed", "reason": "Error", "message": why}
    return {**status, "conditions": [condition], "containerStatuses": []}
