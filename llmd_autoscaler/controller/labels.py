"""The labels by which routers find the pods of a target and its groups."""

from llmd_autoscaler.translate.json_object import Json

TARGET = "autoscaling.llmd.ai/target"
GROUP = "autoscaling.llmd.ai/group"
ROLE = "llm-d.ai/role"

# The convention that other routers read: whoever does both phases is `prefill-decode` there.
_ROLES = {
    "mixed": "prefill-decode",
    "batch": "prefill-decode",
    "prefill": "prefill",
    "decode": "decode",
}


def label_patch(labels: Json, target: str, group: str) -> dict[str, object]:
    """The merge patch that gives a pod its labels; empty where it carries them."""
    wanted = {TARGET: target, GROUP: group, ROLE: _ROLES[group]}
    differing: dict[str, object] = {
        key: value for key, value in wanted.items() if labels.get(key) != value
    }
    return {"metadata": {"labels": differing}} if differing else {}
