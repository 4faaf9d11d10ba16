"""What a pod says of itself on the wire, and the labels by which routers find it."""

from llmd_autoscaler.translate.json_object import Json, items, text

TARGET_LABEL = "autoscaling.llmd.ai/target"
GROUP_LABEL = "autoscaling.llmd.ai/group"
ROLE_LABEL = "llm-d.ai/role"

# The convention that other routers read: whoever does both phases is `prefill-decode` there.
_ROLES = {
    "mixed": "prefill-decode",
    "batch": "prefill-decode",
    "prefill": "prefill",
    "decode": "decode",
}


def label_patch(labels: Json, target: str, group: str) -> dict[str, object]:
    """The merge patch that gives a pod its labels; empty where it carries them."""
    wanted = {TARGET_LABEL: target, GROUP_LABEL: group, ROLE_LABEL: _ROLES[group]}
    differing: dict[str, object] = {
        key: value for key, value in wanted.items() if labels.get(key) != value
    }
    return {"metadata": {"labels": differing}} if differing else {}


def is_draining(pod: Json) -> bool:
    """Whether somebody has asked for its end."""
    return bool(text(pod, "metadata", "deletionTimestamp"))


def is_ready(pod: Json) -> bool:
    """Whether it serves: its condition says so, and nobody has asked for its end."""
    return not is_draining(pod) and any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in items(pod, "status", "conditions")
    )


def address(ip: str, port: int) -> str:
    """host:port, IPv6 in brackets; empty for a pod that has no IP yet."""
    if not ip:
        return ""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
