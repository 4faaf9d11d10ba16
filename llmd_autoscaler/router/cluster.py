"""What the API server says, as the router's fleet: ServiceLevels with their decisions, and routable pods.

Reads only: list and watch on servicelevels and pods of one namespace.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import PODS, SERVICE_LEVELS
from llmd_autoscaler.router.fleet import Fleet, Pod
from llmd_autoscaler.translate.json_object import child, text
from llmd_autoscaler.translate.pod import GROUP_LABEL, TARGET_LABEL, is_ready
from llmd_autoscaler.translate.routing import Place, RoutingTable, read_routing_table

_LOG = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def connected(api: str, namespace: str, fleet: Fleet) -> AsyncIterator["Cluster"]:
    """Who keeps a fleet equal to a namespace of an API server, while the context lasts.

    Args:
        api: the address, empty for the cluster that the process runs in.
        namespace: the one whose ServiceLevels and pods are followed.
        fleet: what is kept equal.

    Raises: ConfigError: there is no API to speak to.
    """
    async with await Kube.connect(api) as kube:
        yield Cluster(kube, namespace, fleet)


@dataclass(slots=True)
class Cluster:
    """Keeps a fleet equal to one namespace."""

    kube: Kube
    namespace: str
    fleet: Fleet
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _tables: dict[str, RoutingTable] = field(default_factory=dict)  # by ServiceLevel

    async def run(self) -> None:
        """Follows both collections until cancelled."""
        levels = Mirror(self.kube, SERVICE_LEVELS, self.namespace, on_change=self._changed.set)
        pods = Mirror(
            self.kube,
            PODS,
            self.namespace,
            label_selector=f"{TARGET_LABEL},{GROUP_LABEL}",
            on_change=self._changed.set,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(levels.run())
            group.create_task(pods.run())
            await levels.synced.wait()
            await pods.synced.wait()
            while True:
                # many events, one rebuild: they come in bursts
                self._changed.clear()
                self._take(levels.objects, pods.objects)
                await self._changed.wait()

    def _take(
        self, levels: Mapping[tuple[str, str], Json], pods: Mapping[tuple[str, str], Json]
    ) -> None:
        self._tables = dict(self._read_tables(levels))
        tables: dict[str, RoutingTable] = {}
        for name in sorted(
            self._tables, key=lambda name: (_created(levels, self.namespace, name), name)
        ):
            table = self._tables[name]
            # two ServiceLevels of one model are a conflict, which the controller reports: the older one holds
            tables.setdefault(table.model, table)
        self.fleet.replace(tables, routable_pods(pods.values()))
        self.fleet.is_synced = True

    def _read_tables(
        self, levels: Mapping[tuple[str, str], Json]
    ) -> Iterator[tuple[str, RoutingTable]]:
        for (_, name), level in levels.items():
            try:
                yield name, read_routing_table(level)
            except ObservationError as error:
                _LOG.warning("service_level_unreadable", name=name, detail=str(error))
                if name in self._tables:
                    yield name, self._tables[name]


def routable_pods(pods: Iterable[Json]) -> Iterator[Pod]:
    """The pods that may get requests: Ready, without deletionTimestamp, with an address and both labels."""
    for pod in pods:
        labels, ip = child(pod, "metadata", "labels"), text(pod, "status", "podIP")
        target, group = text(labels, TARGET_LABEL), text(labels, GROUP_LABEL)
        if target and group and ip and is_ready(pod):
            yield Pod(text(pod, "metadata", "name"), ip, Place(target, group))


def _created(levels: Mapping[tuple[str, str], Json], namespace: str, name: str) -> str:
    return text(levels.get((namespace, name), {}), "metadata", "creationTimestamp")
