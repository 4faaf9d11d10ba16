"""Stand-ins for the world around the loop: a cluster that keeps what is published, a source that counts what it is told."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from llmd_autoscaler.controller.ports import (
    ClusterView,
    ModelCounts,
    ModelKey,
    ModelView,
    Publication,
)
from llmd_autoscaler.core.realised import Outcomes
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.errors import ObservationError


class Counter(Protocol):
    """What a router has counted of a model by a time; None: it does not answer."""

    def __call__(self, now_s: float, /) -> CountSnapshot | None:
        """The counters."""
        ...


class FakeCluster:
    """Models that run what was last published for them, and every status that was written."""

    def __init__(self, *models: ModelView) -> None:
        self.models = {model.key: model for model in models}
        self.written: list[tuple[float, Publication]] = []
        self.is_down = False
        self.troubles = ClusterView(()).troubles

    async def observe(self, *, now_s: float) -> ClusterView:
        """The models as they are."""
        del now_s
        return ClusterView(tuple(self.models.values()), troubles=self.troubles)

    async def publish(self, publications: Sequence[Publication], *, now_s: float) -> None:
        """Keep the statuses; the fleets follow at once."""
        if self.is_down:
            raise ObservationError("the API server does not answer")
        for publication in publications:
            self.written.append((now_s, publication))
            key = publication.view.key
            desired = {t.name: t.desired for t in publication.decision.targets}
            self.models[key] = dataclasses.replace(
                self.models[key],
                targets=tuple(
                    dataclasses.replace(t, desired=desired[t.name], n_ready=desired[t.name])
                    for t in self.models[key].targets
                ),
                stored_epoch=int(publication.decision_id.partition("-")[0]),
            )

    def times_s(self, key: ModelKey) -> list[float]:
        """When a model's status was written."""
        return [now_s for now_s, publication in self.written if publication.view.key == key]

    def desired(self, key: ModelKey) -> list[int]:
        """The numbers of a model's first target as they were written."""
        return [
            publication.decision.targets[0].desired
            for _, publication in self.written
            if publication.view.key == key
        ]


class FakeSource:
    """Counters by model, as functions of time."""

    def __init__(
        self,
        counters: Mapping[ModelKey, Counter],
        outcomes: Callable[[float], Mapping[str, Outcomes]] | None = None,
    ) -> None:
        self.counters = dict(counters)
        self._outcomes = outcomes or (lambda _: {})

    async def counts(self, view: ClusterView, *, now_s: float) -> Mapping[ModelKey, ModelCounts]:
        """One router's counters for each model that has any."""
        found = {}
        for model in view.models:
            counted = self.counters[model.key](now_s) if model.key in self.counters else None
            if counted is not None:
                found[model.key] = ModelCounts("router", {"r": counted}, self._outcomes(now_s))
        return found


class FakeRecorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.decisions: list[Publication] = []
        self.failures: list[tuple[str, str]] = []

    def step(self, name: str, took_s: float) -> None:
        """A step's name; wall time means nothing here."""
        del took_s
        self.steps.append(name)

    def decided(self, publication: Publication, took_s: float) -> None:
        """A decision."""
        del took_s
        self.decisions.append(publication)

    def failed(self, step: str, message: str) -> None:
        """A failure."""
        self.failures.append((step, message))
