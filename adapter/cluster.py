"""Follows the VariantAutoscalings of an API server into the store; reads only: list and watch."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import structlog

from adapter.store import Key, Store
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.mirror import Follower
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS

_LOG = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def connected(
    api: str, store: Store, clock: Clock, namespace: str = ""
) -> AsyncIterator[Follower]:
    """Who keeps a store equal to the VariantAutoscalings of an API server, while the context lasts.

    Args:
        api: its address, empty for the cluster that the process runs in.
        store: where the few numbers of each go; the objects themselves are not kept.
        clock: the process's clock.
        namespace: the one whose objects are followed, empty for all.

    Raises: ConfigError: there is no API to speak to.
    """
    async with await Kube.connect(api) as kube:
        yield Follower(kube, VARIANT_AUTOSCALINGS, namespace or None, Kept(store, clock))


@dataclass(slots=True)
class Kept:
    """A store as the copy of a collection."""

    store: Store
    clock: Clock

    def replace(self, objects: Mapping[tuple[str, str], Json]) -> None:
        """Let go of what is gone, and take the rest anew."""
        self.store.keep_only({Key(*key) for key in objects})
        for key, found in objects.items():
            self.put(key, found)
        self.store.is_synced = self.store.is_connected = True

    def put(self, key: tuple[str, str], found: Json) -> None:
        """Take the numbers of an object."""
        labels = {
            k: v
            for k, v in _mapping(_mapping(found, "metadata"), "labels").items()
            if isinstance(v, str)
        }
        self.store.put(Key(*key), labels, _mapping(found, "status"), now_s=self.clock.now_s())

    def remove(self, key: tuple[str, str]) -> None:
        """Let go of an object."""
        self.store.remove(Key(*key))

    def heard(self) -> None:
        """Remember that the API server was there just now."""
        self.store.heard_at_s = time.monotonic()

    def lost(self, why: str) -> None:
        """Changes do not arrive any more."""
        self.store.is_connected = False
        _LOG.info("watch_lost", detail=why)


def _mapping(parent: Mapping[str, object], key: str) -> Json:
    value = parent.get(key)
    return cast("Json", value) if isinstance(value, dict) else {}
