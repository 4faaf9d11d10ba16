"""The whole system under steady traffic, its account, and what a test does to its parts."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import aiohttp
import numpy as np

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import DEPLOYMENTS, HPAS, VARIANT_AUTOSCALINGS, Resource
from llmd_autoscaler.local.client import LoadGenerator
from llmd_autoscaler.local.cluster import connected
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.fleet import HOST, Fleet
from llmd_autoscaler.local.history import History, Objects
from llmd_autoscaler.local.ledger import State
from llmd_autoscaler.local.ports import next_free_port
from llmd_autoscaler.local.processes import Children, Program
from llmd_autoscaler.local.workload import APP
from llmd_autoscaler.simulator.pod_status import serves
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.translate.blueprint import Blueprint
from tests.faults.account import Account
from tests.faults.controller_process import PERIOD_S
from tests.faults.recorder import recorded
from tests.local.system import System, mirrored, until

SPEED = 15.0
NOW_S = 1_700_000_000.0
TARGET = "llama-70b-a100"
CONTROLLER = "tests.faults.controller_process"
N_INSTANCES, MIN_INSTANCES, MAX_INSTANCES = 3, 2, 6
# Load 2.2 of 3 instances, 2.5 with the forecast's errors: a stall of the machine makes neither 2 nor 4 of it.
QPS, ISL, OSL = 5.0, 1500, 150
LONGEST_S = 4000.0
DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()


class ObservedFleet(Fleet):
    """Processes whose adapter is reached through a recorder, and whose controller has a clock to step."""

    recorder_port = 0

    def url(self, name: str) -> str:
        """Where a process answers: the adapter, for everybody, behind the recorder."""
        return f"http://{HOST}:{self.recorder_port}" if name == "adapter" else super().url(name)

    @property
    def adapter_url(self) -> str:
        """Where the adapter itself answers."""
        return super().url("adapter")

    @property
    def offset_file(self) -> Path:
        """By how many seconds the controller's clock is off."""
        return self.folder / "clock-offset"

    def _program(
        self, name: str, command: str, flags: dict[str, str], **options: object
    ) -> Program:
        program = super()._program(name, command, flags, **options)
        if name != "controller":
            return program
        words = ("-m", CONTROLLER, *program.command[3:], "--offset-file", str(self.offset_file))
        return dataclasses.replace(program, command=words)


@dataclass
class Stage:
    """The running system."""

    system: System
    account: Account
    clients: LoadGenerator
    recoveries: dict[str, float] = field(default_factory=dict)
    """Ticks from the end of each fault to a closed loop."""

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return self.system.fleet.clock.now_s()

    def process_id(self, name: str) -> int:
        """Of a process of the fleet, as it lives now."""
        return int((self.system.fleet.folder / f"{name}.pid").read_text())

    def tell(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process of the fleet."""
        os.kill(self.process_id(name), number)

    @contextlib.contextmanager
    def stopped(self, number: int):
        """A process that stands still while the context lasts."""
        os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(number, signal.SIGCONT)

    def step_clock(self, by_s: float) -> None:
        """Put the controller's clock off by so much."""
        file = self.system.fleet.offset_file
        fresh = file.with_suffix(".new")
        fresh.write_text(str(by_s))
        fresh.replace(file)

    @contextlib.asynccontextmanager
    async def held_at(self, n: int):
        """An operator's own number, against all metrics, while the context lasts."""
        began_s = self.now_s
        await self.system.hold_at(n)
        try:
            yield
        finally:
            namespace = self.system.fleet.blueprint.namespace
            limits = {"minReplicas": MIN_INSTANCES, "maxReplicas": MAX_INSTANCES}
            await self.system.kube.merge(HPAS, namespace, TARGET, {"spec": limits})
            # the HPA goes back to the published number in its next period
            await until(lambda: self.replicas == self.account.statuses[-1].number)
            self.account.by_hand_s.append((began_s, self.now_s))

    async def wait_s(self, simulated_s: float) -> None:
        """Let simulated time pass: the length of a fault, not a guess of when something is done."""
        await asyncio.sleep(self.system.fleet.clock.wall_until_s(self.now_s + simulated_s))

    @property
    def replicas(self) -> int:
        """What the HPA has set."""
        return self.account.scales[-1].after

    def ready(self) -> dict[str, str]:
        """Addresses of the pods that serve."""
        return self.system.addresses(serves)

    @property
    def failures(self) -> Counter[str]:
        """Requests that failed so far, by reason."""
        return self.clients.ledger.failures.copy()

    def is_healthy(self) -> bool:
        """Whether the loop is closed: decided on traffic, read by the HPA, and served by as many pods."""
        now_s, lines, reads = self.now_s, self.account.lines(), self.account.reads
        if not lines or not reads:
            return False
        last, read = lines[-1], reads[-1]
        is_fresh = min(last.at_s, read.asked_s) >= now_s - 3 * PERIOD_S
        numbers = {
            last.number,
            self.account.statuses[-1].number,
            self.replicas,
            len(self.ready()),
            len(self.system.addresses()),
        }
        is_closed = numbers == {N_INSTANCES} and read.value == str(N_INSTANCES)
        return is_fresh and last.is_judged and is_closed

    def is_healthy_since(self, since_s: float) -> bool:
        """Whether the loop has been through once more since a moment, and is closed."""
        was_decided = any(line.is_judged for line in self.account.lines(since_s))
        was_read = any(read.value for read in self.account.reads_since(since_s))
        return was_decided and was_read and self.is_healthy()

    async def recovery(self, fault: str) -> float:
        """Wait for the closed loop; returns how many ticks' time that took, and notes it for the report."""
        began_s = self.now_s
        await until(lambda: self.is_healthy_since(began_s))
        ticks = (self.now_s - began_s) / PERIOD_S
        self.recoveries[fault] = ticks
        return ticks

    def numbers_since(self, since_s: float) -> set[int]:
        """What was decided since a moment."""
        return {line.number for line in self.account.lines(since_s)}


def steady(n: int) -> Replay:
    """Equal requests at equal distances, of the two classes in turn."""
    return Replay(
        at_s=np.arange(n) / QPS,
        isl=np.full(n, ISL, dtype=np.int64),
        osl=np.full(n, OSL, dtype=np.int64),
        class_of=np.arange(n, dtype=np.int64) % 2,
    )


def _blueprint(folder: Path) -> Blueprint:
    """The default between two and six instances; a new one starts within ten seconds."""
    folder.mkdir()
    written = DEFAULT.replace("minReplicas: 3", f"minReplicas: {MIN_INSTANCES}")
    written = written.replace("maxReplicas: 10", f"maxReplicas: {MAX_INSTANCES}")
    (folder / "default.yaml").write_text(written)
    blueprint = load_config(folder)
    (target,) = blueprint.targets
    lead = dataclasses.replace(target.state.lead, p50_s=10.0, p90_s=10.0)
    state = dataclasses.replace(target.state, lead=lead)
    return dataclasses.replace(blueprint, targets=(dataclasses.replace(target, state=state),))


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """All processes under steady traffic while the context lasts, from the first healthy moment on."""
    clock = Clock.starting_at(NOW_S, SPEED)
    blueprint = _blueprint(folder / "config")
    fleet = ObservedFleet(blueprint, clock, seed=1, start={TARGET: N_INSTANCES}, folder=folder)
    fleet.recorder_port = next_free_port(HOST, 8200, taken=fleet.ports.values())
    fleet.offset_file.write_text("0")
    account = Account(TARGET, folder / "controller.log", settle_s=SPEED)
    history = History(APP, journal=folder / "statuses.jsonl")
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(recorded(account, fleet.adapter_url, fleet.recorder_port, clock))
        children = await enter(Children(folder))
        await fleet.start_cluster(children)
        cluster = await enter(connected(fleet.url("cluster"), blueprint.namespace))
        await fleet.declare(cluster)
        await enter(cluster.recorded(history, clock))
        kube = await enter(await Kube.connect(fleet.url("cluster")))
        following = _following(kube, blueprint.namespace, clock)
        await enter(following(VARIANT_AUTOSCALINGS, account.see_variants))
        await enter(following(DEPLOYMENTS, account.see_deployments))
        pods = await enter(mirrored(kube, blueprint.namespace))
        await fleet.start_traffic_path(children, history)
        session = await enter(aiohttp.ClientSession(trust_env=False))
        system = System(fleet, kube, pods, session)
        clients = system.clients(steady(int(LONGEST_S * QPS)), "steady")
        await enter(_running(clients))
        it = Stage(system, account, clients)
        await until(it.is_healthy)
        yield it


def _following(kube: Kube, namespace: str, clock: Clock):
    """Opens followed collections: each change is told as it comes, with the time."""

    @contextlib.asynccontextmanager
    async def follow(resource: Resource, see: Callable[[Objects, float], None]):
        def changed() -> None:
            see(mirror.objects, clock.now_s())

        mirror = Mirror(kube, resource, namespace, on_change=changed)
        running = asyncio.create_task(mirror.run())
        try:
            await mirror.synced.wait()
            yield mirror
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return follow


@contextlib.asynccontextmanager
async def _running(clients: LoadGenerator):
    traffic = asyncio.create_task(clients.run(asyncio.Event()))
    try:
        yield
    finally:
        traffic.cancel()
        await asyncio.gather(traffic, return_exceptions=True)


def n_answered(it: Stage) -> int:
    """Requests answered in full so far."""
    return it.clients.ledger.count(State.ANSWERED)
