"""The replica limits that hold now: those of the spec, or what annotations put in their place for a time.

An override counts before the schedule, the schedule before the spec; the limit that the one that
counts does not name is the spec's. What is wrong with an annotation is said and the annotation
ignored: it never takes its object away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from llmd_autoscaler.translate.condition import FALSE, TRUE, Finding
from llmd_autoscaler.translate.schedule import described, read_schedule, spans
from models.found import shortened
from models.limit_schedule import ScheduledLimits
from models.timestamp import read_timestamp_s, write_timestamp
from models.variant_autoscaling import VariantAutoscaling

PREFIX: Final = "autoscaling.llmd.ai/"
MIN_REPLICAS: Final = f"{PREFIX}min-replicas"
MAX_REPLICAS: Final = f"{PREFIX}max-replicas"
OVERRIDE_UNTIL: Final = f"{PREFIX}override-until"
SCHEDULE: Final = f"{PREFIX}schedule"

OVERRIDE_ACTIVE: Final = "OverrideActive"
INVALID: Final = "Invalid"

_MOST_REPLICAS: Final = 2**31 - 1  # what Kubernetes holds in an int32
# Said at once: HPAHealthy says so only when the HPA has clamped, and the number may be wanted tonight.
_HPA: Final = "the HPA's own minReplicas and maxReplicas must allow it, or it clamps"

Pair = tuple[int, int]  # fewest and most instances


@dataclass(frozen=True, slots=True)
class Limits:
    """Fewest and most instances of a target, and what is said of where they come from."""

    min_instances: int
    max_instances: int
    finding: Finding | None = None  # None where no annotation speaks of limits


@dataclass(frozen=True, slots=True)
class _Said:
    """What the override or the schedule comes to now."""

    reason: str
    text: str
    limits: Pair | None = None  # None: they are not in force


def limits_at(variant: VariantAutoscaling, *, now_s: float) -> Limits:
    """The limits of a target at a moment."""
    notes, own = (
        variant.metadata.annotations,
        (variant.spec.min_replicas, variant.spec.max_replicas),
    )
    said = [each for each in (_override(notes, own, now_s), _schedule(notes, own, now_s)) if each]
    if not said:
        return Limits(*own)
    in_force = next((each for each in said if each.limits is not None), None)
    wrong = [each for each in said if each.reason == INVALID]
    first = in_force or (wrong or said)[0]
    also = [each for each in wrong if each is not first]
    return Limits(
        *((in_force.limits if in_force else None) or own),
        finding=Finding(
            OVERRIDE_ACTIVE,
            TRUE if in_force else FALSE,
            first.reason,
            "; ".join(each.text for each in (first, *also)),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Override:
    """What min-replicas, max-replicas and override-until say."""

    change: str
    limits: Pair
    until_s: float | None


def _override(notes: Mapping[str, str], own: Pair, now_s: float) -> _Said | None:
    """What the override comes to."""
    if not notes.keys() & {MIN_REPLICAS, MAX_REPLICAS, OVERRIDE_UNTIL}:
        return None
    try:
        found = _read_override(notes, own)
    except ValueError as error:
        return _Said(INVALID, f"ignored: {error}")
    if found.until_s is None:
        text = f"{found.change} until the annotation is removed; {_HPA}"
        return _Said("Override", text, found.limits)
    until = write_timestamp(found.until_s)
    if now_s >= found.until_s:
        return _Said("Expired", f"{found.change} ended at {until}; remove the annotations")
    return _Said("Override", f"{found.change} until {until}; {_HPA}", found.limits)


def _read_override(notes: Mapping[str, str], own: Pair) -> _Override:
    """The override. Raises: ValueError: what is wrong with it."""
    low, high = _count(notes, MIN_REPLICAS), _count(notes, MAX_REPLICAS)
    if low is None and high is None:
        raise ValueError(
            f"{OVERRIDE_UNTIL} alone changes nothing; write {MIN_REPLICAS} or {MAX_REPLICAS} too"
        )
    limits = _limits(own, low, high, f"{MIN_REPLICAS} and {MAX_REPLICAS}")
    return _Override(_change(own, low, high), limits, _until_s(notes))


def _schedule(notes: Mapping[str, str], own: Pair, now_s: float) -> _Said | None:
    """What the schedule comes to: its first entry that holds now, or else the one that begins next."""
    if SCHEDULE not in notes:
        return None
    try:
        entries = read_schedule(notes[SCHEDULE])
        limits = [_entry_limits(own, i, entry) for i, entry in enumerate(entries)]
    except ValueError as error:
        return _Said(INVALID, f"ignored: {PREFIX}{error}")
    times = [(i, span) for i, entry in enumerate(entries) for span in spans(entry, now_s=now_s)]
    for i, span in times:
        if span.begin_s <= now_s < span.end_s:
            change = _entry_change(own, entries[i])
            text = f"{change} until {write_timestamp(span.end_s)}; {_HPA}"
            return _Said("Schedule", text, limits[i])
    begin_s, i = min((span.begin_s, i) for i, span in times if span.begin_s > now_s)
    text = f"{_entry_change(own, entries[i])} begins at {write_timestamp(begin_s)}"
    return _Said("Waiting", text)


def _entry_limits(own: Pair, i: int, entry: ScheduledLimits) -> Pair:
    """The limits of an entry. Raises: ValueError: they contradict each other."""
    try:
        return _limits(own, entry.min_replicas, entry.max_replicas, "min and max")
    except ValueError as error:
        raise ValueError(f"schedule[{i}]: {error}") from error


def _limits(own: Pair, low: int | None, high: int | None, fields: str) -> Pair:
    """The spec's limits with those that are named in their place.

    Raises: ValueError: the fewest are more than the most.
    """
    fewest, most = own[0] if low is None else low, own[1] if high is None else high
    if fewest > most:
        of_spec = " of spec"
        raise ValueError(
            f"minReplicas {fewest}{of_spec if low is None else ''} is above maxReplicas {most}{of_spec if high is None else ''}; "
            f"write {fields} that agree"
        )
    return fewest, most


def _change(own: Pair, low: int | None, high: int | None) -> str:
    changes = [
        f"{name} {value} instead of {before}"
        for name, value, before in (("minReplicas", low, own[0]), ("maxReplicas", high, own[1]))
        if value is not None
    ]
    return " and ".join(changes)


def _entry_change(own: Pair, entry: ScheduledLimits) -> str:
    return f"{_change(own, entry.min_replicas, entry.max_replicas)} ({described(entry)})"


def _count(notes: Mapping[str, str], name: str) -> int | None:
    """The number of an annotation; None where it is not there.

    Raises: ValueError: it is no count of instances.
    """
    text = notes.get(name)
    if text is None:
        return None
    is_count = text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST_REPLICAS))
    if not is_count or not 1 <= int(text) <= _MOST_REPLICAS:
        raise ValueError(f'{name}: found "{shortened(text)}"; write a whole number, 1 or more')
    return int(text)


def _until_s(notes: Mapping[str, str]) -> float | None:
    """When the override ends; None where nobody says.

    Raises: ValueError: it is no time.
    """
    text = notes.get(OVERRIDE_UNTIL)
    if text is None:
        return None
    try:
        return read_timestamp_s(text)
    except ValueError as error:
        raise ValueError(f"{OVERRIDE_UNTIL}: {error}") from error
