"""What etcd holds and has held of our objects: every version of each, in the order in which they were written.

A watch of the API server may miss what was written while that was away; etcd's own begins again where it was.
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator

import aiohttp

from tests.controlplane.api import Json

_AGAIN_S = 0.1


class Etcd:
    """The keys of one kind in one namespace, by the JSON gateway."""

    def __init__(self, session: aiohttp.ClientSession, url: str, prefix: str) -> None:
        """Of what begins with a text that ends in a slash."""
        self._session = session
        self._url = url
        # up to and without the next key that does not begin so: 0 follows the slash
        ends = prefix.encode(), prefix[:-1].encode() + b"0"
        self._range = {
            "key": b64encode(ends[0]).decode(),
            "range_end": b64encode(ends[1]).decode(),
        }

    async def revision(self) -> int:
        """Of the last write."""
        path, body = f"{self._url}/v3/kv/range", {**self._range, "count_only": True}
        async with self._session.post(path, json=body) as answer:
            return int((await answer.json())["header"]["revision"])

    async def compact(self, revision: int) -> None:
        """Forget what is older, as the API server has it do every five minutes."""
        path, body = f"{self._url}/v3/kv/compaction", {"revision": str(revision), "physical": True}
        async with self._session.post(path, json=body) as answer:
            answer.raise_for_status()

    async def versions(self, after: int) -> AsyncIterator[Json]:
        """Every object as it was written after a revision, for ever."""
        while True:
            try:
                async for event in self._events(after + 1):
                    after = int(event["kv"]["mod_revision"])
                    if event.get("type") != "DELETE":
                        yield json.loads(b64decode(event["kv"]["value"]))
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_AGAIN_S)

    async def _events(self, since: int) -> AsyncIterator[Json]:
        request = {**self._range, "start_revision": str(since)}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.post(
            f"{self._url}/v3/watch", json={"create_request": request}, timeout=timeout
        ) as stream:
            async for line in stream.content:
                result = json.loads(line)["result"]
                assert not result.get("canceled"), result
                for event in result.get("events", ()):
                    yield event
