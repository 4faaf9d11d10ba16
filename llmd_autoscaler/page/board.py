"""What the page shows now, in parts that know when they last changed; a reader is sent what it has not seen.

A part is one model's statuses, one line of the table, or the head of the page. No log of changes is kept:
whoever comes back with the version that it has gets the parts that are younger, or everything.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

_MOST_REMOVED = 1000  # beyond it whoever was away for so long is told everything

Part = tuple[str, str]  # kind, key


@dataclass(slots=True)
class Board:
    """The parts of the page and their versions."""

    name: str
    """Of this process: versions of another one say nothing here."""
    version: int = 0
    _parts: dict[Part, tuple[int, object]] = field(default_factory=dict)
    _removed: dict[Part, int] = field(default_factory=dict)
    _oldest_removed: int = 0

    def put(self, kind: str, values: Mapping[str, object]) -> None:
        """These are all parts of a kind; what is as it was keeps its version."""
        version = self.version + 1
        for key, value in values.items():
            known = self._parts.get((kind, key))
            if known is None or known[1] != value:
                self._parts[kind, key] = (version, value)
                self._removed.pop((kind, key), None)
                self.version = version
        for part in [p for p in self._parts if p[0] == kind and p[1] not in values]:
            del self._parts[part]
            self._removed[part] = self.version = version
        while len(self._removed) > _MOST_REMOVED:
            first = next(iter(self._removed))
            self._oldest_removed = self._removed.pop(first)

    def has(self, version: int) -> bool:
        """Whether it can be said what came after a version."""
        return self._oldest_removed <= version <= self.version

    def event(self, since: int | None = None) -> bytes:
        """A server-sent event: all parts, or those that are younger than a version."""
        said: dict[str, object] = {}
        for (kind, key), (version, value) in self._parts.items():
            if since is None or version > since:
                _inner(said, kind)[key] = value
        if since is not None:
            for (kind, key), version in self._removed.items():
                if version > since:
                    _inner(said, kind)[key] = None
        name = "all" if since is None else "some"
        body = json.dumps(said, separators=(",", ":"), allow_nan=False)
        return f"id: {self.name}.{self.version}\nevent: {name}\ndata: {body}\n\n".encode()

    def everything(self) -> dict[str, dict[str, object]]:
        """All parts by kind and key."""
        found: dict[str, dict[str, object]] = {}
        for (kind, key), (_, value) in self._parts.items():
            found.setdefault(kind, {})[key] = value
        return found

    def version_of(self, event_id: str) -> int | None:
        """The version that an event's id names; None where it is not of this process or too old."""
        name, _, digits = event_id.rpartition(".")
        if name != self.name or not digits.isdecimal():
            return None
        version = int(digits)
        return version if self.has(version) else None


def _inner(said: dict[str, object], kind: str) -> dict[str, object]:
    inner = said.setdefault(kind, {})
    assert isinstance(inner, dict)  # noqa: S101 (nobody else writes into it)
    return inner
