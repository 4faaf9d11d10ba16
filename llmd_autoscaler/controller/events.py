"""Kubernetes Events: a decision's reason where `kubectl describe` shows it, and not too often."""

from dataclasses import dataclass

from llmd_autoscaler.translate.condition import rfc3339_seconds
from llmd_autoscaler.translate.json_object import Json, child, text

COMPONENT = "llmd-controller"
# One of a reason, an object and a minute: an Event is for people, the history has the rest.
QUIET_S = 60.0
_LONGEST_MESSAGE = 1024  # as the API server allows


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to an object, in a reason's code and sentence."""

    reason: str
    message: str
    is_warning: bool = False


class EventLimiter:
    """Lets one Event of a reason and object pass in a minute."""

    def __init__(self) -> None:
        self._last_s: dict[tuple[str, str], float] = {}

    def passes(self, uid: str, reason: str, *, now_s: float) -> bool:
        """Whether this one may be sent; it then counts as sent."""
        last_s = self._last_s.get((uid, reason))
        # a clock that stepped back is a gap, not a reason to be silent until it caught up
        if last_s is not None and last_s <= now_s < last_s + QUIET_S:
            return False
        self._last_s = {key: at for key, at in self._last_s.items() if now_s - at < QUIET_S}
        self._last_s[uid, reason] = now_s
        return True


def event_body(about: Json, notice: Notice, *, now_s: float) -> dict[str, object]:
    """The Event of an object.

    Args:
        about: the object as the API server has it.
        notice: what happened.
        now_s: when.
    """
    metadata, at = child(about, "metadata"), rfc3339_seconds(now_s)
    name, namespace = text(metadata, "name"), text(metadata, "namespace") or "default"
    return {
        "metadata": {"generateName": f"{name}.", "namespace": namespace},
        "involvedObject": {
            "apiVersion": text(about, "apiVersion"),
            "kind": text(about, "kind"),
            "namespace": text(metadata, "namespace"),
            "name": name,
            "uid": text(metadata, "uid"),
            "resourceVersion": text(metadata, "resourceVersion"),
        },
        "reason": notice.reason,
        "message": notice.message[:_LONGEST_MESSAGE],
        "type": "Warning" if notice.is_warning else "Normal",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
    }
