"""The Deployment controller of the simulated cluster: as many pods as `spec.replicas` says."""

import asyncio

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.conditions import conditioned
from llmd_autoscaler.simulator.deployment import Deployment, Instance, StartUp, reconcile
from llmd_autoscaler.simulator.kubeapi.kinds import DEPLOYMENT, POD
from llmd_autoscaler.simulator.kubeapi.objects import Json, seconds
from llmd_autoscaler.simulator.kubeapi.paths import Target
from llmd_autoscaler.simulator.kubeapi.verbs import Verbs
from llmd_autoscaler.simulator.pod_status import (
    READY_AT,
    deletion_cost,
    is_ending,
    is_failed,
    ready_since_s,
    serves,
)
from llmd_autoscaler.translate.json_object import child, items, text, texts, whole

# Annotations of a Deployment that say how its pods start (simulated seconds)
STARTUP_P50 = "simulator.llmd.ai/startup-p50-s"
STARTUP_P90 = "simulator.llmd.ai/startup-p90-s"
N_WARM = "simulator.llmd.ai/n-warm"
SEED = "simulator.llmd.ai/seed"

NODE = "simulated"
# As the kubelet's CrashLoopBackOff (simulated): a command that cannot work must not spin
_CRASH_PAUSE_S = (10.0, 300.0)


class DeploymentController:
    """Creates, drains and replaces the pods of all Deployments."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._clock = verbs.store.clock
        self._n_created: dict[str, int] = {}  # by Deployment uid, as the three below
        self._n_crashes: dict[str, int] = {}  # in a row, of pods that never served
        self._not_before_s: dict[str, float] = {}
        self._served: set[str] = set()  # uids of pods

    async def run(self) -> None:
        """Reconcile after every change, until cancelled."""
        store = self._verbs.store
        while True:
            changes = [store.collection(kind).changed for kind in (DEPLOYMENT, POD)]
            self._reconcile_all()
            # our own writes have set these events, so a step runs again until it changes nothing
            waiting = [asyncio.create_task(change.wait()) for change in changes]
            try:
                await asyncio.wait(
                    waiting,
                    timeout=self._wall_until_retry_s(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                for task in waiting:
                    task.cancel()

    def _reconcile_all(self) -> None:
        pods: dict[str, list[Json]] = {}
        for pod in self._verbs.store.collection(POD).objects.values():
            for owner in items(pod, "metadata", "ownerReferences"):
                pods.setdefault(text(owner, "uid"), []).append(pod)
        for body in list(self._verbs.store.collection(DEPLOYMENT).objects.values()):
            self._reconcile(body, pods.pop(text(body, "metadata", "uid"), []))
        for orphan in (pod for owned in pods.values() for pod in owned):
            self._delete(orphan)

    def _reconcile(self, body: Json, pods: list[Json]) -> None:
        try:
            self._scale(body, pods)
        except ConfigError as error:  # this Deployment waits for its owner, the others go on
            self._show(body, pods, failure=str(error))
        else:
            self._show(body, pods)

    def _scale(self, body: Json, pods: list[Json]) -> None:
        uid, now_s = text(body, "metadata", "uid"), self._clock.now_s()
        self._note_health(uid, pods, now_s)
        alive = [pod for pod in pods if not is_failed(pod)]
        deployment = Deployment(
            name=text(body, "metadata", "name"),
            start_up=start_up_of(body),
            instances=tuple(_instance(pod, now_s) for pod in alive),
            n_created=self._n_created.get(uid, 0),
        )
        desired = whole(body, "spec", "replicas", default=1)
        if now_s < self._not_before_s.get(uid, 0.0):
            desired = min(desired, len(deployment.active))
        step = reconcile(deployment, desired, now_s)
        drained = {instance.name for instance in step.drained}
        for pod in alive:
            if text(pod, "metadata", "name") in drained:
                self._delete(pod)
        for ordinal, created in enumerate(step.created, start=deployment.n_created):
            # an ending pod of a former Deployment may hold the name: its end wakes us again
            if self._is_taken(body, created.name):
                break
            pods.append(self._create(body, created))
            self._n_created[uid] = ordinal + 1

    def _is_taken(self, body: Json, name: str) -> bool:
        namespace = text(body, "metadata", "namespace")
        return (namespace, name) in self._verbs.store.collection(POD).objects

    def _note_health(self, uid: str, pods: list[Json], now_s: float) -> None:
        """Remember who served; let go of the failed; pause after crashes in a row."""
        for pod in pods:
            pod_uid = text(pod, "metadata", "uid")
            if serves(pod):
                self._served.add(pod_uid)
                self._n_crashes.pop(uid, None)
            elif is_failed(pod):
                if pod_uid not in self._served:
                    first_s, longest_s = _CRASH_PAUSE_S
                    n_before = self._n_crashes.get(uid, 0)
                    self._not_before_s[uid] = now_s + min(first_s * 2.0**n_before, longest_s)
                    self._n_crashes[uid] = min(n_before + 1, 10)
                self._served.discard(pod_uid)
                self._delete(pod, grace_s=0)

    def _create(self, body: Json, instance: Instance) -> Json:
        metadata, template = child(body, "metadata"), child(body, "spec", "template")
        name, namespace = instance.name, text(metadata, "namespace")
        owner = {
            "apiVersion": DEPLOYMENT.api_version,
            "kind": DEPLOYMENT.name,
            "name": text(metadata, "name"),
            "uid": text(metadata, "uid"),
            "controller": True,
        }
        labels: Json = {**texts(template, "metadata", "labels")}
        annotations: Json = {**texts(template, "metadata", "annotations")}
        pod: Json = {
            "apiVersion": POD.api_version,
            "kind": POD.name,
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": annotations | {READY_AT: repr(instance.ready_s)},
                "ownerReferences": [owner],
            },
            "spec": {**child(template, "spec"), "nodeName": NODE},
        }
        return self._verbs.create(Target(POD, namespace), pod)

    def _delete(self, pod: Json, *, grace_s: int | None = None) -> None:
        namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
        if grace_s == 0 or not is_ending(pod):
            self._verbs.delete(Target(POD, namespace, name), grace_s=grace_s)

    def _show(self, body: Json, seen: list[Json], *, failure: str = "") -> None:
        """Write the status: the pods seen, as they are now."""
        namespace, name = text(body, "metadata", "namespace"), text(body, "metadata", "name")
        objects = self._verbs.store.collection(POD).objects
        names = [text(pod, "metadata", "name") for pod in seen]
        pods = [objects[namespace, name] for name in names if (namespace, name) in objects]
        n_ending = sum(is_ending(pod) for pod in pods)
        n_ready = sum(serves(pod) for pod in pods)
        n_active, desired = len(pods) - n_ending, whole(body, "spec", "replicas", default=1)
        status: Json = {
            "observedGeneration": whole(body, "metadata", "generation"),
            "replicas": n_active,
            "updatedReplicas": n_active,
            "readyReplicas": n_ready,
            "availableReplicas": n_ready,
            "unavailableReplicas": max(0, desired - n_ready),
            "terminatingReplicas": n_ending,
            "conditions": self._conditions(body, is_available=n_ready >= desired, failure=failure),
        }
        self._verbs.merge(Target(DEPLOYMENT, namespace, name, "status"), {"status": status})

    def _conditions(self, body: Json, *, is_available: bool, failure: str) -> list[Json]:
        now_s = self._clock.now_s()
        reason = "MinimumReplicasAvailable" if is_available else "MinimumReplicasUnavailable"
        found = [conditioned(body, "Available", is_true=is_available, reason=reason, now_s=now_s)]
        if failure:
            failed = conditioned(
                body, "ReplicaFailure", is_true=True, reason="FailedCreate", now_s=now_s
            )
            found.append({**failed, "message": failure})
        return found

    def _wall_until_retry_s(self) -> float | None:
        now_s = self._clock.now_s()
        later = [at_s for at_s in self._not_before_s.values() if at_s > now_s]
        return self._clock.wall_until_s(min(later)) if later else None


def start_up_of(body: Json) -> StartUp:
    """How the pods of a Deployment start, from its annotations; without any they are ready at once.

    Raises: ConfigError: an annotation is no number, or the quantiles contradict each other.
    """
    notes = texts(body, "metadata", "annotations")
    try:
        p50_s = float(notes.get(STARTUP_P50, "0"))
        return StartUp(
            p50_s=p50_s,
            p90_s=float(notes.get(STARTUP_P90, p50_s)),
            seed=int(notes.get(SEED, "0")),
            n_warm=int(notes.get(N_WARM, "0")),
        )
    except ValueError as error:
        name = text(body, "metadata", "name")
        raise ConfigError(f"deployment {name}: annotations simulator.llmd.ai/*: {error}") from error


def _instance(pod: Json, now_s: float) -> Instance:
    return Instance(
        name=text(pod, "metadata", "name"),
        created_s=seconds(text(pod, "metadata", "creationTimestamp")),
        ready_s=ready_since_s(pod),
        draining_since_s=now_s if is_ending(pod) else None,
        deletion_cost=deletion_cost(pod),
    )
