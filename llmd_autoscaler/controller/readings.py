"""Resources of one kind as they were read; each is read again only when its spec or its annotations changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.json_object import Json, child, text

Key = tuple[str, str]  # namespace, name
Read = TypeVar("Read")
_Version = tuple[str, object, object]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource that cannot be read, and why."""

    key: Key
    message: str


class Readings(Generic[Read]):
    """All resources of a kind. Statuses change every tick and specs hardly ever, hence the memory."""

    def __init__(self, reader: Callable[[Json], Read]) -> None:
        self._reader = reader
        self._known: dict[Key, tuple[_Version, Read | Unreadable]] = {}

    def take(self, objects: Mapping[Key, Json]) -> tuple[dict[Key, Read], dict[Key, Unreadable]]:
        """What can be read and what cannot, by namespace and name."""
        self._known = {key: self._read(key, wire) for key, wire in objects.items()}
        read: dict[Key, Read] = {}
        unreadable: dict[Key, Unreadable] = {}
        for key, (_, found) in self._known.items():
            if isinstance(found, Unreadable):
                unreadable[key] = found
            else:
                read[key] = found
        return read, unreadable

    def _read(self, key: Key, wire: Json) -> tuple[_Version, Read | Unreadable]:
        metadata = child(wire, "metadata")
        # annotations are no part of what the generation counts
        version = (text(metadata, "uid"), metadata.get("generation"), metadata.get("annotations"))
        known = self._known.get(key)
        if known is not None and known[0] == version:
            return known
        try:
            return version, self._reader(wire)
        except ConfigError as error:
            return version, Unreadable(key, str(error))
