"""Conditions of a status: what is found now, with the time at which that last changed."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from models.condition import Condition, ConditionStatus
from models.timestamp import read_timestamp_s, write_timestamp

Truth = Literal["True", "False", "Unknown"]
TRUE: Truth = "True"
FALSE: Truth = "False"
UNKNOWN: Truth = "Unknown"
# Bad when they hold; all others are bad when they do not.
_BAD_WHEN_TRUE = frozenset({"Conflict"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is true, false or unknown of a resource now."""

    type: str
    status: Truth
    reason: str
    message: str


def conditions(
    findings: Iterable[Finding],
    stored: Mapping[str, object],
    *,
    at_s: float,
    generation: int | None = None,
) -> tuple[Condition, ...]:
    """Findings as the wire writes them.

    Args:
        findings: at most one of each type.
        stored: the status as it stands, whose times of change are kept where nothing changed.
        at_s: now.
        generation: of the spec that this is said of, where it could be read.
    """
    before = dict(_stored(stored))
    return tuple(
        Condition(
            type=finding.type,
            status=ConditionStatus(finding.status),
            reason=finding.reason,
            message=finding.message,
            observed_generation=generation,
            last_transition_time_s=before.get((finding.type, finding.status), at_s),
        )
        for finding in findings
    )


def with_findings(
    stored: Mapping[str, object],
    findings: Iterable[Finding],
    *,
    at_s: float,
    over: Container[tuple[object, object]] = (),
) -> dict[str, object]:
    """A stored status whose conditions of the findings' types are replaced; all else stands as it was.

    A resource that cannot be acted on keeps its last decision until that expires by itself.

    Args:
        stored: the status as it stands.
        findings: what is found now.
        at_s: now.
        over: (type, status) of conditions that no longer hold where nothing is found of them.
    """
    said = [each.to_wire() for each in conditions(findings, stored, at_s=at_s)]
    types = {each["type"] for each in said}
    listed = stored.get("conditions")
    kept = [
        each
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
        and each.get("type") not in types
        and (each.get("type"), each.get("status")) not in over
    ]
    return {**stored, "conditions": [*said, *kept]}


def is_failing(type_: str, truth: str) -> bool:
    """Whether a condition says that something is wrong."""
    return truth == (TRUE if type_ in _BAD_WHEN_TRUE else FALSE)


def failing(status: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(type, reason) of the conditions of a stored status that say that something is wrong."""
    listed = status.get("conditions")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and is_failing(str(each.get("type")), str(each.get("status"))):
            yield str(each.get("type")), str(each.get("reason"))


def _stored(status: Mapping[str, object]) -> Iterable[tuple[tuple[str, str], float]]:
    listed = status.get("conditions")
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict):
            continue
        type_, truth, at = each.get("type"), each.get("status"), each.get("lastTransitionTime")
        if not (isinstance(type_, str) and isinstance(truth, str) and isinstance(at, str)):
            continue
        try:
            yield (type_, truth), read_timestamp_s(at)
        except ValueError:
            continue  # written by nobody of ours: it counts as changed now


def rfc3339_seconds(unix_s: float) -> str:
    """A moment in whole seconds, all that the times of Kubernetes' own kinds may carry."""
    return write_timestamp(float(int(unix_s)))


def unix_s(text: str) -> float | None:
    """The moment of an RFC 3339 text; None where it is none."""
    try:
        return read_timestamp_s(text)
    except ValueError:
        return None
