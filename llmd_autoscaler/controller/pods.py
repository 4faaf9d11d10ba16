"""Pods as the controller sees them: what they do, and whose they are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from llmd_autoscaler.controller.ports import Instance
from llmd_autoscaler.translate.json_object import Json, child, items, text
from llmd_autoscaler.translate.pod import address, is_draining, is_ready
from llmd_autoscaler.translate.world import InstanceCounts

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
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
    uid: str = ""
    created_at: str = ""  # as Kubernetes writes times, which sort as texts
    ready_at: str = ""  # since when it is Ready; empty where it is not
    waits_for: str = ""  # what keeps it from a node, in a few words; empty once it has one
    deletion_cost: str = ""

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


def by_root(pods: Iterable[Pod], root: Callable[[Pod], str]) -> dict[str, list[Pod]]:
    """Pods by the uid of the object that controls them in the end; those that nobody controls are left out."""
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        if uid := root(pod):
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
        uid=text(wire, "metadata", "uid"),
        created_at=text(wire, "metadata", "creationTimestamp"),
        ready_at=_since(wire, "Ready"),
        waits_for=_waits_for(wire),
        deletion_cost=text(wire, "metadata", "annotations", DELETION_COST),
    )


def _since(wire: Json, kind: str) -> str:
    """Since when a condition is True; empty where it is not."""
    for each in items(wire, "status", "conditions"):
        if each.get("type") == kind and each.get("status") == "True":
            return text(each, "lastTransitionTime")
    return ""


def _waits_for(wire: Json) -> str:
    """What keeps a pod from a node: a gate, such as Kueue's, or a scheduler that finds no room."""
    if text(wire, "spec", "nodeName"):
        return ""
    gates = [text(gate, "name") for gate in items(wire, "spec", "schedulingGates")]
    if gates:
        return f"gated by {', '.join(gates)}"
    for each in items(wire, "status", "conditions"):
        if each.get("type") == "PodScheduled" and each.get("reason") == "Unschedulable":
            return f"no node: {text(each, 'message') or 'Unschedulable'}"
    return ""
