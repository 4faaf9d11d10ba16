"""Plain requests to an API server with the identity of a kubeconfig: what tests and the fake kubelet do as people."""

import asyncio
import json
import ssl
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

import aiohttp
import yaml

Json = dict[str, Any]
SSA = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """A Status answer."""

    def __init__(self, code: int, body: Any) -> None:
        super().__init__(f"{code}: {body.get('message') if isinstance(body, dict) else body}")
        self.code = code


class Api:
    """Plain requests on dicts with the identity of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._url = cluster["server"]
        tls = ssl.create_default_context(
            cadata=b64decode(cluster["certificate-authority-data"]).decode()
        )
        headers = {"Accept": "application/json"}
        if "token" in user:
            headers["Authorization"] = f"Bearer {user['token']}"
        else:
            with NamedTemporaryFile() as file:  # ssl reads certificates from files only
                file.write(
                    b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"])
                )
                file.flush()
                tls.load_cert_chain(file.name)
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(
                ssl=tls,
                limit=64,
                # before that Python a TLS connection that is cut in a stream stays open
                enable_cleanup_closed=sys.version_info < (3, 12, 7),
            ),
            timeout=aiohttp.ClientTimeout(total=30),
            read_bufsize=2**21,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind, "Accept": accept}
        async with self._session.request(
            method, self._url + path, data=data, headers=headers
        ) as answer:
            text = await answer.text()
            decoded = json.loads(text) if answer.content_type == "application/json" else text
            if answer.status >= 400:
                raise ApiError(answer.status, decoded)
            return decoded

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def watch(self, path: str) -> AsyncIterator[tuple[str, Json]]:
        """List, then watch, for ever: yields ADDED, MODIFIED and DELETED with the object."""
        known: dict[str, Json] = {}
        while True:
            try:
                listing = await self.get(path)
                current = {item["metadata"]["uid"]: item for item in listing["items"]}
                for uid in known.keys() - current.keys():
                    yield "DELETED", known.pop(uid)
                for uid, item in current.items():
                    yield ("MODIFIED" if uid in known else "ADDED"), item
                known = current
                async for kind, item in self._events(path, listing["metadata"]["resourceVersion"]):
                    known[item["metadata"]["uid"]] = item
                    if kind == "DELETED":
                        del known[item["metadata"]["uid"]]
                    yield kind, item
            except (aiohttp.ClientError, TimeoutError, ApiError):
                await asyncio.sleep(0.5)

    async def _events(self, path: str, version: str) -> AsyncIterator[tuple[str, Json]]:
        """One stream of changes, until it ends or its version is too old."""
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with self._session.get(f"{self._url}{path}?{query}", timeout=timeout) as stream:
            async for line in stream.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]
