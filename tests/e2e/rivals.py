"""Two controllers that stand for one lease, two adapters, one fleet; and the account of what the fleet was told."""

import asyncio
import contextlib
import itertools
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.local.cluster import Cluster
from llmd_autoscaler.local.workload import ServerSpec, deployment, hpa
from tests.controlplane.api import MERGE, Api, ApiError
from tests.controlplane.component import HOST, Component, free_ports
from tests.controlplane.fake_kubelet import FakeKubelet
from tests.controlplane.kubeconfig import write_kubeconfig
from tests.controlplane.plane import ControlPlane
from tests.e2e.adapter import RegisteredAdapter, door
from tests.e2e.fleet import blueprint_of
from tests.e2e.identity import NAMESPACE, apply_roles
from tests.e2e.served import Ledger, accounted
from tests.e2e.site import Site

ROLES = "base/controller/rbac.yaml"
_CHECKOUT = Path(__file__).parents[2]
_MOST = 8
_PATIENCE_S = 90.0


@dataclass(slots=True)
class Rival:
    """One controller, and the network between it and the API server."""

    program: Component
    network: Component
    port: int
    network_port: int

    async def page(self, path: str) -> str:
        """A page of its own; empty where it does not answer."""
        url = f"http://{HOST}:{self.port}/{path}"
        timeout = aiohttp.ClientTimeout(total=1.0)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(trust_env=False, timeout=timeout) as session,
                session.get(url) as answer,
            ):
                return await answer.text()
        return ""

    async def leads(self) -> bool:
        """Whether it says so."""
        return "llmd_autoscaler_leader 1.0" in await self.page("metrics")

    async def follows(self) -> bool:
        """Whether it lives and says that another one leads."""
        return "another controller leads" in await self.page("readyz")


@dataclass(slots=True)
class Rivals:
    """All of it, while it runs."""

    plane: ControlPlane
    site: Site
    adapter: RegisteredAdapter
    rivals: tuple[Rival, Rival]
    ledger: Ledger
    offset_file: Path
    recoveries: dict[str, float] = field(default_factory=dict)
    """Seconds from the end of each fault to a fleet of the number that was asked for then."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.cycle((3, 5, 2, 6, 4)))

    @property
    def name(self) -> str:
        """Of the variant, its Deployment and its HPA."""
        return self.ledger.target

    @property
    def epoch(self) -> int:
        """The newest that was published."""
        return max(each.decision.epoch for each in self.ledger.statuses)

    async def leader(self) -> tuple[Rival, Rival]:
        """Who leads, and the other one."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                for one, other in (self.rivals, self.rivals[::-1]):
                    if await one.leads() and await other.follows():
                        return one, other
                await asyncio.sleep(0.1)

    async def ask(self) -> int:
        """Have the controllers want another number, by limits that leave one; tried until the API server takes it."""
        number = next(self._numbers)
        patch = {"spec": {"minReplicas": number, "maxReplicas": number}}

        async def is_taken() -> bool:
            try:
                await self.site.api.call("PATCH", self.site.variant(self.name), patch, kind=MERGE)
            except (ApiError, aiohttp.ClientError, TimeoutError):
                return False
            return True

        await self.site.until(is_taken, within_s=_PATIENCE_S)
        return number

    async def reaches(self, number: int) -> None:
        """Wait for a fleet of a number, through controller, adapter and HPA."""

        async def there() -> bool:
            with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                return await self.site.replicas(self.name) == number
            return False

        try:
            await self.site.until(there, within_s=_PATIENCE_S)
        except TimeoutError as error:
            self.ledger.take_answers()
            why = await self.site.condition(self.name, "ScalingActive")
            last = (self.ledger.statuses[-1], self.ledger.reads[-1:], why)
            raise AssertionError(f"not at {number}: {last}") from error

    async def recovers(self, fault: str, record_property) -> None:
        """From now on: another number, and the fleet that follows it. Noted, and never judged."""
        began_s = time.monotonic()
        await self.reaches(await self.ask())
        self.recoveries[fault] = time.monotonic() - began_s
        record_property("recovery_s", round(self.recoveries[fault], 2))

    async def stays(self, seconds: float) -> None:
        """See the fleet unchanged for a while, whatever is asked for."""
        before = self.ledger.scales[-1]
        await asyncio.sleep(seconds)
        assert self.ledger.scales[-1] == before

    def step_clocks(self, by_s: float) -> None:
        """Put the controllers' clocks off by so much."""
        fresh = self.offset_file.with_suffix(".new")
        fresh.write_text(str(by_s))
        fresh.replace(self.offset_file)

    async def says(self, *words: str) -> None:
        """Wait until the HPA says one of these in its conditions, as the reason why it does nothing."""

        async def said() -> bool:
            found = await self.site.condition(self.name, "ScalingActive")
            return any(each in found for each in words)

        await self.site.until(said, within_s=_PATIENCE_S)

    def log(self) -> str:
        """What both controllers have said."""
        return self.rivals[0].program.log.read_text(errors="replace")


def kill(component: Component) -> None:
    """SIGKILL, as the kernel does when memory is short."""
    component.signal(signal.SIGKILL)
    component.stop()


@contextlib.asynccontextmanager
async def rivalling(
    plane: ControlPlane, adapter: RegisteredAdapter, folder: Path
) -> AsyncIterator[Rivals]:
    """All of it, from the first number that the fleet has followed to."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    apply_roles(plane, ROLES)
    blueprint = blueprint_of(folder / "config", namespace, most=_MOST)
    (target,) = blueprint.targets
    offset_file = folder / "clock-offset"
    offset_file.write_text("0")
    rivals = [_rival(plane, folder, name, namespace, offset_file) for name in ("one", "two")]
    processes = [each for rival in rivals for each in (rival.network, rival.program)]
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        api = await enter(Api(plane.kubeconfig))
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        ledger = await enter(
            accounted(
                plane,
                api,
                (namespace, target.state.name),
                answers=adapter.answers,
                log=rivals[0].program.log,
            )
        )
        await enter(FakeKubelet(api, namespace=namespace))
        kube = await enter(await Kube.connect(kubeconfig=str(plane.kubeconfig)))
        cluster = Cluster(kube, namespace)
        await cluster.declare(blueprint.objects)
        # pods that nobody starts a server behind: the numbers come from the limits
        made = deployment(target, ServerSpec(blueprint.model, "none", Clock(), seed=1), n_start=1)
        await cluster.run_workload(target.deployment, made, hpa(target))
        stack.enter_context(plane.guarding(*processes))
        for each in processes:
            await asyncio.to_thread(each.start)
        if not adapter.replicas[1].alive:
            stack.callback(adapter.kill, 1)
            await asyncio.to_thread(adapter.start, 1)
        plane.renew_guard()
        site = Site(api, namespace)
        found = Rivals(plane, site, adapter, (rivals[0], rivals[1]), ledger, offset_file)
        await found.reaches(await found.ask())
        yield found
        await site.remove_autoscalers()


def _rival(
    plane: ControlPlane, folder: Path, name: str, namespace: str, offset_file: Path
) -> Rival:
    port, network_port = free_ports(2)
    user = {"token": plane.token(NAMESPACE, "llmd-controller")}
    url = f"https://{HOST}:{network_port}"
    kubeconfig = write_kubeconfig(folder / f"{name}.kubeconfig", url, plane.server_ca.pem, user)
    flags = {
        "--namespace": namespace,
        "--identity": name,
        "--lease": f"{NAMESPACE}/llmd-controller",  # the one that the shipped role allows
        "--offset-file": str(offset_file),
        "--port": str(port),
    }
    words = [word for flag in flags.items() for word in flag]
    program = Component(
        f"controller-{name}",
        [sys.executable, "-m", "tests.e2e.hasty_controller", *words],
        folder / "controllers.log",  # one for both: what was decided is one story
        environment={"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(_CHECKOUT)},
    )
    network = door(folder / f"{name}-network.log", network_port, plane.api_port)
    return Rival(program, network, port, network_port)
