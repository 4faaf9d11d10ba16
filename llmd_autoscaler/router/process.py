"""The router as a process: builds its parts, serves until told to stop, lets open answers end."""

import asyncio
from collections.abc import Coroutine

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.listening import listen, stop_signal
from llmd_autoscaler.router.cluster import connected
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.router.dispatch import Dispatcher
from llmd_autoscaler.router.fleet import Fleet
from llmd_autoscaler.router.gauges import watch_gauges
from llmd_autoscaler.router.learnt import Learnt
from llmd_autoscaler.router.proxy import Proxy
from llmd_autoscaler.router.scorers import LEAST_WORK, scorer_named
from llmd_autoscaler.router.upstream import upstream_session

# wall seconds that open answers get after SIGTERM; Kubernetes' own default grace is 30
_DRAIN_S = 25.0


async def run_router(
    *, api: str, host: str, port: int, namespace: str, clock: Clock, scorer: str = LEAST_WORK
) -> None:
    """Serves until SIGTERM or SIGINT, then takes no more and lets open answers end.

    Args:
        api: address of the API server, empty for the cluster that the process runs in.
        host: address to listen on.
        port: port to listen on.
        namespace: the one whose ServiceLevels and pods it serves.
        clock: the process's clock.
        scorer: name of a scorer, see `llmd_autoscaler.router.scorers`.

    Raises: ConfigError: the port is taken, or there is no such scorer or API.
    """
    learnt, fleet = Learnt(), Fleet()
    dispatcher = Dispatcher(fleet, scorer_named(scorer), learnt)
    async with connected(api, namespace, fleet) as cluster, upstream_session() as session:
        counts = Counts(started_at_s=clock.now_s())
        proxy = Proxy(fleet, dispatcher, counts, learnt, clock, session)
        # a client that leaves cancels its handler, which closes the connection to the server
        runner = web.AppRunner(
            proxy.app(), access_log=None, handler_cancellation=True, shutdown_timeout=_DRAIN_S
        )
        await runner.setup()
        try:
            await listen(runner, host, port, who="router")
            await _serve(runner, cluster.run(), watch_gauges(fleet, session))
        finally:
            await runner.cleanup()


async def _serve(runner: web.AppRunner, *watches: Coroutine[None, None, None]) -> None:
    stopped = stop_signal()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch) for watch in watches]
        await stopped.wait()
        # the watches go on while open answers end: a refusal may still need another instance
        await runner.cleanup()
        for task in tasks:
            task.cancel()
