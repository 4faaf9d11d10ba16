"""The controller as a process: ticks on its clock, serves its own metrics and health, until told to stop."""

import asyncio
import functools
import math
import resource
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import structlog
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.cluster import KubeCluster, connected
from llmd_autoscaler.controller.election import Candidate, Election, leader_page
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
    candidate: Candidate | None = None,
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
        candidate: who stands for election among several controllers; none: nobody else is there.

    Raises: ConfigError: the port is taken, or there is no API to speak to.
    """
    allow_files()
    stopped = stop_signal()
    period_s = settings.tick.period_s
    telemetry = Telemetry(fresh_s=(HUNG_AFTER_PERIODS + 1.0) * period_s)
    scraper = Scraper(
        clock,
        timeout_wall_s=settings.scrape.timeout_wall_s,
        max_page_bytes=settings.scrape.max_page_bytes,
    )
    cluster_of_api = connected(
        api,
        namespace,
        routers=router_urls(routers),
        on_status_write=telemetry.status_written,
        election=functools.partial(Election, candidate=candidate, now_s=clock.now_s)
        if candidate
        else None,
    )
    async with cluster_of_api as cluster, scraper:
        source = ScrapedSource(scraper, cluster, telemetry)

        def new_loop(reign: int) -> Loop:
            return Loop(
                cluster, source, telemetry, settings=settings.tick, policy=policy, reign=reign
            )

        election = cluster.leadership if isinstance(cluster.leadership, Election) else None
        ticking = Ticking(new_loop(0), cluster, telemetry, clock, period_s)
        ticking.election, ticking.new_loop = election, new_loop
        runner = web.AppRunner(ticking.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await listen(runner, host, port, who="controller")
            _LOG.info("controller_listening", address=runner.addresses[0])
            async with asyncio.TaskGroup() as group:
                following = [group.create_task(cluster.run())]
                if election is not None:
                    following.append(group.create_task(_standing(election, cluster, ticking)))
                await ticking.run(stopped)
                for task in following:
                    task.cancel()
            if election is not None:
                await election.release()
        finally:
            await runner.cleanup()


def allow_files() -> None:
    """As many open files as the system lets us have: each pod that is scraped keeps a connection, and the lease needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
    election: Election | None = None
    new_loop: Callable[[int], Loop] | None = (
        None  # for each reign: another leader has decided between
    )
    _reign: int = 0
    _began_monotonic_s: float = math.nan

    @property
    def is_leader(self) -> bool:
        """Whether it is ours to decide."""
        return self.election is None or self.election.is_leader

    async def run(self, stopped: asyncio.Event) -> None:
        """One tick a period, on whole periods of the clock; those that could not begin in time are skipped."""
        while self.cluster.missing and not stopped.is_set():
            if not await _first(
                self.cluster.synced(), stopped.wait(), within_wall_s=_PATIENCE_WALL_S
            ):
                _LOG.warning("waiting_for_api", not_listed=self.cluster.missing)
        while not stopped.is_set():
            if self.election is not None:
                self.election.gained.clear()
            if self.is_leader:
                self._begin_reign()
                await self._tick()
            else:
                self._begin()  # a follower looks at the clock only, and at what the mirrors bring
            await self._pause(stopped)

    async def _pause(self, stopped: asyncio.Event) -> None:
        """Wait for the next period, or for a reign that begins."""
        next_s = (math.floor(self.clock.now_s() / self.period_s) + 1.0) * self.period_s
        gained = self.election.gained if self.election is not None else asyncio.Event()
        await _first(gained.wait(), stopped.wait(), within_wall_s=self.clock.wall_until_s(next_s))

    def _begin_reign(self) -> None:
        """With a new reign all memory begins anew: others may have decided since."""
        if self.election is None or self.new_loop is None:
            return
        if self.election.reign != self._reign:
            self._reign = self.election.reign
            self.loop = self.new_loop(self._reign)

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
        page = self.telemetry.page(now_s=self.clock.now_s(), failing=self.cluster.failing())
        if self.election is not None:
            page += leader_page(is_leader=self.is_leader)
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
        if self.is_leader and not self.has_ticked:
            return web.Response(status=503, text="no tick has gone through yet\n")
        if not self.cluster.is_connected:
            return web.Response(status=503, text="the API server's changes do not arrive\n")
        return web.Response(text="ok\n" if self.is_leader else "ok, another controller leads\n")


async def _standing(election: Election, cluster: KubeCluster, ticking: Ticking) -> None:
    """Stand for election, once it is known which epochs were used before."""
    await cluster.synced()
    await election.run(lambda: max(cluster.highest_epoch(), ticking.loop.epoch))


async def _first(
    one: Coroutine[None, None, object],
    other: Coroutine[None, None, object],
    *,
    within_wall_s: float,
) -> bool:
    """Wait for whichever comes first; whether one did in that time."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
    try:
        done, _ = await asyncio.wait(
            tasks, timeout=within_wall_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
    return bool(done)
