"""The page as a process: builds its parts and serves until told to stop."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.listening import listen, stop_signal
from llmd_autoscaler.page.assets import Assets
from llmd_autoscaler.page.board import Board
from llmd_autoscaler.page.bounds import read_bounds
from llmd_autoscaler.page.cluster import following
from llmd_autoscaler.page.collector import Collector
from llmd_autoscaler.page.history import History
from llmd_autoscaler.page.server import Face
from llmd_autoscaler.page.sources import Presence, Sources


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the page asks; an empty address is not asked."""

    api: str = ""
    namespace: str = ""
    controller: str = ""
    routers: Sequence[str] = ()
    bounds: Path | None = None


async def run_page(asked: Asked, *, host: str, port: int, clock: Clock) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises: ConfigError: the port is taken, there is no API to speak to, or the bounds cannot be read.
    """
    bounds, now_s = read_bounds(asked.bounds), clock.now_s()

    def presence(name: str, url: str) -> Presence:
        return Presence(name, url.rstrip("/"), now_s)

    async with following(asked.api, asked.namespace) as cluster, Scraper(clock) as scraper:
        sources = Sources(
            scraper,
            clock,
            presence("controller", asked.controller) if asked.controller else None,
            [presence("router", url) for url in asked.routers],
        )
        collector = Collector(
            cluster,
            sources,
            clock,
            Board(uuid.uuid4().hex[:8]),
            History(),
            presence("API server", asked.api),
            bounds,
        )
        app = Face(collector, Assets()).app()
        # a reader that leaves ends its stream; without this a silent one would outlive it
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await listen(runner, host, port, who="page")
            await _until_stopped(collector.run())
        finally:
            await runner.cleanup()


async def _until_stopped(work: Coroutine[None, None, None]) -> None:
    stopped = stop_signal()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        await stopped.wait()
        task.cancel()
