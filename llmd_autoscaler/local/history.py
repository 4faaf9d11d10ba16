"""What the API server said over a run: lives of pods, desired counts, decisions. Pure: facts and times in, figures out."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmd_autoscaler.core.score import ScalingEvent
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.pod_status import serves
from llmd_autoscaler.translate.json_object import child, text, whole

Objects = Mapping[tuple[str, str], Json]


@dataclass(slots=True)
class Life:
    """One pod, from creation to the moment when it was gone."""

    app: str
    created_s: float
    gone_s: float = float("inf")


@dataclass(slots=True)
class History:
    """The record of one run."""

    app_label: str
    journal: Path
    """Where every status is written as it came, one JSON line each."""
    lives: dict[str, Life] = field(default_factory=dict)  # by uid of the pod
    n_ready: int = 0
    desired: dict[str, int] = field(
        default_factory=dict
    )  # by VariantAutoscaling, as last published
    events: dict[str, list[ScalingEvent]] = field(default_factory=dict)
    first_decision_s: float | None = None
    _seen: dict[tuple[str, str], object] = field(default_factory=dict)

    def see_pods(self, pods: Objects, now_s: float) -> None:
        """The pods as they are now."""
        present = set()
        for pod in pods.values():
            uid = text(pod, "metadata", "uid")
            present.add(uid)
            self.lives.setdefault(
                uid, Life(text(pod, "metadata", "labels", self.app_label), created_s=now_s)
            )
        for uid, life in self.lives.items():
            if uid not in present and life.gone_s > now_s:
                life.gone_s = now_s
        self.n_ready = sum(serves(pod) for pod in pods.values())

    def see_variants(self, variants: Objects, now_s: float) -> None:
        """The VariantAutoscalings as they are now."""
        for (_, name), variant in variants.items():
            status = child(variant, "status")
            if not text(status, "decisionID"):
                continue
            if self.first_decision_s is None:
                self.first_decision_s = now_s
            number = whole(status, "desiredReplicas")
            before = self.desired.get(name, number)
            if number != before:
                self.events.setdefault(name, []).append(ScalingEvent(now_s, before, number))
            self.desired[name] = number
        self._write("VariantAutoscaling", variants, now_s)

    def see_levels(self, levels: Objects, now_s: float) -> None:
        """The ServiceLevels as they are now."""
        self._write("ServiceLevel", levels, now_s)

    def spans(self, app: str, n_accelerators: int) -> Iterable[tuple[float, float, int]]:
        """(creation, end, accelerators) of every pod of a Deployment."""
        return [
            (life.created_s, life.gone_s, n_accelerators)
            for life in self.lives.values()
            if life.app == app
        ]

    def _write(self, kind: str, objects: Objects, now_s: float) -> None:
        with self.journal.open("a") as lines:
            for (_, name), found in objects.items():
                status = found.get("status")
                if status is not None and self._seen.get((kind, name)) != status:
                    self._seen[kind, name] = status
                    line = {"at_s": round(now_s, 3), "kind": kind, "name": name, "status": status}
                    lines.write(json.dumps(line, separators=(",", ":")) + "\n")
