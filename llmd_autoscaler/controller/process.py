"""The controller as a process: ticks on its clock, serves its own metrics and health, until told to stop."""

import asyncio
import contextlib
import math
import time
from collections.abc import Coroutine
from dataclasses import dataclass

import structlog
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.cluster import KubeCluster, connected
from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.controller.source import ScrapedSource, router_urls
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.errors import AutoscalerError
from llmd_autoscaler.listening import listen, stop_signal
from llmd_autoscaler.settings import Settings
from llmd_autoscaler.telemetry import Telemetry

# A tick that began longer ago than this many periods hangs: the process should be started again.
HUNG_AFTER_PERIODS = 3.0
# Long enough for an API server that starts beside us, short enough for whoever reads the log.
_PATIENCE_WALL_S = 10.0
_LOG = structlog.stdlib.get_logger(__name__)


async def run_controller(  # noqa: PLR0913 (the flags of its command)
    *,
    api: str,
    host: str,
    port: int,
    namespace: str,
    clock: Clock,
    routers: tuple[str, ...],
    settings: Settings,
    policy: Policy,
) -> None:
    """Decides and publishes until SIGTERM or SIGINT; a tick that has begun is ended first.

    Args:
        api: address of the API server, empty for the cluster that the process runs in.
        host: address to listen on.
        port: port to listen on, 0 for any.
        namespace: the one whose models are managed, empty for all.
        clock: the process's clock.
        routers: addresses of the routers whose counts are the demand.
        settings: how often and how long.
        policy: how to decide.

    Raises: ConfigError: the port is taken, or there is no API to speak to.
    """
    stopped = stop_signal()
    period_s = settings.tick.period_s
    telemetry = Telemetry(fresh_s=(HUNG_AFTER_PERIODS + 1.0) * period_s)
    scraper = Scraper(
        clock,
        timeout_wall_s=settings.scrape.timeout_wall_s,
        max_page_bytes=settings.scrape.max_page_bytes,
    )
    cluster_of_api = connected(
        api, namespace, routers=router_urls(routers), on_status_write=telemetry.status_written
    )
    async with cluster_of_api as cluster, scraper:
        source = ScrapedSource(scraper, cluster, telemetry)
        loop = Loop(cluster, source, telemetry, settings=settings.tick, policy=policy)
        ticking = Ticking(loop, cluster, telemetry, clock, period_s)
        runner = web.AppRunner(ticking.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await listen(runner, host, port, who="controller")
            _LOG.info("controller_listening", address=runner.addresses[0])
            async with asyncio.TaskGroup() as group:
                following = group.create_task(cluster.run())
                await ticking.run(stopped)
                following.cancel()
        finally:
            await runner.cleanup()


@dataclass(slots=True)
class Ticking:
    """The loop on its clock, and how it is."""

    loop: Loop
    cluster: KubeCluster
    telemetry: Telemetry
    clock: Clock
    period_s: float
    began_s: float = math.nan  # the last tick; NaN before the first
    has_ticked: bool = False
    _began_monotonic_s: float = math.nan

    async def run(self, stopped: asyncio.Event) -> None:
        """One tick a period, on whole periods of the clock; those that could not begin in time are skipped."""
        while self.cluster.missing and not stopped.is_set():
            if not await _either(self.cluster.synced(), stopped, within_wall_s=_PATIENCE_WALL_S):
                _LOG.warning("waiting_for_api", not_listed=self.cluster.missing)
        while not stopped.is_set():
            await self._tick()
            now_s = self.clock.now_s()
            next_s = (math.floor(now_s / self.period_s) + 1.0) * self.period_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.clock.wall_until_s(next_s)):
                    await stopped.wait()

    async def _tick(self) -> None:
        """One tick; whatever goes wrong in it, the next one comes."""
        self._begin()
        self.telemetry.tick_began()
        try:
            await self.loop.tick(now_s=self.began_s)
        except AutoscalerError as error:
            self.telemetry.failed("tick", str(error))
        except Exception as error:  # noqa: BLE001 (the process's edge: one fault must not end all ticks)
            _LOG.exception("tick_broke")
            self.telemetry.failed("tick", f"{type(error).__name__}: {error}")
        else:
            self.has_ticked = True

    def _begin(self) -> None:
        """Look at the clock, and beside it at one that nobody can step.

        To the loop a clock that was put forward looks like a time in which nobody came.
        """
        now_s, monotonic_s = self.clock.now_s(), time.monotonic()
        passed_s = (monotonic_s - self._began_monotonic_s) * self.clock.rate
        stepped_s = now_s - self.began_s - passed_s
        if abs(stepped_s) > self.period_s:  # never before the first tick: NaN
            _LOG.warning("clock_stepped", by_s=round(stepped_s, 1))
            self.loop.clock_stepped()
        self.began_s, self._began_monotonic_s = now_s, monotonic_s

    def app(self) -> web.Application:
        """The HTTP face."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    async def _metrics(self, _: web.Request) -> web.Response:
        page = self.telemetry.page(now_s=self.clock.now_s())
        return web.Response(body=page, headers={"Content-Type": Telemetry.CONTENT_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        """Whether ticks begin; before the first, the API server is waited for, which no restart mends."""
        since_s = self.clock.now_s() - self.began_s
        if since_s > HUNG_AFTER_PERIODS * self.period_s:
            text = f"the last tick began {since_s:.0f} s ago, the period is {self.period_s:g} s\n"
            return web.Response(status=503, text=text)
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        """Whether the API server was read and a tick went through."""
        if self.cluster.missing:
            text = f"not listed yet: {', '.join(self.cluster.missing)}\n"
            return web.Response(status=503, text=text)
        if not self.has_ticked:
            return web.Response(status=503, text="no tick has gone through yet\n")
        if not self.cluster.is_connected:
            return web.Response(status=503, text="the API server's changes do not arrive\n")
        return web.Response(text="ok\n")


async def _either(
    waiting: Coroutine[None, None, object], stopped: asyncio.Event, *, within_wall_s: float
) -> bool:
    """Wait for whichever comes first; whether one did in that time."""
    tasks = [asyncio.create_task(waiting), asyncio.create_task(stopped.wait())]
    try:
        done, _ = await asyncio.wait(
            tasks, timeout=within_wall_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
    return bool(done)
