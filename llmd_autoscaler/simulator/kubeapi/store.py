"""Objects in memory and the log of their changes: what etcd and the watch cache are to Kubernetes.

Objects in the store are never changed in place: a write replaces the object whole, so readers and
the log may keep references.
"""

import asyncio
import json
import uuid
from bisect import bisect_right

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.kubeapi.kinds import Kind
from llmd_autoscaler.simulator.kubeapi.objects import Json, timestamp
from llmd_autoscaler.simulator.kubeapi.selectors import Selector
from llmd_autoscaler.simulator.kubeapi.status import ApiError, expired
from llmd_autoscaler.translate.json_object import child, text, whole

Key = tuple[str, str]
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def encoded(value: Json) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


class Change:
    """One entry of the log: an object before and after a write."""

    __slots__ = ("_lines", "after", "before", "revision")

    def __init__(self, revision: int, before: Json | None, after: Json | None) -> None:
        self.revision = revision
        self.before = before
        self.after = after
        self._lines: dict[str, bytes] = {}

    def line(self, namespace: str, selector: Selector) -> bytes:
        """The watch event as one reader sees it; empty where the change is none of its business.

        An object that begins to match is ADDED for this reader, one that ceases to is DELETED.
        """
        was = self.before if self._concerns(self.before, namespace, selector) else None
        now = self.after if self._concerns(self.after, namespace, selector) else None
        if now is not None:
            return self._line("MODIFIED" if was is not None else "ADDED", now)
        if was is not None:
            metadata = {**child(was, "metadata"), "resourceVersion": str(self.revision)}
            return self._line("DELETED", {**was, "metadata": metadata})
        return b""

    @staticmethod
    def _concerns(candidate: Json | None, namespace: str, selector: Selector) -> bool:
        if candidate is None or not selector.matches(candidate):
            return False
        return not namespace or text(candidate, "metadata", "namespace") == namespace

    def _line(self, kind: str, value: Json) -> bytes:
        # encoded once for all readers: with a hundred statuses a second this is most of the work
        if kind not in self._lines:
            self._lines[kind] = encoded({"type": kind, "object": value}) + b"\n"
        return self._lines[kind]


class Collection:
    """All objects of one kind and the last changes to them."""

    def __init__(self, n_changes_kept: int) -> None:
        self.objects: dict[Key, Json] = {}
        self.last_applied: dict[Key, dict[tuple[str, str], Json]] = {}
        self.changed = asyncio.Event()
        self._n_kept = n_changes_kept
        self._log: list[Change] = []
        self._forgotten = 0  # the revision up to which the log has been cut

    def append(self, change: Change) -> None:
        """Log a change and wake the readers."""
        self._log.append(change)
        if len(self._log) > 2 * self._n_kept:  # cut rarely: one cut costs as much as many appends
            self._cut(self._n_kept)
        self.changed.set()
        self.changed = asyncio.Event()

    def since(self, revision: int) -> list[Change]:
        """The changes after a revision.

        Raises: ApiError: 410, the log no longer reaches back that far.
        """
        if revision < self._forgotten:
            raise expired(revision, self._forgotten)
        return self._log[bisect_right(self._log, revision, key=lambda change: change.revision) :]

    def forget(self) -> None:
        """Cut the whole log, as etcd's compaction does: every watch that is behind gets a 410."""
        self._cut(0)

    def _cut(self, n_kept: int) -> None:
        n_cut = len(self._log) - n_kept
        if n_cut > 0:
            self._forgotten = self._log[n_cut - 1].revision
            del self._log[:n_cut]


class Store:
    """Every collection, under one counter of revisions."""

    def __init__(self, clock: Clock, *, n_changes_kept: int = 4096) -> None:
        self.clock = clock
        self.revision = 1
        self._n_kept = n_changes_kept
        self._collections: dict[Kind, Collection] = {}

    def collection(self, kind: Kind) -> Collection:
        """The objects of a kind; empty until the first is written."""
        if kind not in self._collections:
            self._collections[kind] = Collection(self._n_kept)
        return self._collections[kind]

    def write(self, kind: Kind, key: Key, wanted: Json) -> Json:
        """Keep an object under its key; returns it as kept.

        A write that changes nothing keeps the resourceVersion and wakes nobody. `generation` counts
        the changes outside of metadata and status.
        """
        collection = self.collection(kind)
        live = collection.objects.get(key)
        kept = self._complete(kind, key, wanted, live)
        if live is not None and kept == live:
            return live
        self.revision += 1
        metadata = {**child(kept, "metadata"), "resourceVersion": str(self.revision)}
        kept = {**kept, "metadata": metadata}
        collection.objects[key] = kept
        collection.append(Change(self.revision, live, kept))
        return kept

    def remove(self, kind: Kind, key: Key) -> None:
        """Let go of an object that is there."""
        collection = self.collection(kind)
        live = collection.objects.pop(key)
        collection.last_applied.pop(key, None)
        self.revision += 1
        collection.append(Change(self.revision, live, None))

    def check_not_ahead(self, revision: int) -> None:
        """Refuse to start at a revision that has not been given out.

        Raises: ApiError: 504, as Kubernetes answers after the store was put back.
        """
        if revision > self.revision:
            raise ApiError(
                504, "Timeout", f"Too large resource version: {revision}, current: {self.revision}"
            )

    def _complete(self, kind: Kind, key: Key, wanted: Json, live: Json | None) -> Json:
        namespace, name = key
        metadata = {**child(wanted, "metadata"), "name": name}
        for dropped in ("managedFields", "generateName", "resourceVersion", "selfLink"):
            metadata.pop(dropped, None)
        if namespace:
            metadata["namespace"] = namespace
        kept = {**wanted, "apiVersion": kind.api_version, "kind": kind.name}
        if live is None:
            metadata["uid"] = str(uuid.uuid4())
            metadata["creationTimestamp"] = timestamp(self.clock.now_s())
            generation = 1
        else:
            was = child(live, "metadata")
            metadata |= {
                field: was[field] for field in _KEPT if field in was and field not in metadata
            }
            metadata["uid"], metadata["creationTimestamp"] = was["uid"], was["creationTimestamp"]
            metadata["resourceVersion"] = was["resourceVersion"]
            generation = whole(live, "metadata", "generation") + (_body(kept) != _body(live))
        if kind.has_status:
            metadata["generation"] = generation
        return {**kept, "metadata": metadata}


def _body(value: Json) -> Json:
    return {key: item for key, item in value.items() if key not in ("metadata", "status")}
