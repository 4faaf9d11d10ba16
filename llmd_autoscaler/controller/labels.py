"""What the controller writes on pods: the labels by which routers find them, and who may go first."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import structlog

from llmd_autoscaler.controller.door import Door
from llmd_autoscaler.controller.pods import DELETION_COST, Pod
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.json_object import Json
from llmd_autoscaler.translate.pod import TARGET_LABEL, label_patch
from llmd_autoscaler.translate.stored import stored_desired

GROUP = "mixed"  # the one that is planned for today
# Lower than any pod that nobody has marked: a ReplicaSet takes these away first.
VICTIM_COST = "-100"
_POD = "Pod"
_LOG = structlog.stdlib.get_logger(__name__)

Patch = tuple[Pod, dict[str, object]]


def label_patches(target: str, pods: Iterable[Pod], workers: Iterable[Pod]) -> Iterator[Patch]:
    """What the pods of a target lack.

    Args:
        target: name of the VariantAutoscaling.
        pods: one for each instance; requests go there.
        workers: the other pods of a group of pods: they belong to the target, but no request goes to them,
            so they carry no group, without which a router passes by.
    """
    for pod in pods:
        if patch := label_patch(pod.labels, target, GROUP):
            yield pod, patch
    for pod in workers:
        if pod.labels.get(TARGET_LABEL) != target:
            yield pod, {"metadata": {"labels": {TARGET_LABEL: target}}}


def cost_patches(pods: Sequence[Pod], status: Json) -> Iterator[Patch]:
    """Marks so many of a Deployment's pods to go first as are too many, and takes the mark from the others.

    Those that do not serve yet go before all others anyway, and the youngest has the least cache to lose.

    Args:
        pods: of one Deployment.
        status: of its VariantAutoscaling, as it was last written.
    """
    desired = stored_desired(status)
    staying = [pod for pod in pods if not pod.is_draining]
    n_surplus = max(0, len(staying) - desired) if desired else 0
    youngest_first = sorted(staying, key=lambda pod: (pod.created_at, pod.name), reverse=True)
    leaving = sorted(youngest_first, key=lambda pod: pod.is_ready)[:n_surplus]
    victims = {pod.name for pod in leaving}
    for pod in staying:
        wanted = VICTIM_COST if pod.name in victims else None
        # a cost that somebody else wrote is theirs
        if pod.deletion_cost != (wanted or "") and pod.deletion_cost in ("", VICTIM_COST):
            yield pod, {"metadata": {"annotations": {DELETION_COST: wanted}}}


async def written(door: Door, patches: Iterable[Patch], slots: asyncio.Semaphore) -> bool:
    """Write patches of pods; whether none is left that could not be."""

    async def patch(pod: Pod, body: dict[str, object]) -> bool:
        async with slots:
            try:
                await door.merge(_POD, (pod.namespace, pod.name), body)  # gone is as good
            except ObservationError as error:
                _LOG.warning("pod_not_labelled", name=pod.name, detail=str(error))
                return False
        return True

    return all(await asyncio.gather(*(patch(pod, body) for pod, body in patches)))
