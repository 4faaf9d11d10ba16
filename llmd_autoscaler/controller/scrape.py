"""Fetches the metrics pages of all pods at once; one that hangs, floods or lies costs itself only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.engines.exposition import MAX_PAGE_BYTES
from llmd_autoscaler.errors import ObservationError

TIMEOUT_WALL_S = 2.0
# Below the usual limit of 1024 open files, with room for the API server's watches and our own page.
MAX_CONCURRENT = 512
_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """One page to fetch: the pod's name, by which the answer is found again, and where its page is."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it came, and the simulated time of its arrival."""

    body: bytes
    fetched_s: float


Scraped = Page | ObservationError


class Scraper:
    """Fetches pages over kept-alive connections; an async context manager."""

    def __init__(
        self,
        clock: Clock,
        *,
        timeout_wall_s: float = TIMEOUT_WALL_S,
        max_page_bytes: int = MAX_PAGE_BYTES,
        max_concurrent: int = MAX_CONCURRENT,
    ) -> None:
        self._clock = clock
        self._timeout_wall_s = timeout_wall_s
        self._max_page_bytes = max_page_bytes
        self._max_concurrent = max_concurrent
        self._slow: frozenset[str] = frozenset()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # The slots below bound the connections: a second queue inside would eat the pods' timeouts.
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=0),
            timeout=aiohttp.ClientTimeout(total=None),
            # Packing and unpacking 60 kB costs both sides more than loopback or a cluster network does.
            headers={"Accept-Encoding": "identity", "Accept": "text/plain"},
            auto_decompress=False,  # who packs all the same may have packed a bomb
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch_all(self, targets: Sequence[ScrapeTarget]) -> dict[str, Scraped]:
        """The page of every target, or why there is none, by name.

        Takes one timeout at most, or one for every `max_concurrent` pods that hang at the same time.
        """
        slots = asyncio.Semaphore(self._max_concurrent)
        # Whoever timed out last time goes last: the others then never wait for a slot that it holds.
        ordered = sorted(targets, key=lambda target: target.name in self._slow)
        results = await asyncio.gather(*(self._fetch_one(target, slots) for target in ordered))
        by_name = {target.name: result for target, result in zip(ordered, results, strict=True)}
        self._slow = frozenset(
            name
            for name, result in by_name.items()
            if isinstance(result, ObservationError) and isinstance(result.__cause__, TimeoutError)
        )
        return by_name

    async def _fetch_one(self, target: ScrapeTarget, slots: asyncio.Semaphore) -> Scraped:
        async with slots:
            try:
                async with asyncio.timeout(self._timeout_wall_s):
                    body = await self._body(target.url)
            except TimeoutError as error:
                late = ObservationError(
                    f"{target.name}: no page within {self._timeout_wall_s:g} s from {target.url}"
                )
                late.__cause__ = error
                return late
            except (aiohttp.ClientError, OSError, ValueError) as error:
                broken = ObservationError(
                    f"{target.name}: no page from {target.url}: {str(error) or type(error).__name__}"
                )
                broken.__cause__ = error
                return broken
            except ObservationError as error:
                return ObservationError(f"{target.name}: {error}")
        return Page(body=body, fetched_s=self._clock.now_s())

    async def _body(self, url: str) -> bytes:
        if self._session is None:
            raise RuntimeError("a Scraper fetches inside its `async with` block only")
        # A redirect would lead the controller anywhere: a pod's page is where the pod is.
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != _HTTP_OK:
                raise ObservationError(f"{url} answered HTTP {response.status}")
            parts: list[bytes] = []
            n_bytes = 0
            async for part in response.content.iter_any():
                n_bytes += len(part)
                if n_bytes > self._max_page_bytes:
                    # Leaving the block closes the connection: the rest is not read.
                    raise ObservationError(
                        f"{url} sends more than {self._max_page_bytes} bytes: this is no page of metrics"
                    )
                parts.append(part)
        return b"".join(parts)
