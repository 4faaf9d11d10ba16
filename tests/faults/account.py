"""The account of a run: every decision that was published, every value that an HPA read, and whether they agree."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmd_autoscaler.core import score
from llmd_autoscaler.core.score import ScalingEvent
from llmd_autoscaler.local.history import Objects
from llmd_autoscaler.translate.json_object import child, text, whole
from models.decision_id import DecisionId
from models.timestamp import read_timestamp_s


@dataclass(frozen=True, slots=True)
class Status:
    """A decision as it stood in a VariantAutoscaling, whoever had written it."""

    seen_s: float
    decision: DecisionId
    decided_at: str
    valid_until_s: float
    number: int


@dataclass(frozen=True, slots=True)
class Read:
    """One request of an HPA for `desired_replicas`, and what it was told."""

    asked_s: float
    value: str  # "" where it was told none
    timestamp: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A `tick_decided` line of the controller's log."""

    at_s: float
    decision: DecisionId
    number: int
    qps: float | None
    reasons: tuple[str, ...]

    @property
    def is_judged(self) -> bool:
        """Whether traffic stands behind it."""
        return self.qps is not None


@dataclass
class Account:
    """Of one target; simulated seconds."""

    target: str
    log: Path
    """Of the controller: what it decided, in its own words."""
    settle_s: float
    """After which a status that we saw has reached the adapter too: a second of wall time."""
    statuses: list[Status] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    scales: list[ScalingEvent] = field(default_factory=list)
    by_hand_s: list[tuple[float, float]] = field(default_factory=list)
    """When somebody held the HPA at a number of his own."""

    def see_variants(self, variants: Objects, now_s: float) -> None:
        """The VariantAutoscalings as a watch shows them."""
        for (_, name), variant in variants.items():
            status = child(variant, "status")
            if name == self.target and text(status, "decisionID"):
                self._see(status, now_s)

    def see_deployments(self, deployments: Objects, now_s: float) -> None:
        """The Deployments as a watch shows them."""
        for (_, name), deployment in deployments.items():
            number = whole(deployment, "spec", "replicas")
            if name == self.target and number != (self.scales[-1].after if self.scales else 0):
                before = self.scales[-1].after if self.scales else number
                self.scales.append(ScalingEvent(now_s, before, number))

    def _see(self, status: Mapping[str, object], now_s: float) -> None:
        seen = Status(
            seen_s=now_s,
            decision=DecisionId.parse(text(status, "decisionID")),
            decided_at=text(status, "decidedAt"),
            valid_until_s=read_timestamp_s(text(status, "validUntil")),
            number=whole(status, "desiredReplicas"),
        )
        if not self.statuses or _facts(seen) != _facts(self.statuses[-1]):
            self.statuses.append(seen)

    def lines(self, since_s: float = 0.0) -> list[Line]:
        """What the controller has decided, of all its lives."""
        if not self.log.exists():
            return []
        found = (_line(written, self.target) for written in self.log.read_text().splitlines())
        return [line for line in found if line is not None and line.at_s >= since_s]

    def wrong_values(self) -> list[str]:
        """Each value that an HPA should not have been told, as a sentence."""
        decided = {line.decision: line.number for line in self.lines()}
        return [why for read in self.reads if read.value for why in self._wrong(read, decided)]

    def _wrong(self, read: Read, decided: Mapping[DecisionId, int]) -> Iterator[str]:
        what = f"{read.value} read at {read.asked_s:.1f}"
        told = [
            each
            for each in self.statuses
            if (each.decided_at, str(each.number)) == (read.timestamp, read.value)
        ]
        if not told:
            yield f"{what}: no status said so"
        elif not any(decided.get(each.decision) == each.number for each in told):
            yield f"{what}: the controller never decided so"
        elif read.asked_s > max(each.valid_until_s for each in told):
            yield f"{what}: expired at {max(each.valid_until_s for each in told):.0f}"
        elif max(each.decision.epoch for each in told) < self._newest_epoch(read.asked_s):
            yield f"{what}: a newer leader than that of {told[-1].decision.text()} had been seen"

    def _newest_epoch(self, now_s: float) -> int:
        epochs = (s.decision.epoch for s in self.statuses if s.seen_s <= now_s - self.settle_s)
        return max(epochs, default=0)

    def unread_scales(self) -> list[str]:
        """Each change of the Deployment to a number that no HPA had been told before, as a sentence."""
        told = [(read.asked_s, read.value) for read in self.reads if read.value]
        return [
            f"scaled to {event.after} at {event.at_s:.1f}, which no HPA was told"
            for event in self.events
            if not any(at_s <= event.at_s and value == str(event.after) for at_s, value in told)
        ]

    @property
    def events(self) -> list[ScalingEvent]:
        """Changes of the Deployment, but for those of somebody's own making."""
        return [
            event
            for event in self.scales[1:]
            if not any(from_s <= event.at_s <= to_s for from_s, to_s in self.by_hand_s)
        ]

    @property
    def n_reversals(self) -> int:
        """Changes of the Deployment that went back on the one before within ten minutes."""
        return score.reversals(self.events)

    def forget(self) -> None:
        """Judge what comes from here on; what was published stays true."""
        self.scales, self.reads, self.by_hand_s = self.scales[-1:], self.reads[-1:], []

    def reads_since(self, since_s: float) -> list[Read]:
        """What HPAs asked since a moment."""
        return [read for read in self.reads if read.asked_s >= since_s]


def _facts(status: Status) -> tuple[object, ...]:
    return status.decision, status.decided_at, status.valid_until_s, status.number


def _line(written: str, target: str) -> Line | None:
    try:
        said: object = json.loads(written)
    except ValueError:
        return None  # a traceback, or a line that is being written
    if not isinstance(said, dict) or said.get("event") != "tick_decided":
        return None
    return Line(
        at_s=said["at_s"],
        decision=DecisionId.parse(said["decision_id"]),
        number=said["mix"][target],
        qps=said["qps"],
        reasons=tuple(said["reasons"]),
    )
