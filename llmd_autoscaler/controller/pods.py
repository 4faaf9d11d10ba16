"""Pods as the controller sees them: what they do, and whose they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmd_autoscaler.controller.ports import Instance
from llmd_autoscaler.translate.json_object import Json, child, items, text
from llmd_autoscaler.translate.pod import address, is_draining, is_ready
from llmd_autoscaler.translate.world import InstanceCounts

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller that a pod belongs to."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that may still serve, or drains."""

    namespace: str
    name: str
    ip: str
    labels: Json
    owner: Owner | None
    is_ready: bool
    is_draining: bool

    @property
    def is_starting(self) -> bool:
        """Whether it will serve, but does not yet."""
        return not self.is_ready and not self.is_draining


def read_pods(objects: Iterable[Json]) -> list[Pod]:
    """The pods that have not ended: one that failed or succeeded never serves again."""
    return [_pod(each) for each in objects if text(each, "status", "phase") not in _ENDED]


def controller_of(wire: Json) -> Owner | None:
    """The owner that controls an object; without one the object is nobody's."""
    for each in items(wire, "metadata", "ownerReferences"):
        if each.get("controller") is True:
            return Owner(text(each, "kind"), text(each, "name"), text(each, "uid"))
    return None


def counts(pods: Iterable[Pod]) -> InstanceCounts:
    """How many are ready, starting and draining."""
    pods = list(pods)
    return InstanceCounts(
        n_ready=sum(pod.is_ready for pod in pods),
        n_starting=sum(pod.is_starting for pod in pods),
        n_draining=sum(pod.is_draining for pod in pods),
    )


def instances(pods: Iterable[Pod], target: str, port: int) -> tuple[Instance, ...]:
    """The instances of a target, those that drain left out."""
    return tuple(
        Instance(pod.name, target, address(pod.ip, port), pod.is_ready)
        for pod in pods
        if not pod.is_draining
    )


def by_owner(pods: Iterable[Pod], deployment_of: Mapping[str, str]) -> dict[str, list[Pod]]:
    """Pods by the uid of their Deployment.

    Args:
        pods: all pods.
        deployment_of: ReplicaSet uid -> uid of the Deployment that controls it.
    """
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        if pod.owner is not None:
            uid = deployment_of.get(pod.owner.uid, pod.owner.uid)
            found.setdefault(uid, []).append(pod)
    return found


def _pod(wire: Json) -> Pod:
    return Pod(
        namespace=text(wire, "metadata", "namespace"),
        name=text(wire, "metadata", "name"),
        ip=text(wire, "status", "podIP"),
        labels=child(wire, "metadata", "labels"),
        owner=controller_of(wire),
        is_ready=is_ready(wire),
        is_draining=is_draining(wire),
    )
