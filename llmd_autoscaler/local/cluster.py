"""Local mode's side of the API server: applies what a run needs, and follows what becomes of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import (
    ACCELERATOR_STOCKS,
    CAPACITY_PROFILES,
    DEPLOYMENTS,
    HPAS,
    PODS,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
    Resource,
)
from llmd_autoscaler.local.history import History, Objects
from llmd_autoscaler.local.workload import Json
from llmd_autoscaler.translate.blueprint import DeclaredObject

_MANAGER = "llmd-local"
_KINDS = {
    resource.kind: resource
    for resource in (ACCELERATOR_STOCKS, CAPACITY_PROFILES, SERVICE_LEVELS, VARIANT_AUTOSCALINGS)
}


class Cluster:
    """One namespace of the API server of a run."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    async def declare(self, objects: Iterable[DeclaredObject]) -> None:
        """Our own resources, as the files say them.

        Raises: ObservationError: the API server did not take one.
        """
        for each in objects:
            where = each.namespace or None
            await self._kube.apply(_KINDS[each.kind], where, each.name, each.body, manager=_MANAGER)

    async def run_workload(self, name: str, deployment: Json, hpa: Json) -> None:
        """A Deployment and its HPA.

        Raises: ObservationError: the API server did not take them.
        """
        for resource, body in ((DEPLOYMENTS, deployment), (HPAS, hpa)):
            await self._kube.apply(resource, self._namespace, name, body, manager=_MANAGER)

    @contextlib.asynccontextmanager
    async def recorded(self, history: History, clock: Clock) -> AsyncIterator[None]:
        """Keep a history while the context lasts; it holds the first list when the context begins."""
        watched: tuple[tuple[Resource, Callable[[Objects, float], None]], ...] = (
            (PODS, history.see_pods),
            (VARIANT_AUTOSCALINGS, history.see_variants),
            (SERVICE_LEVELS, history.see_levels),
        )
        mirrors = [self._mirror(resource, see, clock) for resource, see in watched]
        running = [asyncio.create_task(mirror.run()) for mirror in mirrors]
        try:
            for mirror in mirrors:
                await mirror.synced.wait()
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _mirror(
        self, resource: Resource, see: Callable[[Objects, float], None], clock: Clock
    ) -> Mirror:
        def changed() -> None:
            see(mirror.objects, clock.now_s())

        mirror = Mirror(self._kube, resource, self._namespace, on_change=changed)
        return mirror


@contextlib.asynccontextmanager
async def connected(address: str, namespace: str) -> AsyncIterator[Cluster]:
    """The API server at an address, while the context lasts."""
    async with await Kube.connect(address) as kube:
        yield Cluster(kube, namespace)
