"""Who controls a pod in the end: the chain of owners up to the object that is scaled."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping

import structlog

from llmd_autoscaler.controller.door import Door
from llmd_autoscaler.controller.pods import Owner, Pod, controller_of
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.json_object import Json, text

# Between a pod and what is scaled stand a ReplicaSet (of a Deployment), or StatefulSets and the leader
# pod (of a LeaderWorkerSet).
_OF_DEPLOYMENTS = frozenset({"ReplicaSet"})
_OF_ANYTHING = frozenset({"ReplicaSet", "StatefulSet", "Pod"})
_LONGEST_CHAIN = 4
_LOG = structlog.stdlib.get_logger(__name__)

_Link = tuple[str, Owner]  # namespace, and who stands there


class Owners:
    """The links between owners, as far as pods that exist need them; each is asked for once in its life."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._above: dict[str, Owner | None] = {}  # uid -> its controller
        self._learning = asyncio.Lock()

    async def learn(self, pods: Mapping[Key, Json], *, only_deployments: bool) -> None:
        """Ask for the controller of each owner that was not seen before.

        Args:
            pods: all pods, as the API server has them.
            only_deployments: whether nothing but Deployments is scaled: other chains are nobody's business then.
        """
        kinds = _OF_DEPLOYMENTS if only_deployments else _OF_ANYTHING
        async with self._learning:  # the tick and the labels ask at the same time
            above: dict[str, Owner | None] = {}
            frontier = {owner.uid: (space, owner) for space, owner in _controllers(pods.values())}
            for _ in range(_LONGEST_CHAIN):
                links = [
                    link
                    for uid, link in frontier.items()
                    if link[1].kind in kinds and uid not in above
                ]
                found = await asyncio.gather(*(self._controller(link, pods) for link in links))
                above |= dict(each for each in found if each is not None)
                frontier = {
                    owner.uid: (space, owner)
                    for space, below in links
                    if (owner := above.get(below.uid)) is not None
                }
            self._above = above

    def root(self, pod: Pod) -> str:
        """Uid of the last owner of a pod that is known; empty where nobody controls it."""
        owner = pod.owner
        while owner is not None and (above := self._above.get(owner.uid)) is not None:
            owner = above
        return owner.uid if owner is not None else ""

    async def _controller(
        self, link: _Link, pods: Mapping[Key, Json]
    ) -> tuple[str, Owner | None] | None:
        """The controller of one owner; None where that is not known now."""
        namespace, owner = link
        if owner.uid in self._above:
            return owner.uid, self._above[owner.uid]
        try:
            if owner.kind == "Pod":
                wire: Json | None = pods.get((namespace, owner.name))
            else:
                wire = await self._door.get(owner.kind, (namespace, owner.name))
        except ObservationError as error:
            _LOG.warning("owner_unknown", kind=owner.kind, name=owner.name, detail=str(error))
            return None
        return None if wire is None else (owner.uid, controller_of(wire))


def _controllers(pods: Iterable[Json]) -> Iterator[_Link]:
    """Who controls the pods, and in which namespace."""
    for pod in pods:
        owner = controller_of(pod)
        if owner is not None:
            yield text(pod, "metadata", "namespace"), owner
