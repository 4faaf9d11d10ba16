"""The adapter as a process: follows the API server and answers until told to stop."""

import asyncio
import os
import signal

import structlog
from aiohttp import web

from adapter.cluster import Cluster, connected
from adapter.handlers import Face
from adapter.store import Store
from adapter.telemetry import Telemetry
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError

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
    stopped = _stop_signal()
    async with connected(api) as kube:
        runner = web.AppRunner(
            Face(store, Telemetry(), clock).app(), access_log=None, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await _listen(runner, host, port)
            async with asyncio.TaskGroup() as group:
                following = group.create_task(Cluster(kube, store, clock, namespace).run())
                await stopped.wait()
                following.cancel()
        finally:
            await runner.cleanup()


def _stop_signal() -> asyncio.Event:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    return stopped


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        # a host that has no address is an error of the resolver, with a number of its own
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror
        raise ConfigError(
            f"the adapter cannot listen on {host}:{port} ({why}): give another --port or --host"
        ) from error
    _LOG.info("adapter_listening", address=runner.addresses[0])
