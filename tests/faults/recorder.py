"""Stands between the API server and the adapter, passes all through, and writes down what HPAs are told."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.translate.json_object import items, text
from tests.faults.account import Account, Read

_TIMEOUT = aiohttp.ClientTimeout(total=4.0)  # less than the API server's own
_METRIC = "/desired_replicas"


@contextlib.asynccontextmanager
async def recorded(
    account: Account, adapter_url: str, port: int, clock: Clock
) -> AsyncIterator[None]:
    """Listen on a port while the context lasts."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:

        async def pass_on(request: web.Request) -> web.Response:
            asked_s = clock.now_s()
            try:
                async with session.get(adapter_url + request.raw_path) as answer:
                    body, kind = await answer.read(), answer.content_type
            except (aiohttp.ClientError, TimeoutError) as error:
                why = type(error).__name__
                _note(account, request.path, Read(asked_s, "", why=why))
                return web.Response(status=503, text=why)
            if request.path.endswith(_METRIC):
                _note(account, request.path, _read(asked_s, await answer.json()))
            return web.Response(status=answer.status, body=body, content_type=kind)

        app = web.Application()
        app.router.add_get("/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield
        finally:
            await runner.cleanup()


def _note(account: Account, path: str, read: Read) -> None:
    if path.endswith(_METRIC):
        account.reads.append(read)


def _read(asked_s: float, said: dict[str, object]) -> Read:
    for item in items(said, "items"):
        return Read(asked_s, text(item, "value"), text(item, "timestamp"))
    return Read(asked_s, "", why=text(said, "message"))
