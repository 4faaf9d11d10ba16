"""Reads two gauges of every instance each second: what runs and waits there beyond our own requests.

Our own requests are known exactly; the page adds those of other routers and direct clients. It is
searched, not parsed: 60 kB an instance a second would else be the router's largest cost.
"""

import asyncio

import aiohttp

from llmd_autoscaler.router.fleet import Fleet, Instance

_PERIOD_S = 1.0  # wall: it is the sockets' time that is spent
_TIMEOUT = aiohttp.ClientTimeout(total=0.8)
_OK = 200
_MAX_PAGE_BYTES = 4 * 2**20
_GAUGES = (b"\nvllm:num_requests_running", b"\nvllm:num_requests_waiting")


async def watch_gauges(fleet: Fleet, session: aiohttp.ClientSession) -> None:
    """Keeps `n_foreign` of every instance, until cancelled."""
    while True:
        async with asyncio.TaskGroup() as group:
            for instance in fleet.instances():
                group.create_task(_read(instance, session))
            group.create_task(asyncio.sleep(_PERIOD_S))


async def _read(instance: Instance, session: aiohttp.ClientSession) -> None:
    try:
        async with session.get(
            f"{instance.address}/metrics", timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            page = await _bounded(response) if response.status == _OK else b""
    except (aiohttp.ClientError, TimeoutError, OSError):
        page = b""
    # where nothing can be read our own account stands alone: a number of a while ago would mislead more
    instance.n_foreign = max(0.0, requests_on(page) - instance.n_in_flight)


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    page = b""
    while len(page) < _MAX_PAGE_BYTES and (part := await response.content.readany()):
        page += part
    return page


def requests_on(page: bytes) -> float:
    """Running + waiting of all engines on a metrics page; 0 where neither stands there."""
    total = 0.0
    for gauge in _GAUGES:
        start = page.find(gauge)
        while start >= 0:
            end = page.find(b"\n", start + 1)
            total += _value(page[start + len(gauge) : end if end >= 0 else len(page)])
            start = page.find(gauge, start + 1)
    return total


def _value(rest: bytes) -> float:
    """The number behind a series name; 0 where the name goes on (num_requests_waiting_by_reason)."""
    if not rest.startswith((b"{", b" ")):
        return 0.0
    words = rest.rpartition(b"}")[2].split()
    try:
        value = float(words[0]) if words else 0.0
    except ValueError:
        return 0.0
    return value if 0 <= value < float("inf") else 0.0
