"""A run with real processes: traffic, router, servers, decision, metric, HPA, instances, on one clock."""

import asyncio
import contextlib
import gc
import signal
import time
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core import score
from llmd_autoscaler.local.client import Asker, LoadGenerator
from llmd_autoscaler.local.cluster import Cluster, connected
from llmd_autoscaler.local.crosscheck import differences
from llmd_autoscaler.local.fleet import Fleet
from llmd_autoscaler.local.hindsight import Hindsight
from llmd_autoscaler.local.history import History
from llmd_autoscaler.local.lag import LagMeter
from llmd_autoscaler.local.ledger import Ledger, State
from llmd_autoscaler.local.page import save_page
from llmd_autoscaler.local.processes import Children
from llmd_autoscaler.local.progress import Screen
from llmd_autoscaler.local.record import STATUSES, write_requests
from llmd_autoscaler.local.report import Pace, Report, Usage
from llmd_autoscaler.local.table import minutes, percent
from llmd_autoscaler.local.workload import APP
from llmd_autoscaler.simulator.virtual import Setup
from llmd_autoscaler.translate.blueprint import Blueprint

_PATIENCE_WALL_S = 15.0  # after Ctrl-C, for open requests
_LEAD_WALL_S = 0.5  # between the first decision and the first request
# What the controller writes once a model and tick.
_DECIDED = b"tick_decided"


@dataclass(frozen=True, slots=True)
class _Stop:
    """What Ctrl-C (or SIGTERM) asks for: the first time an orderly end, the second time an end now."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    insisted: asyncio.Event = field(default_factory=asyncio.Event)

    def signal(self) -> None:
        """Once more."""
        (self.insisted if self.asked.is_set() else self.asked).set()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to the process's signals while the context lasts."""
        loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.signal)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


@dataclass(slots=True)
class LiveRun:
    """One run under way."""

    blueprint: Blueprint
    setup: Setup
    speed: float
    folder: Path
    screen: Screen
    began_wall: float
    """time.perf_counter() at the start of the command."""
    page_file: Path | None = None
    """Where the page is kept when the run is over."""
    ledger: Ledger = field(init=False)
    history: History = field(init=False)
    lag: LagMeter = field(default_factory=LagMeter)
    clock: Clock = field(init=False)
    start_s: float = 0.0
    _stop: _Stop = field(default_factory=_Stop)
    _clock_began_wall: float = field(default_factory=time.perf_counter)
    _differences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Start the clock of the simulation, at the date that it is."""
        self.ledger = Ledger(self.setup.replay)
        self.history = History(APP, journal=self.folder / STATUSES)
        self.clock = Clock.starting_at(Clock().now_s(), self.speed)

    async def run(self) -> None:
        """From the first process to the last answer, or to Ctrl-C.

        Raises: ConfigError, ObservationError: a process does not start, or the cluster died.
        """
        fleet = Fleet(self.blueprint, self.clock, self.setup.seed, self.setup.start, self.folder)
        with self._stop.on_signals():
            async with Children(self.folder) as children:
                await _until_first(
                    self._work(fleet, children),
                    children.until_one_fails(),
                    self._until_told_to_end(),
                )

    def report(self, hindsight: Hindsight) -> Report:
        """What it came to, as far as it came."""
        answers = self.ledger.answers()
        simulated_s = float(answers.at_s[-1] - answers.at_s[0]) if len(answers.at_s) else 0.0
        return Report(
            classes=self.setup.classes,
            answers=answers,
            usage=self._usage(answers),
            pace=Pace(
                simulated_s=simulated_s,
                wall_s=time.perf_counter() - self.began_wall,
                first_decision_s=self._first_decision_wall_s(),
                lag_p99_s=self.lag.p99_s() * self.speed,
            ),
            # bounds of the whole replay say nothing about a part of it
            hindsight=hindsight if self.ledger.is_complete else Hindsight(),
            failures=self.ledger.failures,
            differences=self._differences,
        )

    def write_record(self) -> None:
        """The requests and what became of them, beside the logs and statuses that the folder has."""
        names = [qos.name for qos in self.setup.classes]
        write_requests(self.folder, self.ledger.answers(), names, self.ledger.reasons())

    async def _until_told_to_end(self) -> None:
        """Ctrl-C, and the end of what is open then: without it the last requests would count as misses."""
        await self._stop.asked.wait()
        n_open = self.ledger.count(State.OPEN)
        self.screen.show(f"waiting for {n_open:,} open requests (Ctrl-C again abandons them) ...")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_WALL_S if n_open else 0.0):
                await self._stop.insisted.wait()

    async def _work(self, fleet: Fleet, children: Children) -> None:
        self.screen.show("starting the cluster ...")
        await fleet.start_cluster(children)
        async with connected(fleet.url("cluster"), self.blueprint.namespace) as cluster:
            await fleet.declare(cluster)
            await self._serve(fleet, children, cluster)

    async def _serve(self, fleet: Fleet, children: Children, cluster: Cluster) -> None:
        async with cluster.recorded(self.history, self.clock):
            self.screen.show(
                f"starting {sum(self.setup.start.values())} servers, router and controller ..."
            )
            await fleet.start_traffic_path(children, self.history)
            await fleet.start_page(children)
            self.screen.say(f"watch it at {fleet.url('page')}")
            self.screen.say(
                f"router {fleet.url('router')} · API server {fleet.url('cluster')} "
                f"(llmd-autoscaler status --api {fleet.url('cluster')} --clock {self.clock.flag()})"
            )
            self.start_s = self.clock.now_s() + _LEAD_WALL_S * self.speed
            asker = Asker(
                url=f"{fleet.url('router')}/v1/completions",
                model=self.blueprint.model,
                classes=self.blueprint.classes,
                run_id=uuid.uuid4().hex[:8],
            )
            generator = LoadGenerator(
                asker, self.setup.replay, self.clock, self.start_s, self.ledger
            )
            gc.collect()
            gc.freeze()  # what lives now lives to the end: a collection that walks it would look like latency
            beside = [
                asyncio.create_task(self.lag.run()),
                asyncio.create_task(self.screen.follow(self._line)),
            ]
            try:
                await generator.run(self._stop.asked)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
            self._differences = differences(
                await fleet.router_page(),
                self.blueprint.model,
                self.setup.classes,
                self.ledger.answers(),
            )
            if self.page_file is not None:
                await save_page(fleet.url("page"), self.page_file)

    def _line(self) -> str:
        """The state of the run in one line."""
        ended = self.ledger.answers(ended_only=True)
        fracs = score.attainment(self.setup.classes, ended)
        shares = "  ".join(
            f"{qos.name} {percent(frac)}"
            for qos, frac in zip(self.setup.classes, fracs, strict=True)
            if not np.isnan(frac)
        )
        now_s = min(self.clock.now_s() - self.start_s, self.setup.replay.duration_s)
        desired, n_failed = sum(self.history.desired.values()), self.ledger.count(State.FAILED)
        failed = f" ({n_failed:,} failed)" if n_failed else ""
        return (
            f"{minutes(now_s)}/{minutes(self.setup.replay.duration_s)}  {self.ledger.n_arrived:,} requests{failed}  "
            f"{shares}  instances {self.history.n_ready} ready, {desired} desired  ${self._cost_usd(now_s)[1]:.2f}"
        )

    def _usage(self, answers: score.Answers) -> Usage:
        end_s = float(answers.at_s[-1]) if len(answers.at_s) else 0.0
        hours, cost_usd = self._cost_usd(end_s)
        events = [
            [event for event in of_target if event.at_s - self.start_s <= end_s]
            for of_target in self.history.events.values()
        ]
        return Usage(
            gpu_hours=hours,
            cost_usd=cost_usd,
            n_decisions=self._n_decisions(),
            n_events=sum(len(of_target) for of_target in events),
            n_reversals=sum(score.reversals(of_target) for of_target in events),
        )

    def _cost_usd(self, until_s: float) -> tuple[float, float]:
        """(GPU-hours, cost) from the first request to a time of the replay."""
        hours, cost_usd = 0.0, 0.0
        for target in self.blueprint.targets:
            spans = self.history.spans(target.deployment, target.state.n_accelerators)
            end_s = self.start_s + until_s
            of_target = score.gpu_hours(spans, first_s=self.start_s, last_s=end_s)
            hours += of_target
            cost_usd += of_target / target.state.n_accelerators * target.state.usd_per_hour
        return hours, cost_usd

    def _n_decisions(self) -> int:
        log = self.folder / "controller.log"
        if not log.exists():
            return 0
        with log.open("rb") as lines:
            return sum(_DECIDED in line for line in lines)

    def _first_decision_wall_s(self) -> float | None:
        """Wall seconds from the start of the command to the first decision in a status."""
        if self.history.first_decision_s is None:
            return None
        since_clock_s = (self.history.first_decision_s - self.clock.sim_s) / self.speed
        return self._clock_began_wall - self.began_wall + since_clock_s


async def _until_first(*coroutines: Coroutine[None, None, None]) -> None:
    """Let all go on until one is done or fails; the others are cancelled."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
