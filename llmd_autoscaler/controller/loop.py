"""The tick: observe, count, decide, publish; one named and timed step after another."""

import asyncio
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmd_autoscaler.controller.ports import (
    Cluster,
    ClusterView,
    MetricsSource,
    ModelCounts,
    ModelKey,
    ModelView,
    Publication,
)
from llmd_autoscaler.controller.sleep import Rest, floored
from llmd_autoscaler.core.decide import decide
from llmd_autoscaler.core.realised import OutcomeMemory
from llmd_autoscaler.core.world import Decision, Memory, Policy, World
from llmd_autoscaler.settings import TickSettings

# Models that may have their capacity tabulated in one tick, about 0.15 s each on one core. A model without
# a table has no number of its own, so a start takes its time; one whose mix has moved can wait for its turn.
FIRST_TABULATED_PER_TICK = 16
AGAIN_TABULATED_PER_TICK = 1
# A route that moved by less than this is not written for itself.
ROUTE_STEP_FRAC = 0.05


class Recorder(Protocol):
    """Who is told what a tick did: metrics and logs, or a simulation's notes."""

    def step(self, name: str, took_s: float) -> None:
        """A step of the loop is over."""
        ...

    def decided(self, publication: Publication, took_s: float) -> None:
        """A model was decided."""
        ...

    def failed(self, step: str, message: str) -> None:
        """A step, or one model in it, failed; the others go on."""
        ...


@dataclass(slots=True)
class _Model:
    """What the loop keeps of one model."""

    memory: Memory
    outcomes: OutcomeMemory
    classes: tuple[str, ...]
    rest: Rest
    published: Publication | None = None


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick did."""

    n_models: int
    n_decided: int
    n_written: int


class Loop:
    """The controller's memory and its tick. Knows no Kubernetes and no HTTP; time is handed in."""

    def __init__(
        self,
        cluster: Cluster,
        source: MetricsSource,
        recorder: Recorder,
        *,
        settings: TickSettings,
        policy: Policy,
        reign: int = 0,
    ) -> None:
        """A loop that has seen nothing yet.

        Args:
            cluster: where resources and pods live.
            source: who counted the traffic.
            recorder: who is told what a tick did.
            settings: how often and how long.
            policy: how to decide.
            reign: number of the leader's reign; 0 where nobody is elected.
        """
        self._cluster = cluster
        self._source = source
        self._recorder = recorder
        self._settings = settings
        self._policy = policy
        self._models: dict[ModelKey, _Model] = {}
        # a window holds the recommendations of one tick less than it is long
        self._quiet_s = policy.scale_in_window_s - settings.period_s
        self._reign = reign
        self._epoch = 0
        self._counter = 0
        self._n_first, self._n_again = 0, 0  # tabulated in this tick
        self._last_tabulated: ModelKey | None = None

    @property
    def epoch(self) -> int:
        """The epoch of our decisions; 0 before the first."""
        return self._epoch

    async def tick(self, *, now_s: float) -> TickReport:
        """One look at the world and what follows from it.

        Raises: ObservationError: the cluster could not be read, or not all statuses written.
        """
        started = time.perf_counter()
        view = await self._cluster.observe(now_s=now_s)
        started = self._step("observe", started)
        counts = await self._source.counts(view, now_s=now_s)
        started = self._step("scrape", started)
        self._take_epoch(view)
        publications = await self._decide_all(view, counts, now_s)
        started = self._step("decide", started)
        due = [p for p in publications if self._is_due(p, now_s)]
        await self._cluster.publish(due, now_s=now_s)
        for publication in due:
            self._models[publication.view.key].published = publication
        self._step("publish", started)
        return TickReport(len(view.models), len(publications), len(due))

    def clock_stepped(self) -> None:
        """The clock was put forward or back: what it showed until now says nothing about rates.

        Every model watches anew before it takes anything away, and writes when its decision ends now.
        """
        for model in self._models.values():
            traffic = model.memory.traffic.after_gap()
            model.memory = dataclasses.replace(model.memory, traffic=traffic)
            model.published = None

    def _step(self, name: str, started: float) -> float:
        """Report a step's time; returns the start of the next."""
        now = time.perf_counter()
        self._recorder.step(name, now - started)
        return now

    def _take_epoch(self, view: ClusterView) -> None:
        """The epoch is fixed when leadership is gained: above every one that any status holds.

        A model that appears later may bring a higher one, from a cluster it was moved from: ours rises.
        """
        stored = max((model.stored_epoch for model in view.models), default=-1)
        if stored >= 0 and (self._epoch == 0 or stored > self._epoch):
            self._epoch = max(self._reign, stored + 1)

    async def _decide_all(
        self, view: ClusterView, counts: Mapping[ModelKey, ModelCounts], now_s: float
    ) -> Sequence[Publication]:
        """Every model's decision; one that fails keeps its last and never stops the others."""
        publications = []
        self._n_first, self._n_again = 0, 0
        for model in self._in_turn(view.models):
            if not model.targets:
                continue
            # a thousand models take seconds: the lease, the watches and the probes go on between two of them
            await asyncio.sleep(0)
            started = time.perf_counter()
            try:
                publication = self._decide(model, counts.get(model.key), now_s)
            except Exception as error:  # noqa: BLE001 (a broken model never stops the others)
                what = (
                    f"{model.key.namespace}/{model.key.model_id}: {type(error).__name__}: {error}"
                )
                self._recorder.failed("decide", what)
                continue
            self._recorder.decided(publication, time.perf_counter() - started)
            publications.append(publication)
        return publications

    def _in_turn(self, models: Sequence[ModelView]) -> Iterator[ModelView]:
        """All models, those behind the last that was tabulated first: the others have had their turn."""
        keys = [model.key for model in models]
        first = keys.index(self._last_tabulated) + 1 if self._last_tabulated in keys else 0
        yield from models[first:]
        yield from models[:first]

    def _decide(self, view: ModelView, counts: ModelCounts | None, now_s: float) -> Publication:
        """One model's decision from what was seen of it."""
        counts = counts or ModelCounts("none", {})
        names = tuple(qos.name for qos in view.classes)
        model = self._models.get(view.key)
        if model is not None and model.classes != names:
            model = None  # what it remembers is counted by classes that are no more
        known = model.memory.tables if model is not None else {}
        outcomes = model.outcomes if model is not None else OutcomeMemory({})
        outcomes = outcomes.observe(counts.outcomes, now_s=now_s)
        rest = model.rest if model is not None else Rest.fresh(view, now_s=now_s)
        rest = rest.observe(counts, now_s=now_s)
        world = World(
            now_s=now_s,
            model_id=view.key.model_id,
            classes=view.classes,
            targets=floored(view, rest, now_s=now_s, window_s=self._quiet_s),
            counts=counts.traffic,
            stock=view.stock,
            reaction_s=2.0 * self._settings.period_s,
            may_tabulate=self._n_again < AGAIN_TABULATED_PER_TICK
            if known
            else self._n_first < FIRST_TABULATED_PER_TICK,
            realised=outcomes.window(),
        )
        if model is None:
            model = self._models[view.key] = _Model(Memory.fresh(world), outcomes, names, rest)
        model.outcomes, model.rest = outcomes, rest
        decision, model.memory = decide(world, model.memory, self._policy)
        if any(known.get(k) is not entry for k, entry in model.memory.tables.items()):
            self._last_tabulated = view.key
            self._n_again += bool(known)
            self._n_first += not known
        self._counter += 1
        return Publication(
            view=view,
            decision=decision,
            decision_id=f"{self._epoch}-{self._counter}",
            decided_at_s=now_s,
            valid_until_s=now_s + self._settings.valid_s,
            source=counts.source,
            realised=world.realised,
            unreachable=counts.unreachable,
        )

    def _is_due(self, publication: Publication, now_s: float) -> bool:
        """Whether a status is written: something changed that matters, or its validity runs out."""
        last = self._models[publication.view.key].published
        if last is None or last.valid_until_s - now_s <= self._settings.renew_at_s:
            return True
        if publication.view.is_overwritten or _silent(last) != _silent(publication):
            return True
        if (
            last.view.troubles != publication.view.troubles
            or last.view.said != publication.view.said
            or last.view.classes != publication.view.classes
        ):
            return True
        return _differs(
            last.decision, publication.decision, self._settings.load_step_frac
        ) or _shown(last) != _shown(publication)


def _silent(publication: Publication) -> frozenset[str]:
    """Names of the pods and routers that did not answer: a condition says so."""
    return frozenset(each.partition(": ")[0] for each in publication.unreachable)


def _shown(publication: Publication) -> tuple[tuple[object, ...], ...]:
    """What stands in the statuses of the targets beside the decision, and people or routers watch."""
    return tuple(
        (each.n_ready, each.min_instances, each.max_instances, each.is_paused, each.profile)
        for each in publication.view.targets
    )


def _differs(before: Decision, after: Decision, load_step_frac: float) -> bool:
    """Whether two decisions differ in what others act on."""
    if [(t.name, t.desired, t.tier_s) for t in before.targets] != [
        (t.name, t.desired, t.tier_s) for t in after.targets
    ]:
        return True
    if [i.class_name for i in before.infeasible] != [i.class_name for i in after.infeasible]:
        return True
    if any(
        abs(a.load - b.load) > load_step_frac * max(b.load, 1e-9)
        for b, a in zip(before.targets, after.targets, strict=True)
    ):
        return True
    return _routes_moved(before, after)


def _routes_moved(before: Decision, after: Decision) -> bool:
    """Whether any class goes elsewhere, or by other fractions."""
    if [(r.class_name, r.isl_up_to, sorted(r.fractions)) for r in before.routes] != [
        (r.class_name, r.isl_up_to, sorted(r.fractions)) for r in after.routes
    ]:
        return True
    return any(
        abs(a.fractions[name] - b.fractions[name]) > ROUTE_STEP_FRAC
        for b, a in zip(before.routes, after.routes, strict=True)
        for name in b.fractions
    )
