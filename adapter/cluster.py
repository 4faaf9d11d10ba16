"""Follows the VariantAutoscalings of an API server into the store; reads only: list and watch."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import structlog

from adapter.store import Key, Store
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube import VARIANT_AUTOSCALINGS, Json, Kube, KubeError

_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 5.0
_LOG = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def connected(api: str) -> AsyncIterator[Kube]:
    """A connection to the API server; an empty address is the cluster that the process runs in."""
    kube = await Kube.connect(api)
    try:
        yield kube
    finally:
        await kube.close()


@dataclass(slots=True)
class Cluster:
    """List, then watch, then list again after anything that went wrong.

    The Mirror of `kube` does the same but keeps the objects; of these we keep a few numbers each.
    """

    kube: Kube
    store: Store
    clock: Clock
    namespace: str = ""  # empty: all of them

    async def run(self) -> None:
        """Until cancelled."""
        backoff_s = _BACKOFF_S
        try:
            while True:
                try:
                    version = await self._list()
                    backoff_s = _BACKOFF_S
                    while True:
                        version = await self._watch(version)
                except KubeError as error:
                    self.store.is_connected = False
                    _LOG.info("watch_lost", detail=str(error))
                # spread, or all replicas would list at once when the API server comes back
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311
                backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)
        finally:
            self.store.is_connected = False

    async def _list(self) -> str:
        items, version = await self.kube.list(VARIANT_AUTOSCALINGS, self.namespace or None)
        self.store.keep_only({_key(item) for item in items})
        for item in items:
            self._put(item)
        self.store.is_synced = self.store.is_connected = True
        self._heard()
        return version

    async def _watch(self, version: str) -> str:
        watch = self.kube.watch(VARIANT_AUTOSCALINGS, self.namespace or None, version)
        async for event in watch:
            self._heard()
            item = _mapping(event, "object")
            version = _text(_mapping(item, "metadata"), "resourceVersion") or version
            match event.get("type"):
                case "ADDED" | "MODIFIED":
                    self._put(item)
                case "DELETED":
                    self.store.remove(_key(item))
                case _:
                    pass  # a bookmark carries its version only
        # a stream that ends by itself was alive to its end
        self._heard()
        return version

    def _put(self, item: Json) -> None:
        labels = {
            k: v
            for k, v in _mapping(_mapping(item, "metadata"), "labels").items()
            if isinstance(v, str)
        }
        self.store.put(_key(item), labels, _mapping(item, "status"), now_s=self.clock.now_s())

    def _heard(self) -> None:
        self.store.heard_at_s = time.monotonic()


def _key(item: Json) -> Key:
    metadata = _mapping(item, "metadata")
    return Key(_text(metadata, "namespace"), _text(metadata, "name"))


def _mapping(parent: Mapping[str, object], key: str) -> Json:
    value = parent.get(key)
    return cast("Json", value) if isinstance(value, dict) else {}


def _text(parent: Mapping[str, object], key: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else ""
