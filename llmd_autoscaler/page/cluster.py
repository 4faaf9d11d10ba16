"""What the API server says, for the page: ServiceLevels and VariantAutoscalings.

Reads only: list and watch on servicelevels and variantautoscalings.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.page.model import Objects


class Cluster:
    """A copy of both collections; it stays as last seen while the API server is away."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        """Follow one namespace, or all where it is empty."""
        self.changed = asyncio.Event()
        self._levels = Mirror(kube, SERVICE_LEVELS, namespace or None, on_change=self.changed.set)
        self._variants = Mirror(
            kube, VARIANT_AUTOSCALINGS, namespace or None, on_change=self.changed.set
        )

    @property
    def levels(self) -> Objects:
        """The ServiceLevels by namespace and name."""
        return self._levels.objects

    @property
    def variants(self) -> Objects:
        """The VariantAutoscalings by namespace and name."""
        return self._variants.objects

    @property
    def is_connected(self) -> bool:
        """Whether changes of both arrive."""
        return self._levels.is_connected and self._variants.is_connected

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._levels.run())
            group.create_task(self._variants.run())


@asynccontextmanager
async def following(api: str, namespace: str) -> AsyncIterator[Cluster]:
    """The collections of an API server while the context lasts; an empty address is the cluster that this runs in.

    Raises: ConfigError: there is neither a cluster nor a kubeconfig.
    """
    async with await Kube.connect(api) as kube:
        cluster = Cluster(kube, namespace)
        running = asyncio.create_task(cluster.run())
        try:
            yield cluster
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
