"""Collections that are followed by list and watch, and listed again after any failure."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

from llmd_autoscaler.kube.api import Json, Kube, KubeError
from llmd_autoscaler.kube.resources import Resource

Key = tuple[str, str]  # namespace, name; no namespace where the kind has none

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before a relist after a failure


class Copy(Protocol):
    """What a followed collection is kept in."""

    def replace(self, objects: dict[Key, Json]) -> None:
        """These are all there are; changes of them follow."""
        ...

    def put(self, key: Key, found: Json) -> None:
        """An object is new or has changed."""
        ...

    def remove(self, key: Key) -> None:
        """An object is gone."""
        ...

    def heard(self) -> None:
        """The API server was there just now; said after every change too."""
        ...

    def lost(self, why: str) -> None:
        """Changes do not arrive any more."""
        ...


class Follower:
    """Keeps a copy equal to one collection."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        copy: Copy,
        *,
        label_selector: str = "",
    ) -> None:
        self._kube = kube
        self._resource = resource
        self._namespace = namespace
        self._copy = copy
        self._label_selector = label_selector
        self._has_watched = False

    async def run(self) -> None:
        """Until cancelled."""
        n_failures = 0
        try:
            while True:
                self._has_watched = False
                try:
                    version = await self._relist()
                    while True:
                        version = await self._watch(version)
                except KubeError as error:
                    self._copy.lost(str(error))
                # a list alone proves little: the right to watch may be missing
                n_failures = 0 if self._has_watched else n_failures + 1
                pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(n_failures, 10), _LONGEST_PAUSE_S)
                # spread, or all replicas would list at once when the API comes back
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311
        finally:
            self._copy.lost("not followed any more")

    async def _relist(self) -> str:
        where, selector = self._namespace, self._label_selector
        items, version = await self._kube.list(self._resource, where, label_selector=selector)
        self._copy.replace({_key(item): _trimmed(item) for item in items})
        self._copy.heard()
        return version

    async def _watch(self, version: str) -> str:
        """Take over the events of one stream; returns where the next one starts."""
        async for event in self._kube.watch(
            self._resource, self._namespace, version, label_selector=self._label_selector
        ):
            found = event.get("object")
            if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
                raise KubeError(f"{self._resource.plural}: an event of the watch has no object")
            version = str(found["metadata"].get("resourceVersion", version))
            match event.get("type"):
                case "ADDED" | "MODIFIED":
                    self._copy.put(_key(found), _trimmed(found))
                case "DELETED":
                    self._copy.remove(_key(found))
                case _:
                    pass  # a bookmark carries its version only
            self._has_watched = True
            self._copy.heard()
        # a stream that ends by itself was alive to its end
        self._has_watched = True
        self._copy.heard()
        return version


class Mirror:
    """A copy of one collection as it stands at the API server."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        *,
        label_selector: str = "",
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.objects: dict[Key, Json] = {}
        """Objects are replaced whole; do not iterate across an await."""
        self.synced = asyncio.Event()  # set once the first list is in
        self.is_connected = False
        """Whether changes arrive now; `objects` stays as last seen while it is False."""
        self._on_change = on_change
        self._follower = Follower(kube, resource, namespace, self, label_selector=label_selector)

    async def run(self) -> None:
        """Keep the copy until cancelled."""
        await self._follower.run()

    def replace(self, objects: dict[Key, Json]) -> None:
        """All objects anew."""
        self.objects = objects
        self.is_connected = True
        self.synced.set()
        self._on_change()

    def put(self, key: Key, found: Json) -> None:
        """An object is new or has changed."""
        self.objects[key] = found
        self._on_change()

    def remove(self, key: Key) -> None:
        """An object is gone."""
        self.objects.pop(key, None)
        self._on_change()

    def heard(self) -> None:
        """Nothing to do: what was heard is in the objects."""

    def lost(self, why: str) -> None:
        """Keep what was seen."""
        del why
        self.is_connected = False


def _key(item: Json) -> Key:
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        return "", ""
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _trimmed(item: Json) -> Json:
    """Without managedFields: often half of an object, and nobody here reads them."""
    metadata = item.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return item
