"""What a stored status still tells a controller that starts again; what cannot be read there is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from models.decision_id import MAX_EPOCH, DecisionId
from models.timestamp import read_timestamp_s
from models.variant_autoscaling_status import HistoryEntry

N_HISTORY = 10
# The fields of both kinds that adapter and routers act on.
_ACTED_ON = (
    "decisionID", "validUntil", "desiredReplicas", "load", "utilization", "groups", "mix", "routes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a target's number."""

    at_s: float
    before: int
    after: int
    code: str


def stored_epoch(status: Mapping[str, object]) -> int:
    """Leader epoch of a status's decision; 0 where there is none, or one above which there is no other.

    Nobody can write over that one, and whoever counted on from it could write nowhere.
    """
    epoch = _decision(status).epoch
    return epoch if epoch < MAX_EPOCH else 0


def stored_desired(status: Mapping[str, object]) -> int:
    """Instances last decided; 0 where nothing was."""
    desired = status.get("desiredReplicas")
    is_count = isinstance(desired, int) and not isinstance(desired, bool) and desired > 0
    return desired if is_count and isinstance(desired, int) else 0


def stored_number(status: Mapping[str, object]) -> int | None:
    """Instances last decided, 0 for a model that was put to sleep; None where nothing was decided."""
    if status.get("desiredReplicas") == 0 and status.get("desiredReplicas") is not False:
        return 0
    return stored_desired(status) or None


def stored_valid_until_s(status: Mapping[str, object]) -> float | None:
    """Until when the last decision may be served; None where there is none."""
    at = status.get("validUntil")
    try:
        return read_timestamp_s(at) if isinstance(at, str) else None
    except ValueError:
        return None


def stored_truth(status: Mapping[str, object], type_: str) -> tuple[str, str]:
    """(status, reason) of a condition; empty where there is none."""
    listed = status.get("conditions")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("type") == type_:
            return str(each.get("status", "")), str(each.get("reason", ""))
    return "", ""


def is_later(status: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether a status carries a later decision than another one."""
    return _decision(status) > _decision(other)


def says_the_same(status: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two statuses give the same decision to those who act on it: the adapter and the routers."""
    return all(status.get(field) == other.get(field) for field in _ACTED_ON)


def stored_history(status: Mapping[str, object]) -> tuple[Change, ...]:
    """The last changes, oldest first."""
    listed = status.get("history")
    changes = []
    for each in listed if isinstance(listed, list) else []:
        try:
            entry = HistoryEntry.from_wire(each if isinstance(each, dict) else {}, is_tolerant=True)
        except ValidationError:
            continue
        changes.append(Change(entry.at_s, entry.from_replicas, entry.to_replicas, entry.code))
    return tuple(changes[-N_HISTORY:])


def stored_ready_by_s(status: Mapping[str, object], group: str) -> float | None:
    """When the starting instances of a group were said to serve."""
    listed = status.get("groups")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("name") == group:
            at = each.get("readyBy")
            try:
                return read_timestamp_s(at) if isinstance(at, str) else None
            except ValueError:
                return None
    return None


def _decision(status: Mapping[str, object]) -> DecisionId:
    text = status.get("decisionID")
    try:
        return DecisionId.parse(text) if isinstance(text, str) else DecisionId(0, 0)
    except ValueError:
        return DecisionId(0, 0)
