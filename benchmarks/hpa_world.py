"""The world of `benchmarks.hpa`: a real control plane with our adapter, and Deployments that nobody runs.

What is measured is the way of a number from a status to `/scale`. The pods behind it would cost two cores
more than all the rest, so the Deployment controller is left out, and one watch writes into the status of
each Deployment what it would: as many replicas as are asked for.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml

from tests.controlplane.api import MERGE, Api, ApiError, Json
from tests.controlplane.plane import ControlPlane
from tests.controlplane.session import install_crds
from tests.e2e.adapter import RegisteredAdapter, registered
from tests.e2e.identity import NAMESPACE
from tests.e2e.site import Site

BENCH = "bench"
# of calls to the API server at once, as the controller writes its statuses
N_CONCURRENT = 32
_SHIPPED = (
    Path(__file__).parents[1] / "manifests" / "examples" / "two-accelerators" / "autoscalers.yaml"
)
_CONTROLLERS = ("horizontal-pod-autoscaler-controller",)
_SCRAPER = "bench-prometheus"


def shipped_autoscaler(name: str, *, least: int, most: int) -> Json:
    """The spec of an HPA as manifests/examples has it, of another object and other limits."""
    spec: Json = next(yaml.safe_load_all(_SHIPPED.read_text(encoding="utf-8")))["spec"]
    spec["scaleTargetRef"]["name"] = name
    spec["metrics"][0]["object"]["describedObject"]["name"] = name
    return spec | {"minReplicas": least, "maxReplicas": most}


@dataclass(slots=True)
class Asked:
    """What the Deployments of a site were asked for, each number with when it was first seen."""

    site: Site
    is_obeyed: bool = True
    """Whether to play the Deployment controller, where no real one runs."""
    seen: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """By Deployment: (seconds of a monotonic clock, replicas), beginning with what it was made with."""
    _obeying: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator["Asked"]:
        """Watch while the context lasts."""
        watch = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            for task in (watch, *self._obeying):
                task.cancel()
            await asyncio.gather(watch, *self._obeying, return_exceptions=True)

    def landed_s(self, name: str, desired: int, *, since_s: float) -> float | None:
        """Seconds from a moment until a Deployment was first asked for a number; None: it was not yet."""
        times = (at_s for at_s, n in self.seen.get(name, ()) if at_s >= since_s and n == desired)
        return next((at_s - since_s for at_s in times), None)

    async def _run(self) -> None:
        async for kind, found in self.site.api.watch(self.site.deployment()):
            if kind == "DELETED":
                continue
            name, wanted = found["metadata"]["name"], int(found["spec"]["replicas"])
            numbers = self.seen.setdefault(name, [])
            if not numbers or numbers[-1][1] != wanted:
                numbers.append((time.monotonic(), wanted))
            if self.is_obeyed and found["status"].get("replicas", 0) != wanted:
                task = asyncio.create_task(self._obey(name, wanted))
                self._obeying.add(task)
                task.add_done_callback(self._obeying.discard)

    async def _obey(self, name: str, replicas: int) -> None:
        """What a Deployment controller writes once all pods are there."""
        counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        status = {"status": dict.fromkeys(counts, replicas)}
        # one that fails is tried again at the next event of the watch, which lists anew when it breaks
        with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
            path = f"{self.site.deployment(name)}/status"
            await self.site.api.call("PATCH", path, status, kind=MERGE)


@dataclass(slots=True)
class World:
    """A control plane, our adapter behind it, and a namespace."""

    plane: ControlPlane
    adapter: RegisteredAdapter
    site: Site
    sync_s: float
    _scraper: str = ""

    async def declare(self, names: Iterable[str], *, least: int, most: int, start: int) -> None:
        """Deployments, their VariantAutoscalings with a decision each, and the shipped HPA before each."""

        async def one(name: str) -> None:
            await self.site.declare(name, replicas=start, most=most)
            await self.site.publish(name, start, decision="1-1")

        names = list(names)
        await each(one, names)

        # the HPA looks at each a period after it looked last: made in a burst they would all look in one
        began_s, pause_s = time.monotonic(), self.sync_s / len(names)

        async def autoscale(name: str) -> None:
            due_s = began_s + names.index(name) * pause_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self.site.autoscale(name, **shipped_autoscaler(name, least=least, most=most))

        await each(autoscale, names)

    async def adapter_page(self) -> str:
        """The adapter's own /metrics, as a Prometheus reads it."""
        tls = ssl.create_default_context(cadata=self.adapter.authority.pem.decode())
        if not self._scraper:
            self._scraper = await asyncio.to_thread(self._make_scraper)
        url = f"https://127.0.0.1:{self.adapter.ports[0]}/metrics"
        headers = {"Authorization": f"Bearer {self._scraper}"}
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(url, headers=headers, ssl=tls) as answer,
        ):
            answer.raise_for_status()
            return await answer.text()

    async def page(self, base: str) -> str:
        """/metrics of a component of the control plane."""
        status, text = await asyncio.to_thread(
            self.plane.request, "GET", "/metrics", base=base, timeout_s=60.0
        )
        if status != 200:
            raise RuntimeError(f"{base}/metrics answered {status}")
        return str(text)

    async def autoscalers(self) -> Mapping[str, Json]:
        """Every HPA by name."""
        listed = await self.site.api.get(self.site.autoscaler())
        return {each["metadata"]["name"]: each for each in listed["items"]}

    def _make_scraper(self) -> str:
        """A token that may read the adapter's metrics by the role that we ship for it."""
        token = self.plane.token(NAMESPACE, _SCRAPER)
        role = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "llmd-adapter-metrics",
        }
        subject = {"kind": "ServiceAccount", "name": _SCRAPER, "namespace": NAMESPACE}
        binding = {"metadata": {"name": _SCRAPER}, "roleRef": role, "subjects": [subject]}
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        self.plane.request("POST", path, binding)
        return token


@contextlib.contextmanager
def control_plane(sync_s: float) -> Iterator[tuple[ControlPlane, RegisteredAdapter]]:
    """A control plane whose HPAs look every so many seconds, with our kinds and our adapter."""
    with ControlPlane(hpa_sync_period=f"{sync_s:g}s", controllers=_CONTROLLERS) as plane:
        install_crds(plane)
        with registered(plane) as adapter:
            yield plane, adapter


@contextlib.asynccontextmanager
async def world(
    plane: ControlPlane, adapter: RegisteredAdapter, sync_s: float
) -> AsyncIterator[World]:
    """A namespace on it, as its administrator."""
    async with Api(plane.kubeconfig) as api:
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": BENCH}})
        yield World(plane, adapter, Site(api, BENCH), sync_s)


async def each(work: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Do something with every name, so many at once."""
    slots = asyncio.Semaphore(N_CONCURRENT)

    async def one(name: str) -> None:
        async with slots:
            await work(name)

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))
