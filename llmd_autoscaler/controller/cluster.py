"""The controller's side of the Kubernetes API: mirrors of what it reads, and the door for all that it writes.

Verbs: list and watch on our four kinds, deployments, pods and horizontalpodautoscalers; get on replicasets,
statefulsets and leases; get and patch on the scale of whatever a variant names, such as deployments,
statefulsets and leaderworkersets; patch on the status of our kinds and on pods (labels, deletion cost);
create and patch on leases; create on events.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

from llmd_autoscaler.controller.actuation import Actuator, Hand
from llmd_autoscaler.controller.door import Alone, Door, Leadership, NoScaleError
from llmd_autoscaler.controller.election import Election
from llmd_autoscaler.controller.labels import Patch, cost_patches, label_patches, written
from llmd_autoscaler.controller.observed import Picture
from llmd_autoscaler.controller.ports import ClusterView, Instance, ModelKey, Publication
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.controller.statuses import published, troubled
from llmd_autoscaler.controller.survey import Survey
from llmd_autoscaler.controller.view import picture
from llmd_autoscaler.controller.writing import MAX_CONCURRENT, Writer
from llmd_autoscaler.kube.api import Json, Kube, NotFound
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import (
    ACCELERATOR_STOCKS,
    CAPACITY_PROFILES,
    DEPLOYMENTS,
    EVENTS,
    HPAS,
    LEASES,
    PODS,
    REPLICA_SETS,
    SERVICE_LEVELS,
    STATEFUL_SETS,
    VARIANT_AUTOSCALINGS,
    Resource,
)
from llmd_autoscaler.telemetry import Failing
from llmd_autoscaler.translate.condition import failing
from llmd_autoscaler.translate.stored import stored_epoch
from llmd_autoscaler.translate.world import serves_mixed

MANAGER = "llmd-controller"

# Pods come in bursts; one look at all of them serves a burst.
_LABEL_PAUSE_WALL_S = 0.2
_RETRY_WALL_S = 2.0
_FOLLOWED = (
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
    CAPACITY_PROFILES,
    ACCELERATOR_STOCKS,
    DEPLOYMENTS,
    HPAS,
)
_KNOWN = {
    each.kind: each for each in (*_FOLLOWED, PODS, EVENTS, LEASES, REPLICA_SETS, STATEFUL_SETS)
}


async def listed(api: str, namespace: str = "") -> tuple[list[Json], list[Json]]:
    """The ServiceLevels and VariantAutoscalings as they stand, for people to look at.

    Raises: ObservationError: the API server does not answer.
    """
    async with await Kube.connect(api) as kube:
        levels, _ = await kube.list(SERVICE_LEVELS, namespace or None)
        variants, _ = await kube.list(VARIANT_AUTOSCALINGS, namespace or None)
    return levels, variants


@asynccontextmanager
async def connected(
    api: str,
    namespace: str = "",
    *,
    routers: Sequence[str] = (),
    on_status_write: Callable[[], None] = lambda: None,
    election: Callable[[Door], Election] | None = None,
) -> AsyncIterator["KubeCluster"]:
    """The cluster behind an API server, while the context lasts; its `run` is the caller's to start.

    Args:
        api: the address, empty for the cluster that the process runs in.
        namespace: the one whose models are managed, empty for all.
        routers: addresses of the routers whose counts are the demand.
        on_status_write: told of every status that was written.
        election: makes the election that says when we may write; none: always.

    Raises: ConfigError: there is no API to speak to.
    """
    async with await Kube.connect(api) as kube:
        yield KubeCluster(
            kube,
            namespace,
            routers=routers,
            on_status_write=on_status_write,
            leadership=election(KubeDoor(kube)) if election else None,
        )


class KubeDoor:
    """Implements `door.Door` on a Kubernetes API."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._scalable: dict[str, dict[str, Resource]] = {}  # by apiVersion, once it has answered

    async def get(self, kind: str, key: Key) -> Json | None:
        """One object; None where there is none."""
        try:
            return await self.kube.get(_KNOWN[kind], *_place(key))
        except NotFound:
            return None

    async def create(self, kind: str, namespace: str, body: dict[str, object]) -> None:
        """A new object."""
        await self.kube.create(_KNOWN[kind], namespace, body)

    async def apply_status(self, kind: str, key: Key, status: dict[str, object]) -> bool:
        """A status as it should stand; False where the object is gone."""
        try:
            await self.kube.apply_status(_KNOWN[kind], *_place(key), status, manager=MANAGER)
        except NotFound:
            return False
        return True

    async def merge(self, kind: str, key: Key, patch: dict[str, object]) -> bool:
        """An object changed by a merge patch; False where it is gone."""
        try:
            await self.kube.merge(_KNOWN[kind], *_place(key), patch)
        except NotFound:
            return False
        return True

    async def scale_of(self, api_version: str, kind: str, key: Key) -> Json | None:
        """The `/scale` of an object of any kind; None where there is no such object."""
        resource = await self._resource(api_version, kind)
        try:
            return await self.kube.get(resource, *_place(key), subresource="scale")
        except NotFound:
            return None

    async def write_scale(self, api_version: str, kind: str, key: Key, replicas: int) -> bool:
        """Another number of replicas in the `/scale` of an object; False where it is gone."""
        resource = await self._resource(api_version, kind)
        patch: dict[str, object] = {"spec": {"replicas": replicas}}
        try:
            await self.kube.merge(resource, *_place(key), patch, subresource="scale")
        except NotFound:
            return False
        return True

    async def _resource(self, api_version: str, kind: str) -> Resource:
        """Where a kind is served; one that has no scale yet is asked for anew, for a CRD may still come.

        Raises: NoScaleError: it is not served, or has no scale.
        """
        if kind not in self._scalable.get(api_version, {}):
            try:
                self._scalable[api_version] = await self.kube.scalable(api_version)
            except NotFound as error:
                why = f"the API server serves no {api_version}; install it, or name another kind"
                raise NoScaleError(f"spec.scaleTargetRef.apiVersion: {why}") from error
        found = self._scalable[api_version].get(kind)
        if found is None:
            why = f"{api_version} {kind} has no /scale; name a kind that has one, such as apps/v1 Deployment"
            raise NoScaleError(f"spec.scaleTargetRef: {why}")
        return found


class KubeCluster:
    """Implements `ports.Cluster` on a Kubernetes API; `run` keeps the mirrors and the pods' labels."""

    def __init__(
        self,
        kube: Kube,
        namespace: str = "",
        *,
        routers: Sequence[str] = (),
        on_status_write: Callable[[], None] = lambda: None,
        leadership: Leadership | None = None,
    ) -> None:
        where = namespace or None
        self.leadership = leadership or Alone()
        self.door = KubeDoor(kube)
        self._routers = tuple(routers)
        self._pods_changed = asyncio.Event()
        self._mirrors = {each.kind: Mirror(kube, each, where) for each in _FOLLOWED}
        self._mirrors[PODS.kind] = Mirror(kube, PODS, where, on_change=self._pods_changed.set)
        self._writer = Writer(self.door, self._objects, self.leadership, on_status_write)
        self._survey = Survey(self.door, self._objects, self._writer.status)
        self._actuator = Actuator(self.door, self.leadership)
        self._found: Picture | None = None

    async def run(self) -> None:
        """Follow the API server and label new pods, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors.values():
                group.create_task(mirror.run())
            group.create_task(self._keep_labels())

    async def synced(self) -> None:
        """Wait until every collection was listed once."""
        for mirror in self._mirrors.values():
            await mirror.synced.wait()

    @property
    def missing(self) -> tuple[str, ...]:
        """The collections that could not be listed yet: an API server away, a CRD or a role missing."""
        return tuple(k for k, mirror in self._mirrors.items() if not mirror.synced.is_set())

    @property
    def is_connected(self) -> bool:
        """Whether changes of every collection arrive now."""
        return all(mirror.is_connected for mirror in self._mirrors.values())

    def highest_epoch(self) -> int:
        """The highest leader epoch in any status."""
        wires = (
            wire
            for kind in (SERVICE_LEVELS.kind, VARIANT_AUTOSCALINGS.kind)
            for wire in self._objects(kind).values()
        )
        statuses = (wire.get("status") for wire in wires)
        return max((stored_epoch(each) for each in statuses if isinstance(each, dict)), default=0)

    async def observe(self, *, now_s: float) -> ClusterView:
        """The resources and pods as of now; a broken resource is a trouble, never an error."""
        self._writer.forget()
        seen = await self._survey.observed(now_s=now_s)
        observed = dataclasses.replace(seen, unwritten=self._actuator.unwritten)
        before = self._found.targets if self._found else {}
        self._found = picture(observed, self._routers, before)
        view = self._found.view
        models = tuple(self._writer.with_overwritten(model) for model in view.models)
        return dataclasses.replace(view, models=models)

    async def publish(self, publications: Sequence[Publication], *, now_s: float) -> None:
        """Write labels, statuses, the Events of what changed, and the scales that are ours to write.

        Raises: ObservationError: some models could not be written; the next tick writes them again.
        """
        if self._found is None:
            raise RuntimeError("publish follows an observe")
        slots = asyncio.Semaphore(MAX_CONCURRENT)
        await self._label(slots)
        stored = self._writer.status
        batches = [list(published(each, self._found, stored)) for each in publications]
        batches += [[write] for write in troubled(self._found, stored, now_s=now_s)]
        try:
            await self._writer.write(batches, slots, now_s=now_s)
        finally:
            await written(self.door, self._costs(self._found), slots)
            for key, notice in await self._actuator.act(self._hands(self._found), now_s=now_s):
                about = self._objects(VARIANT_AUTOSCALINGS.kind).get(key)
                if about is not None:
                    await self._writer.tell(about, notice, now_s=now_s)

    def failing(self) -> Iterator[Failing]:
        """The conditions of our objects that say that something is wrong, as they were written last."""
        for kind in (SERVICE_LEVELS.kind, VARIANT_AUTOSCALINGS.kind, CAPACITY_PROFILES.kind):
            for key in self._objects(kind):
                for type_, reason in failing(self._writer.status(kind, key)):
                    yield (*key, kind, type_, reason)

    def default_class(self, key: ModelKey) -> str:
        """The class of a model's requests that no other class matches."""
        level = self._found.levels.get(key) if self._found else None
        return level.default_class if level else ""

    def page_url(self, key: ModelKey, instance: Instance) -> str:
        """Where an instance's metrics page is."""
        target = self._found.targets.get((key.namespace, instance.target)) if self._found else None
        if target is None:
            return f"http://{instance.address}/metrics"
        variant = target.variant
        return f"{variant.metrics_scheme}://{instance.address}{variant.metrics_path}"

    def _objects(self, kind: str) -> Mapping[Key, Json]:
        return self._mirrors[kind].objects

    def _hands(self, found: Picture) -> Iterator[Hand]:
        """The targets that we scale ourselves."""
        for key, target in found.targets.items():
            if target.variant.actuation == "Direct" and not target.is_held:
                status = self._writer.status(VARIANT_AUTOSCALINGS.kind, key)
                yield Hand(key, target.variant, status, target.replicas)

    def _costs(self, found: Picture) -> Iterator[Patch]:
        """Which pods of Deployments go first, by the numbers that were published."""
        if not self.leadership.is_leader:
            return
        for key, target in found.targets.items():
            variant = target.variant
            is_followed = variant.actuation != "Advisory"
            if is_followed and variant.scale_target.kind == DEPLOYMENTS.kind:
                status = self._writer.status(VARIANT_AUTOSCALINGS.kind, key)
                yield from cost_patches(target.pods, status)

    async def _keep_labels(self) -> None:
        """Label pods as they come: a router cannot use one before, and a tick may be long away."""
        await self.synced()
        slots = asyncio.Semaphore(MAX_CONCURRENT)
        while True:
            self._pods_changed.clear()
            await self._survey.learn(only_new=True)
            are_labelled = await self._label(slots)
            await asyncio.sleep(_LABEL_PAUSE_WALL_S if are_labelled else _RETRY_WALL_S)
            if are_labelled:
                await self._pods_changed.wait()

    async def _label(self, slots: asyncio.Semaphore) -> bool:
        """Give every pod of a target its labels; whether none is left that could not be."""
        if not self.leadership.is_leader:
            return True
        patches = [
            patch
            for variant, crew in self._survey.crews()
            if serves_mixed(variant)
            for patch in label_patches(variant.name, crew.pods, crew.workers)
        ]
        return await written(self.door, patches, slots)


def _place(key: Key) -> tuple[str | None, str]:
    """Namespace and name of a key, as the API takes them."""
    namespace, name = key
    return namespace or None, name
