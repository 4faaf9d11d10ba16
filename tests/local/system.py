"""The whole system as processes on loopback, small enough for a test, and what each side of it has counted."""

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.engines.exposition import samples_by_name
from llmd_autoscaler.engines.vllm import read_page
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import HPAS, PODS
from llmd_autoscaler.local.client import Asker, LoadGenerator
from llmd_autoscaler.local.cluster import connected
from llmd_autoscaler.local.fleet import Fleet
from llmd_autoscaler.local.history import History
from llmd_autoscaler.local.ledger import Ledger
from llmd_autoscaler.local.processes import Children
from llmd_autoscaler.local.workload import APP
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.translate.blueprint import Blueprint
from llmd_autoscaler.translate.json_object import text

SPEED = 10.0
NOW_S = 1_700_000_000.0
_POLL_S = 0.02
_PATIENCE_S = 60.0


@dataclass
class Served:
    """What one server says of the requests that it has taken."""

    n_done: int
    """Answered to the last token."""
    n_open: int
    n_prompt_tokens: int
    """Of all whose first token is out."""


@dataclass
class System:
    """The processes of a run, seen from outside."""

    fleet: Fleet
    kube: Kube
    pods: Mirror
    session: aiohttp.ClientSession

    def clients(self, replay: Replay, run_id: str) -> LoadGenerator:
        """Clients whose first request is due now."""
        blueprint = self.fleet.blueprint
        asker = Asker(
            url=f"{self.fleet.url('router')}/v1/completions",
            model=blueprint.model,
            classes=blueprint.classes,
            run_id=run_id,
        )
        clock = self.fleet.clock
        return LoadGenerator(asker, replay, clock, clock.now_s(), Ledger(replay))

    async def hold_at(self, n: int) -> None:
        """An operator's word to the HPA of the only target: n instances, whatever the metric says."""
        (target,) = self.fleet.blueprint.targets
        limits: dict[str, object] = {"spec": {"minReplicas": n, "maxReplicas": n}}
        await self.kube.merge(HPAS, self.fleet.blueprint.namespace, target.deployment, limits)

    def addresses(self, claim: Callable[[Json], bool] = bool) -> dict[str, str]:
        """By name, of the pods of which a claim is true."""
        return {
            text(pod, "metadata", "name"): text(pod, "status", "podIP")
            for pod in self.pods.objects.values()
            if claim(pod)
        }

    async def counters(self, *names: str) -> dict[str, dict[tuple[str, ...], int]]:
        """Series of the router by the values of their labels; empty where it never counted any."""
        page = await self._page(self.fleet.url("router"))
        wanted = {f"llmd_router_{name}": name for name in names}
        found: dict[str, dict[tuple[str, ...], int]] = {name: {} for name in names}
        for series, samples in samples_by_name(page, wanted.keys()).items():
            found[wanted[series]] = {tuple(s.labels.values()): int(s.value) for s in samples}
        return found

    async def n_in_flight(self, pod: str) -> int:
        """What the router has under way at a pod; -1 where it does not send there."""
        counted = (await self.counters("in_flight"))["in_flight"]
        return next((n for labels, n in counted.items() if labels[-1] == pod), -1)

    async def has_in_flight(self, pod: str, n: int) -> bool:
        """Whether that is n or more."""
        return await self.n_in_flight(pod) >= n

    async def served(self, address: str) -> Served:
        """What a server says of itself."""
        page = read_page(await self._page(f"http://{address}:8000"))
        by_reason = page.success_by_reason or {}
        return Served(
            n_done=int(by_reason.get("length", 0)),
            n_open=int((page.n_running or 0) + (page.n_waiting or 0)),
            n_prompt_tokens=int(page.prompt_tokens or 0),
        )

    def process_id(self, address: str) -> int:
        """The process of the server at an address: a child of the cluster's."""
        cluster = int((self.fleet.folder / "cluster.pid").read_text())
        children = Path(f"/proc/{cluster}/task/{cluster}/children").read_text().split()
        command = address.encode()
        return next(
            int(child)
            for child in children
            if command in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        )

    async def _page(self, url: str) -> bytes:
        async with self.session.get(f"{url}/metrics") as response:
            return await response.read()


@contextlib.asynccontextmanager
async def system(blueprint: Blueprint, start: dict[str, int], folder: Path):
    """All processes, ready for requests, while the context lasts."""
    clock = Clock.starting_at(NOW_S, SPEED)
    fleet = Fleet(blueprint, clock, seed=1, start=start, folder=folder)
    history = History(APP, journal=folder / "statuses.jsonl")
    async with contextlib.AsyncExitStack() as stack:
        children = await stack.enter_async_context(Children(folder))
        await fleet.start_cluster(children)
        api = fleet.url("cluster"), blueprint.namespace
        cluster = await stack.enter_async_context(connected(*api))
        await fleet.declare(cluster)
        await stack.enter_async_context(cluster.recorded(history, clock))
        await fleet.start_traffic_path(children, history)
        kube = await Kube.connect(fleet.url("cluster"))
        stack.push_async_callback(kube.close)
        pods = await stack.enter_async_context(mirrored(kube, blueprint.namespace))
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        yield System(fleet, kube, pods, session)


@contextlib.asynccontextmanager
async def mirrored(kube: Kube, namespace: str):
    """The pods of a namespace, kept up to date while the context lasts."""
    pods = Mirror(kube, PODS, namespace)
    running = asyncio.create_task(pods.run())
    try:
        await pods.synced.wait()
        yield pods
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(claim: Callable[[], object]) -> None:
    """Wait for what other processes do; a claim may have to ask them."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            found = claim()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(_POLL_S)
