"""The watch stream: one JSON event a line, bookmarks between, an ERROR event where the log was cut."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from llmd_autoscaler.simulator.kubeapi.kinds import Kind
from llmd_autoscaler.simulator.kubeapi.selectors import Selector
from llmd_autoscaler.simulator.kubeapi.status import ApiError
from llmd_autoscaler.simulator.kubeapi.store import Change, Store, encoded

BOOKMARK_EVERY_S = 10.0  # wall; Kubernetes sends one about each minute, tests want to see them


@dataclass(frozen=True, slots=True)
class Watch:
    """What one reader wants to see, and for how long (wall seconds)."""

    kind: Kind
    namespace: str
    selector: Selector
    revision: int
    """Where to start; 0 = with all that is there, each object as ADDED."""
    timeout_s: float
    has_bookmarks: bool


async def lines(store: Store, watch: Watch) -> AsyncIterator[bytes]:
    """What to write, many events at a time, until the time is over or the log is cut."""
    now = asyncio.get_running_loop().time
    ends, revision = now() + watch.timeout_s, watch.revision
    if not revision:
        revision = store.revision
        yield _all_added(store, watch)
    while True:
        collection = store.collection(watch.kind)
        changed = collection.changed
        try:
            found = collection.since(revision)
        except ApiError as error:
            yield encoded({"type": "ERROR", "object": error.status()}) + b"\n"
            return
        # all changes of the store up to here are seen, also those of other kinds
        revision = store.revision
        if block := b"".join(change.line(watch.namespace, watch.selector) for change in found):
            yield block
        try:
            async with asyncio.timeout(min(BOOKMARK_EVERY_S, max(0.0, ends - now()))):
                await changed.wait()
        except TimeoutError:
            if watch.has_bookmarks:
                yield _bookmark(watch.kind, revision)
            if now() >= ends:
                return


def _all_added(store: Store, watch: Watch) -> bytes:
    changes = (Change(0, None, value) for value in store.collection(watch.kind).objects.values())
    return b"".join(change.line(watch.namespace, watch.selector) for change in changes)


def _bookmark(kind: Kind, revision: int) -> bytes:
    value = {
        "kind": kind.name,
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(revision)},
    }
    return encoded({"type": "BOOKMARK", "object": value}) + b"\n"
