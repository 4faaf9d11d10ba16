"""A whole run in virtual time in one process: traffic, router, engines, HPA, and the controller's own tick."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import (
    ClusterView,
    ModelCounts,
    ModelKey,
    ModelView,
    Publication,
)
from llmd_autoscaler.core import score
from llmd_autoscaler.core.score import Answers, ScalingEvent
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.world import Policy, TargetState
from llmd_autoscaler.errors import StaleError
from llmd_autoscaler.settings import TickSettings
from llmd_autoscaler.simulator.hpa import HpaSpec, Metric, MetricSpec, Scale, desired_replicas
from llmd_autoscaler.simulator.hpa_behavior import (
    Behavior,
    History,
    PolicyKind,
    Rules,
)
from llmd_autoscaler.simulator.hpa_behavior import (
    Policy as HpaPolicy,
)
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet
from llmd_autoscaler.translate.serving import check_servable

Array = NDArray[np.float64]
KEY = ModelKey("default", "model")
HPA_SYNC_S = 15.0
# The drain of the last requests counts for attainment: no answer of the traces takes longer.
DRAIN_S = 900.0


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """One run: who is served, by what, under which limits."""

    classes: tuple[QosClass, ...]
    targets: tuple[TargetState, ...]
    replay: Replay
    start: Mapping[str, int]
    stock: Mapping[str, int] = field(
        default_factory=dict
    )  # accelerators by kind; absent: unlimited
    seed: int = 1
    policy: Policy = field(default_factory=Policy)
    tick: TickSettings = field(default_factory=TickSettings)


class Law(Protocol):
    """What scales each target: an HPA, and the one metric that it reads."""

    async def tick(self, now_s: float) -> None:
        """Look, and record what a metric is made of."""
        ...

    def spec(self, target: TargetState) -> HpaSpec:
        """The HPA before a target."""
        ...

    def metric(self, target: str, now_s: float) -> Metric:
        """What the HPA of a target reads."""
        ...


class Scaler(Protocol):
    """Who sets the numbers that the HPAs read, and land on."""

    async def tick(self, now_s: float) -> None:
        """Look and decide."""
        ...

    def served(self, target: str, now_s: float) -> int | None:
        """The number that an HPA reads for a target; None: it reads an error and holds."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a run came to, in the words of scoring.md."""

    answers: Answers
    attainment: Array  # (class,)
    gpu_hours: float
    cost_usd: float
    events: Mapping[str, tuple[ScalingEvent, ...]]  # by target
    n_decisions: int

    @property
    def n_events(self) -> int:
        """Changes of a desired count."""
        return sum(len(events) for events in self.events.values())

    @property
    def n_reversals(self) -> int:
        """Changes that went back on the one before within ten minutes."""
        return sum(score.reversals(events) for events in self.events.values())


class Published:
    """Our controller over a virtual fleet: both of its ports, and the status that the HPA reads."""

    def __init__(self, fleet: VirtualFleet, setup: Setup) -> None:
        self._fleet, self._stock = fleet, setup.stock
        self._last: Publication | None = None
        self._numbers: dict[str, int] = {}
        self.publications: list[Publication] = []
        self.failures: list[str] = []
        self._loop = Loop(self, self, self, settings=setup.tick, policy=setup.policy)

    async def tick(self, now_s: float) -> None:
        """The controller's own tick, unchanged."""
        await self._loop.tick(now_s=now_s)

    def served(self, target: str, now_s: float) -> int | None:
        """What the adapter would answer."""
        if self._last is None:
            return None
        epoch = int(self._last.decision_id.partition("-")[0])
        try:
            check_servable(
                self._last.decision_id,
                newest_epoch=epoch,
                valid_until_s=self._last.valid_until_s,
                now_s=now_s,
            )
        except StaleError:
            return None
        return self._numbers[target]

    async def observe(self, *, now_s: float) -> ClusterView:
        """The one model, from the fleet itself."""
        del now_s  # the fleet's own time is the same
        targets = self._fleet.states(self._numbers)
        model = ModelView(KEY, "model", self._fleet.classes, targets, stock=self._stock)
        return ClusterView(models=(model,))

    async def counts(self, view: ClusterView, *, now_s: float) -> Mapping[ModelKey, ModelCounts]:
        """What the one router has counted."""
        del view, now_s
        traffic, outcomes = self._fleet.counts()
        return {KEY: ModelCounts("router", {"router": traffic}, {"router": outcomes})}

    async def publish(self, publications: Sequence[Publication], *, now_s: float) -> None:
        """Take the status and let the router follow it."""
        del now_s
        for publication in publications:
            self._last = publication
            self._numbers = {t.name: t.desired for t in publication.decision.targets}
            self._fleet.route(publication.decision.routes)

    def step(self, name: str, took_s: float) -> None:
        """Wall time means nothing here."""

    def decided(self, publication: Publication, took_s: float) -> None:
        """Keep every decision for those who ask why."""
        del took_s
        self.publications.append(publication)

    def failed(self, step: str, message: str) -> None:
        """Keep every failure likewise."""
        self.failures.append(f"{step}: {message}")


class Static:
    """A fleet that never changes."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = numbers

    async def tick(self, now_s: float) -> None:
        """Nothing to decide."""

    def served(self, target: str, now_s: float) -> int | None:
        """Always the same."""
        del now_s
        return self._numbers[target]


def hpa_spec(target: TargetState) -> HpaSpec:
    """The HPA that `make run` and the manifests put before a VariantAutoscaling: it lands on the number."""
    rules = Rules(window_s=0.0, policies=(HpaPolicy(PolicyKind.PODS, 1000, 15.0),), tolerance=0.0)
    return HpaSpec(
        min_replicas=target.min_instances,
        max_replicas=target.max_instances,
        metrics=(MetricSpec(target_milli=1000),),
        behavior=Behavior(up=rules, down=rules),
    )


class Landing:
    """The law of whoever publishes numbers: the HPA lands on them."""

    def __init__(self, scaler: Scaler) -> None:
        self._scaler = scaler

    async def tick(self, now_s: float) -> None:
        """The scaler decides."""
        await self._scaler.tick(now_s)

    def spec(self, target: TargetState) -> HpaSpec:
        """The HPA that we ship."""
        return hpa_spec(target)

    def metric(self, target: str, now_s: float) -> Metric:
        """The number as the adapter serves it, or its refusal."""
        value = self._scaler.served(target, now_s)
        return Metric(failure="withheld") if value is None else Metric((value * 1000,))


class _Hpas:
    """One HPA a target, with the arithmetic of Kubernetes."""

    def __init__(self, fleet: VirtualFleet, law: Law) -> None:
        self._fleet, self._law = fleet, law
        self._specs = {name: law.spec(target) for name, target in fleet.targets.items()}
        self._history = {name: History() for name in fleet.targets}
        self.events: dict[str, list[ScalingEvent]] = {name: [] for name in fleet.targets}

    def sync(self, now_s: float) -> None:
        """One period of every HPA."""
        for name, spec in self._specs.items():
            active = len(self._fleet.deployments[name].active)
            metric = self._law.metric(name, now_s)
            scale = Scale(active, active, self._fleet.deployments[name].n_ready(now_s))
            result = desired_replicas(spec, scale, [metric], self._history[name], now_s)
            self._history[name] = result.history
            if result.replicas != active:
                self.events[name].append(ScalingEvent(now_s, active, result.replicas))
                self._fleet.scale(name, result.replicas)


async def play(setup: Setup, fleet: VirtualFleet, scaler: Scaler) -> Result:
    """Run a replay to its end under somebody's numbers."""
    return await play_by(setup, fleet, Landing(scaler))


async def play_by(setup: Setup, fleet: VirtualFleet, law: Law) -> Result:
    """Run a replay to its end under a law."""
    hpas = _Hpas(fleet, law)
    # The HPA's phase against the controller's is whatever it is on a real cluster: the seed's.
    phase_s = float(np.random.default_rng(setup.seed).uniform(0.0, HPA_SYNC_S))
    end_s = setup.replay.duration_s
    n_ticks, n_syncs = 0, 0
    while True:
        tick_s, sync_s = n_ticks * setup.tick.period_s, phase_s + n_syncs * HPA_SYNC_S
        at_s = min(tick_s, sync_s, max(fleet.next_change_s(), fleet.now_s), end_s)
        fleet.advance(at_s)
        if at_s >= end_s:
            break
        if at_s == tick_s:
            await law.tick(at_s)
            n_ticks += 1
        if at_s == sync_s:
            hpas.sync(at_s)
            n_syncs += 1
    spans = {name: fleet.spans_s(name, end_s) for name in fleet.targets}
    fleet.advance(end_s + DRAIN_S)
    hours = {name: score.gpu_hours(s, first_s=0.0, last_s=end_s) for name, s in spans.items()}
    answers = fleet.answers()
    return Result(
        answers=answers,
        attainment=score.attainment(setup.classes, answers),
        gpu_hours=sum(hours.values()),
        cost_usd=sum(
            h / t.n_accelerators * t.usd_per_hour
            for t, h in zip(setup.targets, hours.values(), strict=True)
        ),
        events={name: tuple(events) for name, events in hpas.events.items()},
        n_decisions=n_ticks,
    )


def new_fleet(setup: Setup, start: Mapping[str, int] | None = None) -> VirtualFleet:
    """The fleet of a setup, at its own or another start size."""
    return VirtualFleet(
        setup.classes, setup.targets, setup.replay, start=start or setup.start, seed=setup.seed
    )


def run(setup: Setup) -> tuple[Result, Published]:
    """Our controller over a setup."""
    fleet = new_fleet(setup)
    scaler = Published(fleet, setup)
    return asyncio.run(play(setup, fleet, scaler)), scaler
