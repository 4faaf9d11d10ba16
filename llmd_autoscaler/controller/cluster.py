"""The controller's side of the Kubernetes API: mirrors of what it reads, and all that it writes.

Verbs: list and watch on our four kinds, deployments and pods; get on replicasets; patch on the status
of our kinds and on pods (labels); create on events.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from llmd_autoscaler.controller import pods as pods_of
from llmd_autoscaler.controller.events import EventLimiter, Notice, event_body
from llmd_autoscaler.controller.pods import Pod, controller_of, read_pods
from llmd_autoscaler.controller.ports import (
    ClusterView,
    Instance,
    ModelKey,
    ModelView,
    Publication,
)
from llmd_autoscaler.controller.readings import Key, Readings
from llmd_autoscaler.controller.selector import selects
from llmd_autoscaler.controller.statuses import StatusWrite, published, troubled
from llmd_autoscaler.controller.view import Observed, Picture, picture
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.kube.api import Json, Kube, KubeError, NotFound
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import (
    ACCELERATOR_STOCKS,
    CAPACITY_PROFILES,
    DEPLOYMENTS,
    EVENTS,
    PODS,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
    Resource,
)
from llmd_autoscaler.translate.json_object import child, text
from llmd_autoscaler.translate.pod import label_patch
from llmd_autoscaler.translate.stored import is_later, says_the_same
from llmd_autoscaler.translate.world import (
    ScaleTarget,
    Variant,
    read_level,
    read_profile,
    read_stock,
    read_variant,
    serves_mixed,
)

MANAGER = "llmd-controller"
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")

_GROUP = "mixed"  # the one that is planned for today
# Writes under way at once: the API server's own flow control lets a client have some hundreds.
_MAX_CONCURRENT = 32
# Pods come in bursts; one look at all of them serves a burst.
_LABEL_PAUSE_WALL_S = 0.2
_RETRY_WALL_S = 2.0
_OURS = (SERVICE_LEVELS, VARIANT_AUTOSCALINGS, CAPACITY_PROFILES, ACCELERATOR_STOCKS)
_LOG = structlog.stdlib.get_logger(__name__)


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
) -> AsyncIterator["KubeCluster"]:
    """The cluster behind an API server, while the context lasts; its `run` is the caller's to start.

    Args:
        api: the address, empty for the cluster that the process runs in.
        namespace: the one whose models are managed, empty for all.
        routers: addresses of the routers whose counts are the demand.
        on_status_write: told of every status that was written.

    Raises: ConfigError: there is no API to speak to.
    """
    async with await Kube.connect(api) as kube:
        yield KubeCluster(kube, namespace, routers=routers, on_status_write=on_status_write)


@dataclass(frozen=True, slots=True)
class _Written:
    """A status of ours that the watch may not have brought back yet."""

    uid: str
    status: Json


class KubeCluster:
    """Implements `ports.Cluster` on a Kubernetes API; `run` keeps the mirrors and the pods' labels."""

    def __init__(
        self,
        kube: Kube,
        namespace: str = "",
        *,
        routers: Sequence[str] = (),
        on_status_write: Callable[[], None] = lambda: None,
    ) -> None:
        where = namespace or None
        self._kube = kube
        self._routers = tuple(routers)
        self._on_status_write = on_status_write
        self._pods_changed = asyncio.Event()
        self._mirrors = {each.kind: Mirror(kube, each, where) for each in (*_OURS, DEPLOYMENTS)}
        self._pods = Mirror(kube, PODS, where, on_change=self._pods_changed.set)
        self._levels = Readings(read_level)
        self._variants = Readings(read_variant)
        self._profiles = Readings(read_profile)
        self._stocks = Readings(read_stock)
        self._deployment_of: dict[str, str] = {}  # ReplicaSet uid -> Deployment uid
        self._learning = asyncio.Lock()
        self._written: dict[tuple[str, Key], _Written] = {}
        self._limiter = EventLimiter()
        self._found: Picture | None = None

    async def run(self) -> None:
        """Follow the API server and label new pods, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mirror in (*self._mirrors.values(), self._pods):
                group.create_task(mirror.run())
            group.create_task(self._keep_labels())

    async def synced(self) -> None:
        """Wait until every collection was listed once."""
        for mirror in (*self._mirrors.values(), self._pods):
            await mirror.synced.wait()

    @property
    def missing(self) -> tuple[str, ...]:
        """The collections that could not be listed yet: an API server away, a CRD or a role missing."""
        kinds = {**self._mirrors, PODS.kind: self._pods}
        return tuple(kind for kind, mirror in kinds.items() if not mirror.synced.is_set())

    @property
    def is_connected(self) -> bool:
        """Whether changes of every collection arrive now."""
        return all(mirror.is_connected for mirror in (*self._mirrors.values(), self._pods))

    async def observe(self, *, now_s: float) -> ClusterView:
        """The resources and pods as of now; a broken resource is a trouble, never an error."""
        await self._learn_replica_sets()
        before = self._found.targets if self._found else {}
        self._found = picture(self._observed(now_s), self._routers, before)
        view = self._found.view
        models = tuple(self._with_overwritten(model) for model in view.models)
        return dataclasses.replace(view, models=models)

    async def publish(self, publications: Sequence[Publication], *, now_s: float) -> None:
        """Write labels, statuses and the Events of what changed.

        Raises: ObservationError: some models could not be written; the next tick writes them again.
        """
        if self._found is None:
            raise RuntimeError("publish follows an observe")
        slots = asyncio.Semaphore(_MAX_CONCURRENT)
        await self._label(slots)
        batches = [list(published(each, self._found, self._status)) for each in publications]
        batches += [[write] for write in troubled(self._found, self._status, now_s=now_s)]
        results = await asyncio.gather(
            *(self._write_batch(batch, slots, now_s) for batch in batches), return_exceptions=True
        )
        failures = [each for each in results if isinstance(each, BaseException)]
        for failure in failures:
            if not isinstance(failure, KubeError):
                raise failure
        if failures:
            raise ObservationError(
                f"{len(failures)} of {len(batches)} models and resources could not be written, the first: {failures[0]}"
            ) from failures[0]

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

    def _observed(self, now_s: float) -> Observed:
        """All mirrors as they stand."""
        objects = {kind: mirror.objects for kind, mirror in self._mirrors.items()}
        levels, bad_levels = self._levels.take(objects[SERVICE_LEVELS.kind])
        variants, bad_variants = self._variants.take(objects[VARIANT_AUTOSCALINGS.kind])
        profiles, bad_profiles = self._profiles.take(objects[CAPACITY_PROFILES.kind])
        stocks, bad_stocks = self._stocks.take(objects[ACCELERATOR_STOCKS.kind])
        self._forget_written()
        return Observed(
            now_s=now_s,
            levels=levels,
            variants=variants,
            profiles=profiles,
            stocks={stock.accelerator: stock for stock in stocks.values()},
            pods=self._pods_by_variant(variants),
            selectors=dict(self._selectors(variants)),
            status=self._status,
            unreadable={
                SERVICE_LEVELS.kind: bad_levels,
                VARIANT_AUTOSCALINGS.kind: bad_variants,
                CAPACITY_PROFILES.kind: bad_profiles,
                ACCELERATOR_STOCKS.kind: bad_stocks,
            },
        )

    def _pods_by_variant(self, variants: Mapping[Key, Variant]) -> dict[Key, tuple[Pod, ...]]:
        """The pods of each variant whose Deployment is there: owned by it, and selected by it.

        Where two variants name one Deployment, its pods are the older one's.
        """
        owned = pods_of.by_owner(read_pods(self._pods.objects.values()), self._deployment_of)
        found: dict[Key, tuple[Pod, ...]] = {}
        for key, variant in sorted(variants.items(), key=lambda each: each[1].seniority):
            deployment = self._deployment(variant.namespace, variant.scale_target)
            if deployment is None:
                continue
            selector = child(deployment, "spec", "selector")
            candidates = owned.pop(text(deployment, "metadata", "uid"), [])
            found[key] = tuple(
                sorted(
                    (pod for pod in candidates if selects(selector, pod.labels)),
                    key=lambda pod: pod.name,
                )
            )
        return found

    def _deployment(self, namespace: str, target: ScaleTarget) -> Json | None:
        is_deployment = (target.api_version, target.kind) == (
            DEPLOYMENTS.api_version,
            DEPLOYMENTS.kind,
        )
        objects = self._mirrors[DEPLOYMENTS.kind].objects
        return objects.get((namespace, target.name)) if is_deployment else None

    def _selectors(self, variants: Mapping[Key, Variant]) -> Iterator[tuple[Key, Json]]:
        """The selector of each variant whose Deployment is there."""
        for key, variant in variants.items():
            deployment = self._deployment(variant.namespace, variant.scale_target)
            if deployment is not None:
                yield key, child(deployment, "spec", "selector")

    async def _learn_replica_sets(self) -> None:
        """Ask for the owner of each ReplicaSet that was not seen before; there is one a rollout."""
        async with self._learning:  # the tick and the labels ask at the same time
            owners = {
                owner.uid: (text(pod, "metadata", "namespace"), owner.name)
                for pod in self._pods.objects.values()
                if (owner := controller_of(pod)) is not None and owner.kind == REPLICA_SETS.kind
            }
            known = {u: d for u, d in self._deployment_of.items() if u in owners}
            new = [uid for uid in owners if uid not in known]
            found = await asyncio.gather(*(self._deployment_uid(*owners[uid]) for uid in new))
            self._deployment_of = known | {u: d for u, d in zip(new, found, strict=True) if d}

    async def _deployment_uid(self, namespace: str, replica_set: str) -> str:
        """Uid of the Deployment that controls a ReplicaSet; empty where that is not known now."""
        try:
            owner = controller_of(await self._kube.get(REPLICA_SETS, namespace, replica_set))
        except KubeError as error:
            _LOG.warning("replica_set_unknown", name=replica_set, detail=str(error))
            return ""
        return owner.uid if owner else ""

    def _status(self, kind: str, key: Key) -> Json:
        """A status as we left it: the watch may be behind, and others may write there; a later leader's counts."""
        written = self._written.get((kind, key))
        wire = self._mirrors[kind].objects.get(key, {})
        return dict(written.status if written is not None else child(wire, "status"))

    def _with_overwritten(self, model: ModelView) -> ModelView:
        """The model, marked where somebody has changed a status since we wrote it."""
        names = [(SERVICE_LEVELS.kind, model.service_level)]
        names += [(VARIANT_AUTOSCALINGS.kind, target.name) for target in model.targets]
        is_overwritten = any(
            (written := self._written.get((kind, (model.key.namespace, name)))) is not None
            and not says_the_same(
                written.status,
                child(self._mirrors[kind].objects[model.key.namespace, name], "status"),
            )
            for kind, name in names
        )
        return dataclasses.replace(model, is_overwritten=is_overwritten)

    def _forget_written(self) -> None:
        """Drop what is gone, and what a later leader than we has written over."""
        self._written = {
            (kind, key): written
            for (kind, key), written in self._written.items()
            if (wire := self._mirrors[kind].objects.get(key)) is not None
            and written.uid == text(wire, "metadata", "uid")
            and not is_later(child(wire, "status"), written.status)
        }

    async def _write_batch(
        self, batch: Iterable[StatusWrite], slots: asyncio.Semaphore, now_s: float
    ) -> None:
        """The statuses of one model; all are tried. Raises: KubeError: the first that failed."""
        results = await asyncio.gather(
            *(self._write(each, slots, now_s) for each in batch), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _write(self, write: StatusWrite, slots: asyncio.Semaphore, now_s: float) -> None:
        wire = self._mirrors[write.kind].objects.get(write.key)
        if wire is None or child(wire, "status") == write.status:
            return
        resource = next(each for each in _OURS if each.kind == write.kind)
        namespace, name = write.key
        async with slots:
            try:
                await self._kube.apply_status(
                    resource, namespace or None, name, write.status, manager=MANAGER
                )
            except NotFound:
                return  # deleted in the meantime
            self._on_status_write()
            uid = text(wire, "metadata", "uid")
            self._written[write.kind, write.key] = _Written(uid, write.status)
            for notice in write.notices:
                await self._tell(wire, notice, now_s)

    async def _tell(self, about: Json, notice: Notice, now_s: float) -> None:
        if not self._limiter.passes(text(about, "metadata", "uid"), notice.reason, now_s=now_s):
            return
        body = event_body(about, notice, now_s=now_s)
        namespace = text(body, "metadata", "namespace")
        try:
            await self._kube.create(EVENTS, namespace, body)
        except KubeError as error:
            # the status has the same words: an Event that is lost is no reason to write that again
            _LOG.warning("event_lost", reason=notice.reason, detail=str(error))

    async def _keep_labels(self) -> None:
        """Label pods as they come: a router cannot use one before, and a tick may be long away."""
        await self.synced()
        slots = asyncio.Semaphore(_MAX_CONCURRENT)
        while True:
            self._pods_changed.clear()
            await self._learn_replica_sets()
            are_labelled = await self._label(slots)
            await asyncio.sleep(_LABEL_PAUSE_WALL_S if are_labelled else _RETRY_WALL_S)
            if are_labelled:
                await self._pods_changed.wait()

    async def _label(self, slots: asyncio.Semaphore) -> bool:
        """Give every pod of a target its labels; whether none is left that could not be."""
        variants, _ = self._variants.take(self._mirrors[VARIANT_AUTOSCALINGS.kind].objects)
        patches = [
            (pod, patch)
            for key, pods in self._pods_by_variant(variants).items()
            if serves_mixed(variants[key])
            for pod in pods
            if (patch := label_patch(pod.labels, key[1], _GROUP))
        ]
        return all(
            await asyncio.gather(*(self._patch(pod, patch, slots) for pod, patch in patches))
        )

    async def _patch(self, pod: Pod, patch: Json, slots: asyncio.Semaphore) -> bool:
        async with slots:
            try:
                await self._kube.merge(PODS, pod.namespace, pod.name, patch)
            except NotFound:
                return True  # gone in the meantime
            except KubeError as error:
                _LOG.warning("pod_not_labelled", name=pod.name, detail=str(error))
                return False
        return True
