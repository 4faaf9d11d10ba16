"""Our processes on the real control plane: router, controller, and simulated servers behind the pods."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import aiohttp
import yaml

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from llmd_autoscaler.local.client import Asker, LoadGenerator
from llmd_autoscaler.local.cluster import Cluster
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.ledger import Ledger
from llmd_autoscaler.local.processes import Children, Program
from llmd_autoscaler.local.workload import ServerSpec, deployment, hpa
from llmd_autoscaler.simulator.pod_process import PodProcess, command_of, environment_of, started
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.translate.blueprint import Blueprint, DeclaredTarget
from llmd_autoscaler.translate.json_object import child
from tests.controlplane.api import Api, Json
from tests.controlplane.component import HOST, free_ports
from tests.controlplane.fake_kubelet import FakeKubelet
from tests.controlplane.plane import ControlPlane
from tests.e2e.identity import NAMESPACE, apply_roles

# Simulated seconds a second. The API server and the HPA have no clock but the wall's: one look of the HPA a second.
SPEED = 10.0
_DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()
# and nobody waits for it: the window of scale-in, four minutes, is longer
_SLEEPS = "  routing: Obeyed\n  minInstances: 0\n  idleAfter: 1m"
_POLL_S = 0.1


@dataclass(slots=True)
class Servers:
    """The processes behind the pods; `start` and `stop` are what a kubelet does."""

    stack: contextlib.AsyncExitStack
    running: dict[str, PodProcess] = field(default_factory=dict)

    async def start(self, pod: Json, address: str) -> None:
        """Start the command of the pod and wait until it answers its probe."""
        environment = environment_of(pod, address)
        process = started(command_of(pod, environment), environment)
        self.running[pod["metadata"]["uid"]] = await self.stack.enter_async_context(process)
        async with asyncio.timeout(60), aiohttp.ClientSession(trust_env=False) as session:
            while not await _is_healthy(session, f"http://{address}:8000/health"):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)

    async def stop(self, pod: Json, address: str) -> None:
        """SIGTERM, and the time that its open requests take."""
        del address
        if process := self.running.pop(pod["metadata"]["uid"], None):
            process.terminate()
            await process.exited()


async def _is_healthy(session: aiohttp.ClientSession, url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with session.get(url) as answer:
            return answer.status == 200
    return False


@dataclass(slots=True)
class Loop:
    """A model that is served, counted and decided for."""

    blueprint: Blueprint
    clock: Clock
    router_url: str
    kube: Kube
    folder: Path

    @property
    def namespace(self) -> str:
        """Where all of it is."""
        return self.blueprint.namespace

    def kill(self, process: str) -> None:
        """SIGKILL; it is started again, as Kubernetes would."""
        os.kill(int((self.folder / f"{process}.pid").read_text()), signal.SIGKILL)

    async def status(self) -> Json:
        """The status of the only VariantAutoscaling."""
        name = self.target.state.name
        found = await self.kube.get(VARIANT_AUTOSCALINGS, self.namespace, name)
        return dict(child(found, "status"))

    @property
    def target(self) -> DeclaredTarget:
        """The only one."""
        (only,) = self.blueprint.targets
        return only

    def clients(self, replay: Replay) -> LoadGenerator:
        """Clients whose first request is due now."""
        asker = Asker(
            url=f"{self.router_url}/v1/completions",
            model=self.blueprint.model,
            classes=self.blueprint.classes,
            run_id="e2e",
        )
        return LoadGenerator(asker, replay, self.clock, self.clock.now_s(), Ledger(replay))


def blueprint_of(folder: Path, namespace: str, *, most: int, sleeps: bool = False) -> Blueprint:
    """The default model in a namespace, from one instance on; a new one starts within ten seconds."""
    folder.mkdir()
    document = _DEFAULT.replace("namespace: llm", f"namespace: {namespace}")
    document = document.replace("minReplicas: 3", f"minReplicas: {0 if sleeps else 1}")
    if sleeps:
        document = document.replace("  routing: Obeyed", _SLEEPS)
    (folder / "model.yaml").write_text(document.replace("maxReplicas: 10", f"maxReplicas: {most}"))
    blueprint = load_config(folder)
    (target,) = blueprint.targets
    lead = dataclasses.replace(target.state.lead, p50_s=10.0, p90_s=10.0)
    state = dataclasses.replace(target.state, lead=lead)
    return dataclasses.replace(blueprint, targets=(dataclasses.replace(target, state=state),))


@contextlib.asynccontextmanager
async def loop(
    plane: ControlPlane,
    api: Api,
    namespace: str,
    folder: Path,
    *,
    most: int,
    sleeps: bool = False,
) -> AsyncIterator[Loop]:
    """Everything of one model in a namespace, each process as the service account that we ship for it."""
    clock = Clock.starting_at(Clock().now_s(), SPEED)
    blueprint = blueprint_of(folder / "config", namespace, most=most, sleeps=sleeps)
    ports = dict(zip(("router", "controller"), free_ports(2), strict=True))
    urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    apply_roles(plane, "base/controller/rbac.yaml")
    apply_roles(plane, "base/router/rbac.yaml", namespace=namespace)
    identities = {
        "controller": plane.service_account(NAMESPACE, "llmd-controller"),
        "router": plane.service_account(namespace, "llmd-router"),
    }

    def program(name: str, ready: str, *flags: str) -> Program:
        identity = ("-m", "tests.e2e.as_identity", str(identities[name]))
        shared = ("--namespace", namespace, "--clock", clock.flag(), "--host", HOST)
        words = ("llmd_autoscaler", name, "--port", str(ports[name]), *shared, *flags)
        return Program(name, (*identity, *words), urls[name] + ready)

    async with contextlib.AsyncExitStack() as stack:
        servers = Servers(await stack.enter_async_context(contextlib.AsyncExitStack()))
        kubelet = FakeKubelet(
            api, namespace=namespace, on_start=servers.start, on_stop=servers.stop
        )
        await stack.enter_async_context(kubelet)
        children = await stack.enter_async_context(Children(folder))
        kube = await stack.enter_async_context(await Kube.connect(kubeconfig=str(plane.kubeconfig)))
        found = Loop(blueprint, clock, urls["router"], kube, folder)
        await _declare(Cluster(kube, namespace), found, folder)
        await children.start(program("router", "/health"))
        # the one lease that the shipped role allows
        lease = ("--lease", f"{NAMESPACE}/llmd-controller")
        await children.start(program("controller", "/readyz", "--router", urls["router"], *lease))
        yield found


async def _declare(cluster: Cluster, found: Loop, folder: Path) -> None:
    await cluster.declare(found.blueprint.objects)
    target, profile = found.target, folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(target.profile))
    server = ServerSpec(found.blueprint.model, str(profile), found.clock, seed=1)
    made = deployment(target, server, n_start=1)
    await cluster.run_workload(target.deployment, made, hpa(target))
