"""What the adapter knows: the published numbers of every VariantAutoscaling, and when each may be served.

Only parsed values are kept, never whole objects: a few hundred bytes an object, whatever stands in it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import ValidationError

from llmd_autoscaler.errors import ObservationError
from models.custom_metrics import quantity
from models.decision_id import MAX_EPOCH, DecisionId
from models.fault import faults
from models.group import Group
from models.servable import servable
from models.timestamp import read_timestamp_s, write_timestamp
from models.variant_autoscaling_status import VariantAutoscalingStatus

# A watch says nothing while nothing changes, but its stream ends and starts again every minute.
MAX_SILENCE_S = 90.0
# A process that is frozen, throttled or moved wakes up with questions that came before the changes they are about.
BEAT_S = 0.25
_STANDSTILL_S = 2.0  # more than reading a large list takes
_CATCH_UP_S = 1.0  # what has arrived meanwhile is read in a fraction of it

METRICS: tuple[str, ...] = (
    "desired_replicas",
    "load",
    "utilization",
    *(f"{group}_{noun}" for group in Group for noun in ("desired_instances", "load")),
)


class Key(NamedTuple):
    """Which object."""

    namespace: str
    name: str


class WithheldError(ObservationError):
    """A number that is not served; the text is what an operator reads in the HPA's condition."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason  # a label: one of a few words


@dataclass(frozen=True, slots=True)
class Served:
    """One number as it goes out."""

    key: Key
    metric: str
    value: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class Published:
    """One object's last status."""

    labels: Mapping[str, str]
    decision: DecisionId | None = None
    valid_until_s: float = 0.0
    timestamp: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    newest_epoch: int = 0  # ever seen for this object, whoever wrote last
    fault: str = ""  # why the status could not be read


@dataclass(slots=True)
class Store:
    """All objects of the watch; written by the watch, read by the handlers, never across a wait."""

    is_synced: bool = False
    is_connected: bool = False
    heard_at_s: float = 0.0  # of a monotonic clock: a silent connection is a matter of wall time
    _beat_at_s: float = math.inf  # as the next one; never, where nobody gives the beat
    _behind_until_s: float = -math.inf
    _objects: dict[Key, Published] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._objects)

    def beat(self, monotonic_s: float) -> None:
        """To be told every `BEAT_S`: one that is late says that the process stood still, and may be behind."""
        is_late = monotonic_s - self._beat_at_s > _STANDSTILL_S
        was_cut_off = monotonic_s < self._behind_until_s and not self.is_connected
        if is_late or was_cut_off:
            self._behind_until_s = monotonic_s + _CATCH_UP_S
        self._beat_at_s = monotonic_s

    def put(
        self, key: Key, labels: Mapping[str, str], status: Mapping[str, object], *, now_s: float
    ) -> None:
        """Takes over an object's status as the API server has it now."""
        known = self._objects.get(key)
        newest_epoch = known.newest_epoch if known else 0
        try:
            read = VariantAutoscalingStatus.from_wire(status, is_tolerant=True)
            decided_at = _decided_at(status)
            _check_epoch(read.decision_id)
        except ValidationError as error:
            fault = faults(error, VariantAutoscalingStatus)[0].text()
            self._objects[key] = Published(labels, newest_epoch=newest_epoch, fault=fault)
            return
        except ValueError as error:
            fault = str(error)
            self._objects[key] = Published(labels, newest_epoch=newest_epoch, fault=fault)
            return
        is_same = known is not None and known.decision == read.decision_id
        seen_at = known.timestamp if known and is_same else write_timestamp(now_s)
        self._objects[key] = Published(
            labels=labels,
            decision=read.decision_id,
            valid_until_s=read.valid_until_s or 0.0,
            timestamp=decided_at or seen_at,
            values=dict(_values(read)),
            newest_epoch=max(newest_epoch, read.decision_id.epoch if read.decision_id else 0),
        )

    def remove(self, key: Key) -> None:
        """The object is gone, and its name may come again as another one."""
        self._objects.pop(key, None)

    def keep_only(self, keys: set[Key]) -> None:
        """Forgets what a new list does not hold."""
        self._objects = {key: value for key, value in self._objects.items() if key in keys}

    def served(self, key: Key, metric: str, *, now_s: float, monotonic_s: float) -> Served:
        """One number of one object.

        Raises: WithheldError: there is none, or it may not be served now.
        """
        self._check_watch(monotonic_s)
        published = self._objects.get(key)
        if published is None:
            raise WithheldError(
                "unknown_object",
                f"there is no VariantAutoscaling {key.name} in namespace {key.namespace}",
            )
        return _served(key, published, metric, now_s)

    def all_served(
        self,
        namespace: str,
        metric: str,
        matches: Callable[[Key, Mapping[str, str]], bool],
        *,
        now_s: float,
        monotonic_s: float,
    ) -> Iterator[Served | WithheldError]:
        """The numbers of all objects of a namespace that match, or why each is withheld.

        Raises: WithheldError: the watch is silent, so nothing is served.
        """
        self._check_watch(monotonic_s)
        for key in sorted(self._objects):
            if key.namespace != namespace or not matches(key, self._objects[key].labels):
                continue
            try:
                yield _served(key, self._objects[key], metric, now_s)
            except WithheldError as error:
                yield error

    def _check_watch(self, monotonic_s: float) -> None:
        if not self.is_synced:
            raise WithheldError(
                "not_synced", "the adapter has not read the VariantAutoscalings yet"
            )
        silence_s = monotonic_s - self.heard_at_s
        if silence_s > MAX_SILENCE_S:
            raise WithheldError(
                "disconnected",
                f"the adapter has heard nothing from the API server for {silence_s:.0f} s,"
                f" more than {MAX_SILENCE_S:.0f} s: what it knows may be old",
            )
        if monotonic_s - self._beat_at_s > _STANDSTILL_S or monotonic_s < self._behind_until_s:
            raise WithheldError(
                "disconnected",
                "the adapter stood still and has not caught up yet: what it knows may be old",
            )


def _served(key: Key, published: Published, metric: str, now_s: float) -> Served:
    decision = published.decision
    if published.fault:
        raise WithheldError(
            "unreadable", f"the status of {key.name} cannot be read: {published.fault}"
        )
    if decision is None:
        raise WithheldError("not_published", f"no decision for {key.name} has been published yet")
    if not servable(
        epoch=decision.epoch,
        newest_epoch=published.newest_epoch,
        valid_until_s=published.valid_until_s,
        now_s=now_s,
    ):
        raise _not_servable(key, published, decision, now_s)
    value = published.values.get(metric)
    if value is None:
        raise WithheldError(
            "unknown_metric", f"decision {decision.text()} of {key.name} has no number for {metric}"
        )
    return Served(key, metric, value, published.timestamp)


def _not_servable(
    key: Key, published: Published, decision: DecisionId, now_s: float
) -> WithheldError:
    if decision.epoch < published.newest_epoch:
        return WithheldError(
            "older_epoch",
            f"decision {decision.text()} of {key.name} is of leader epoch {decision.epoch},"
            f" but epoch {published.newest_epoch} has been seen: an older leader wrote it",
        )
    return WithheldError(
        "expired",
        f"decision {decision.text()} of {key.name} was valid until {write_timestamp(published.valid_until_s)}"
        f" and it is {write_timestamp(now_s)}: the controller has not renewed it",
    )


def _values(status: VariantAutoscalingStatus) -> Iterator[tuple[str, str]]:
    numbers: dict[str, float | None] = {
        "desired_replicas": status.desired_replicas,
        "load": status.load,
        "utilization": status.utilization,
    }
    for group in status.groups:
        numbers[f"{group.name}_desired_instances"] = group.desired
        numbers[f"{group.name}_load"] = group.load
    for metric, number in numbers.items():
        if number is not None:
            yield from _quantity(metric, number)


def _quantity(metric: str, number: float) -> Iterator[tuple[str, str]]:
    try:
        yield metric, quantity(number)
    except ValueError:
        return  # beyond what the HPA can count: withheld like a number that was never written


def _decided_at(status: Mapping[str, object]) -> str:
    """When the decision was made, as written; empty where the status does not say."""
    written = status.get("decidedAt")
    if written is None:
        return ""
    if not isinstance(written, str):
        raise ValueError(f"decidedAt: found {type(written).__name__}; write a time in UTC")  # noqa: TRY004
    try:
        read_timestamp_s(written)
    except ValueError as error:
        raise ValueError(f"decidedAt: {error}") from error
    return written


def _check_epoch(decision: DecisionId | None) -> None:
    """Refuse what no leader can have decided, or to remember it would keep out every leader for ever.

    Raises: ValueError: it is such a one.
    """
    if decision is not None and decision.epoch >= MAX_EPOCH:
        raise ValueError(
            f"decisionID: found {decision.text()}, of an epoch that no leader can have; write null"
        )
