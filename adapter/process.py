"""The adapter as a process: follows the API server and answers until told to stop."""

import asyncio

import structlog
from aiohttp import web

from adapter.cluster import connected
from adapter.handlers import Face
from adapter.store import Store
from adapter.telemetry import Telemetry
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.listening import listen, stop_signal

_LOG = structlog.stdlib.get_logger(__name__)


async def run_adapter(*, api: str, host: str, port: int, clock: Clock, namespace: str = "") -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        api: address of the API server, empty for the cluster that the process runs in.
        host: address to listen on.
        port: port to listen on, 0 for any.
        clock: the process's clock.
        namespace: the one whose objects are served, empty for all.

    Raises: ConfigError: the port is taken, or there is no API to speak to.
    """
    store = Store()
    stopped = stop_signal()
    async with connected(api, store, clock, namespace) as follower:
        runner = web.AppRunner(
            Face(store, Telemetry(), clock).app(), access_log=None, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await listen(runner, host, port, who="adapter")
            _LOG.info("adapter_listening", address=runner.addresses[0])
            async with asyncio.TaskGroup() as group:
                following = group.create_task(follower.run())
                await stopped.wait()
                following.cancel()
        finally:
            await runner.cleanup()
