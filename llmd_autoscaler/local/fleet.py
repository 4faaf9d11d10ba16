"""The whole system as processes on loopback: cluster, adapter, servers, router, controller, in the order of their needs."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.local.cluster import Cluster
from llmd_autoscaler.local.history import History
from llmd_autoscaler.local.page import BOUNDS
from llmd_autoscaler.local.ports import next_free_port
from llmd_autoscaler.local.processes import Children, Program
from llmd_autoscaler.local.workload import ServerSpec, deployment, hpa
from llmd_autoscaler.translate.blueprint import Blueprint, DeclaredTarget

HOST = "127.0.0.1"
# Where each listens unless somebody else does; then the next free port.
_PORTS = {"cluster": 8001, "page": 8070, "router": 8080, "adapter": 8085, "controller": 8090}
_READY_WALL_S = 90.0
_POLL_WALL_S = 0.1
_IN_FLIGHT = "\nllmd_router_in_flight{"  # one line an instance that it may send requests to
_PROBE = aiohttp.ClientTimeout(total=2.0)


@dataclass(slots=True)
class Fleet:
    """The processes of one run and where they answer."""

    blueprint: Blueprint
    clock: Clock
    seed: int
    start: Mapping[str, int]
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose the ports.

        Raises: ConfigError: none is free.
        """
        for name, first in _PORTS.items():
            self.ports[name] = next_free_port(HOST, first, taken=self.ports.values())

    def url(self, name: str) -> str:
        """Where a process answers."""
        return f"http://{HOST}:{self.ports[name]}"

    async def start_cluster(self, children: Children) -> None:
        """The API server and, behind it, the adapter.

        Raises: ConfigError, ObservationError: one does not start.
        """
        flags = {"--adapter-url": self.url("adapter")}
        await children.start(self._program("cluster", "simulate-cluster", flags, restarts=False))
        flags = {"--api": self.url("cluster"), "--namespace": self.blueprint.namespace}
        command = ("-m", "adapter", *self._flags("adapter", flags))
        await children.start(Program("adapter", command, f"{self.url('adapter')}/readyz"))

    async def declare(self, cluster: Cluster) -> None:
        """Our resources, and a Deployment with its HPA for each target.

        Raises: ObservationError: the API server did not take them.
        """
        await cluster.declare(self.blueprint.objects)
        for target in self.blueprint.targets:
            server = ServerSpec(
                self.blueprint.model, str(self._profile_file(target)), self.clock, self.seed
            )
            made = deployment(target, server, n_start=self.start[target.state.name])
            await cluster.run_workload(target.deployment, made, hpa(target))

    async def start_traffic_path(self, children: Children, history: History) -> None:
        """The router, the first servers, the controller, and the first decision that ties them together.

        Raises: ConfigError, ObservationError: one does not start in time.
        """
        namespace = {"--api": self.url("cluster"), "--namespace": self.blueprint.namespace}
        await children.start(self._program("router", "router", namespace, ready="/health"))
        n_start = sum(self.start.values())
        try:
            async with asyncio.timeout(_READY_WALL_S):
                while history.n_ready < n_start:  # noqa: ASYNC110 (a count, changed by a watch)
                    await asyncio.sleep(_POLL_WALL_S)
                # last, so that it does not see an idle fleet for long
                flags = namespace | {"--router": self.url("router")}
                await children.start(self._program("controller", "controller", flags))
                while await self._n_routable() < n_start:  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(_POLL_WALL_S)
        except TimeoutError as error:
            raise ObservationError(
                f"{history.n_ready} of {n_start} servers are ready and {await self._n_routable()} known to the router "
                f"after {_READY_WALL_S:.0f} s: the logs in {self.folder} say why (--record DIR keeps them)"
            ) from error

    async def start_page(self, children: Children) -> None:
        """The page that people watch; it asks the others and nobody asks it.

        Raises: ConfigError, ObservationError: it does not start.
        """
        flags = {
            "--api": self.url("cluster"),
            "--namespace": self.blueprint.namespace,
            "--controller": self.url("controller"),
            "--router": self.url("router"),
        }
        if (self.folder / BOUNDS).exists():
            flags["--bounds"] = str(self.folder / BOUNDS)
        await children.start(self._program("page", "page", flags))

    async def router_page(self) -> bytes:
        """The router's own counts; empty where it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_PROBE, trust_env=False) as session,
                session.get(f"{self.url('router')}/metrics") as response,
            ):
                return await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return b""

    async def _n_routable(self) -> int:
        return (await self.router_page()).decode(errors="replace").count(_IN_FLIGHT)

    def _profile_file(self, target: DeclaredTarget) -> Path:
        """The profile as a file for the servers; JSON is YAML."""
        path = self.folder / f"profile-{target.state.name}.yaml"
        path.write_text(json.dumps(target.profile))
        return path

    def _program(
        self,
        name: str,
        command: str,
        flags: dict[str, str],
        *,
        ready: str = "/readyz",
        restarts: bool = True,
    ) -> Program:
        words = ("-m", "llmd_autoscaler", command, *self._flags(name, flags))
        return Program(name, words, self.url(name) + ready, restarts)

    def _flags(self, name: str, flags: dict[str, str]) -> tuple[str, ...]:
        everyones = {"--host": HOST, "--port": str(self.ports[name]), "--clock": self.clock.flag()}
        return tuple(word for flag in (everyones | flags).items() for word in flag)
