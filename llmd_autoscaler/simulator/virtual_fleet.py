"""Instances in virtual time: pods of Deployments, the engines in them, and what a router would count."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.engine import fleet as fleets
from llmd_autoscaler.core.engine.compiled import as_float_row, as_int_row, int_row
from llmd_autoscaler.core.engine.state import (
    FIRST_AT,
    HEAD,
    ISL,
    LAST_AT,
    N_RECORD,
    N_RUNNING,
    TAIL,
    Fleet,
    Requests,
    column,
    install,
    new_fleet,
    new_requests,
)
from llmd_autoscaler.core.realised import BOUNDS, Outcomes
from llmd_autoscaler.core.routing import routing_table
from llmd_autoscaler.core.score import Answers, attained
from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.core.slo import QosClass, Timing, missed_bound
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.core.world import Route, TargetState
from llmd_autoscaler.simulator.deployment import Deployment, Instance, StartUp, ended, reconcile
from llmd_autoscaler.simulator.gauges import Gauges, gauges
from llmd_autoscaler.simulator.replay import Replay

# Rows beyond twice the limit of instances: those that drain while others start.
SPARE_ROWS = 8


@dataclass(slots=True)
class _Counted:
    """The router's counters so far."""

    snapshot: CountSnapshot
    outcomes: Outcomes
    n_arrived: int = 0
    pending: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class VirtualFleet:
    """Deployments whose pods are engines, serving a replay behind the compiled router."""

    def __init__(
        self,
        classes: Sequence[QosClass],
        targets: Sequence[TargetState],
        replay: Replay,
        *,
        start: Mapping[str, int],
        seed: int,
    ) -> None:
        self.classes = tuple(classes)
        self.targets = {target.name: target for target in targets}
        self.replay = replay
        self.now_s = 0.0
        self.n_refused = 0
        self.deployments = {
            t.name: Deployment(
                t.name, StartUp(t.lead.p50_s, t.lead.p90_s, seed=seed, n_warm=start[t.name])
            )
            for t in targets
        }
        n_rows = 2 * sum(max(t.max_instances, start[t.name]) for t in targets) + SPARE_ROWS
        # Rows are made for the profile with the most sequences: any of the others fits into one.
        widest = max((t.profile for t in targets), key=lambda profile: profile.max_num_seqs)
        self._fleet: Fleet = new_fleet([widest] * n_rows, now_s=0.0)
        self._requests: Requests = new_requests(len(replay.at_s))
        self._bins = np.minimum(np.searchsorted(EDGES_TOKENS, replay.isl), N_BINS - 1)
        self._squares = _squares(replay.at_s)
        self._traffic = self._rows_of(replay)
        self._free = list(range(n_rows - 1, -1, -1))
        self._row: dict[str, int] = {}  # instance -> engine
        # those that a Deployment has forgotten: a day of a nervous law makes thousands
        self._gone: dict[str, list[Instance]] = {name: [] for name in self.targets}
        self._target_of = int_row(n_rows)
        self._is_routable = int_row(n_rows)
        self._routing = routing_table(self.classes, list(self.targets), (), [])
        self._n_served = 0
        n_classes = len(self.classes)
        self._counted = _Counted(
            CountSnapshot.zero(n_classes), Outcomes(0.0, np.zeros((n_classes, len(BOUNDS))))
        )
        for name, n in start.items():
            self.scale(name, n)

    def _rows_of(self, replay: Replay) -> fleets.Traffic:
        """The replay as the compiled fleet takes it; the router knows a class's mean answer, no more."""
        means = [
            replay.osl[replay.class_of == c].mean() if (replay.class_of == c).any() else 1.0
            for c in range(len(self.classes))
        ]
        return fleets.Traffic(
            at=as_float_row(replay.at_s),
            class_of=as_int_row(replay.class_of),
            bin_of=as_int_row(self._bins),
            isl=as_int_row(replay.isl),
            osl=as_int_row(replay.osl),
            expected_osl=as_float_row(np.array(means)[replay.class_of]),
        )

    def scale(self, target: str, desired: int) -> None:
        """What the Deployment controller does when `/scale` says so."""
        done = reconcile(self.deployments[target], desired, self.now_s)
        self.deployments[target] = done.deployment
        self._settle()

    def route(self, routes: Sequence[Route]) -> None:
        """Send requests by other rules from now on."""
        self._routing = routing_table(self.classes, list(self.targets), routes, [])
        self._settle()

    def next_change_s(self) -> float:
        """When the next instance becomes ready; inf when none is starting."""
        starting = [
            i.ready_s for d in self.deployments.values() for i in d.active if i.ready_s > self.now_s
        ]
        return min(starting, default=math.inf)

    def advance(self, until_s: float) -> None:
        """Serve everything that arrives up to a time."""
        last = int(np.searchsorted(self.replay.at_s, until_s, side="right"))
        routing = self._routing._replace(target_of=self._target_of, is_routable=self._is_routable)
        if last > self._n_served:
            self.n_refused += fleets.serve(
                self._fleet, self._requests, self._traffic, routing, self._n_served, last
            )
            self._n_served = last
        fleets.advance_all(self._fleet, self._requests, until_s)
        self.now_s = until_s
        self._settle()

    def _settle(self) -> None:
        """Bring engines in line with pods: ready ones serve, drained ones that are empty go."""
        for g, name in enumerate(self.targets):
            for instance in self.deployments[name].instances:
                if instance.gone_s is None:
                    self._settle_instance(g, name, instance)
            self._forget(name)
            self._routing.n_routable[g] = self.deployments[name].n_ready(self.now_s)

    def _forget(self, name: str) -> None:
        """Take those that are gone out of a Deployment, as Kubernetes does."""
        deployment = self.deployments[name]
        gone = [instance for instance in deployment.instances if instance.gone_s is not None]
        if gone:
            self._gone[name] += gone
            left = tuple(instance for instance in deployment.instances if instance.gone_s is None)
            self.deployments[name] = replace(deployment, instances=left)

    def _settle_instance(self, g: int, name: str, instance: Instance) -> None:
        """One pod's engine: made when ready, out of routing when draining, given back when empty."""
        row = self._row.get(instance.name)
        if row is None and instance.is_ready(self.now_s):
            row = self._row[instance.name] = self._free.pop()
            install(self._fleet, row, self.targets[name].profile, now_s=self.now_s)
            self._target_of[row] = g
        if row is not None:
            self._is_routable[row] = int(instance.is_ready(self.now_s))
        if instance.draining_since_s is not None and (row is None or self._is_empty(row)):
            self.deployments[name] = ended(self.deployments[name], instance.name, self.now_s)
            if row is not None:
                self._free.append(self._row.pop(instance.name))

    def _is_empty(self, row: int) -> bool:
        """Whether an engine has nothing left to do."""
        n = self._fleet.ints[row]
        return bool(n[N_RUNNING] == 0 and n[TAIL] == n[HEAD])

    def states(self, desired: Mapping[str, int]) -> tuple[TargetState, ...]:
        """Every target as the controller sees it."""
        found = []
        for name, target in self.targets.items():
            deployment = self.deployments[name]
            n_ready = deployment.n_ready(self.now_s)
            draining = [
                i
                for i in deployment.instances
                if i.draining_since_s is not None and i.gone_s is None
            ]
            found.append(
                TargetState(
                    name=name,
                    accelerator=target.accelerator,
                    n_accelerators=target.n_accelerators,
                    usd_per_hour=target.usd_per_hour,
                    min_instances=target.min_instances,
                    max_instances=target.max_instances,
                    profile=target.profile,
                    lead=target.lead,
                    desired=desired.get(name, 0),
                    n_ready=n_ready,
                    n_starting=len(deployment.active) - n_ready,
                    n_draining=len(draining),
                )
            )
        return tuple(found)

    def gauges(self, target: str) -> list[Gauges]:
        """What the metrics pages of a target's ready instances show now; draining ones are scraped no more."""
        return [
            gauges(self._fleet, self._requests, self._row[instance.name])
            for instance in self.deployments[target].active
            if instance.is_ready(self.now_s)
        ]

    def recent(self, first: int) -> Answers:
        """The requests from a number on that have arrived by now, and what became of them so far."""
        last = self._n_served
        rows = slice(first * N_RECORD, last * N_RECORD)
        first_s, last_s = (column(self._requests[rows], field) for field in (FIRST_AT, LAST_AT))
        return Answers(
            at_s=self.replay.at_s[first:last],
            class_of=self.replay.class_of[first:last],
            isl=self.replay.isl[first:last],
            osl=self.replay.osl[first:last],
            # the engine knows the end of a step before the clock gets there
            first_s=np.where(first_s <= self.now_s, first_s, math.inf),
            last_s=np.where(last_s <= self.now_s, last_s, math.inf),
        )

    def answers(self) -> Answers:
        """Every request of the replay and what became of it so far."""
        return Answers(
            at_s=self.replay.at_s,
            class_of=self.replay.class_of,
            isl=self.replay.isl,
            osl=self.replay.osl,
            first_s=column(self._requests, FIRST_AT),
            last_s=column(self._requests, LAST_AT),
        )

    def spans_s(self, target: str, until_s: float) -> list[tuple[float, float, int]]:
        """(creation, deletion, accelerators) of every instance that a target ever had."""
        n = self.targets[target].n_accelerators
        ever = [*self._gone[target], *self.deployments[target].instances]
        # in the order of creation, so that a sum over them never depends on who went first
        ever.sort(key=lambda i: int(i.name.rpartition("-")[2]))
        return [(i.created_s, until_s if i.gone_s is None else i.gone_s, n) for i in ever]

    def counts(self) -> tuple[CountSnapshot, Outcomes]:
        """What a router would have counted by now."""
        counted = self._counted
        new = np.arange(counted.n_arrived, self._n_served)
        waiting = np.concatenate([counted.pending, new])
        last_s = column(self._requests, LAST_AT)[waiting]
        # The record of a request that no instance took was never written.
        is_refused = column(self._requests, ISL)[waiting] == 0.0
        done, refused = waiting[last_s <= self.now_s], waiting[is_refused]
        outcomes = counted.outcomes.counts + self._new_outcomes(done)
        np.add.at(outcomes[:, BOUNDS.index("failed")], self.replay.class_of[refused], 1.0)
        self._counted = _Counted(
            snapshot=counted.snapshot.plus(self._new_counts(new, done)),
            outcomes=Outcomes(0.0, outcomes),
            n_arrived=self._n_served,
            pending=waiting[(last_s > self.now_s) & ~is_refused],
        )
        return self._counted.snapshot, self._counted.outcomes

    def true_counts(self) -> CountSnapshot:
        """The counters that the whole replay will have made: for those who know the future."""
        everything = np.arange(len(self.replay.at_s))
        return self._new_counts(everything, everything)

    def _new_counts(self, arrived: NDArray[np.int64], done: NDArray[np.int64]) -> CountSnapshot:
        """The counters of some arrivals and completions alone."""
        replay, zero = self.replay, CountSnapshot.zero(len(self.classes))
        arrivals, arrival_isl = zero.arrivals.copy(), zero.arrivals.copy()
        at = (replay.class_of[arrived], self._bins[arrived])
        np.add.at(arrivals, at, 1.0)
        np.add.at(arrival_isl, at, replay.isl[arrived].astype(np.float64))
        completions, isl, osl = (
            zero.completions.copy(),
            zero.completions.copy(),
            zero.completions.copy(),
        )
        osl_bins = np.minimum(np.searchsorted(EDGES_TOKENS, replay.osl[done]), N_BINS - 1)
        cell = (replay.class_of[done], self._bins[done], osl_bins)
        np.add.at(completions, cell, 1.0)
        np.add.at(isl, cell, replay.isl[done].astype(np.float64))
        np.add.at(osl, cell, replay.osl[done].astype(np.float64))
        squared = float(self._squares[arrived].sum())
        cells = (arrivals, arrival_isl, completions, isl, osl, zero.hit_tokens)
        return CountSnapshot(0.0, *cells, arrivals_squared=squared)

    def _new_outcomes(self, done: NDArray[np.int64]) -> NDArray[np.float64]:
        """(class, bound) what became of some completed requests."""
        counts = np.zeros((len(self.classes), len(BOUNDS)))
        if len(done) == 0:
            return counts
        answers = self.answers()
        chosen = Answers(
            *(
                getattr(answers, name)[done]
                for name in ("at_s", "class_of", "isl", "osl", "first_s", "last_s")
            )
        )
        flags = attained(self.classes, chosen)
        np.add.at(counts[:, 0], chosen.class_of[flags], 1.0)
        for r in np.flatnonzero(~flags):
            c = int(chosen.class_of[r])
            timing = Timing(
                float(chosen.at_s[r]),
                float(chosen.first_s[r]),
                float(chosen.last_s[r]),
                int(chosen.isl[r]),
                int(chosen.osl[r]),
            )
            counts[c, BOUNDS.index(missed_bound(self.classes[c].bounds, timing))] += 1.0
        return counts


def _squares(at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """(request,) what each adds to the square of the arrivals of its second: 1, 3, 5 and so on."""
    second = np.floor(at_s)
    nth = np.arange(len(at_s)) - np.searchsorted(second, second, side="left")
    return np.asarray(2 * nth + 1)
