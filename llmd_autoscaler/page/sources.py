"""The metrics pages of controller and routers, fetched side by side; one that is away says since when."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.scrape import Page, Scraped, Scraper, ScrapeTarget
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.page.controller_metrics import ControllerReading, read_controller
from llmd_autoscaler.page.rates import Window
from llmd_autoscaler.page.router_metrics import read_router
from llmd_autoscaler.page.shape import SourceJson


@dataclass(slots=True)
class Presence:
    """Whether somebody answers, and since when."""

    name: str
    url: str
    since_s: float
    is_connected: bool = False
    detail: str = ""

    def saw(self, *, is_connected: bool, now_s: float, detail: str = "") -> None:
        """What the last attempt came to."""
        if is_connected != self.is_connected:
            self.since_s = now_s
        self.is_connected, self.detail = is_connected, detail

    def json(self) -> SourceJson:
        """As the page is sent it."""
        return {
            "name": self.name,
            "url": self.url,
            "is_connected": self.is_connected,
            "since_s": round(self.since_s, 1),
            "detail": self.detail,
        }


@dataclass(slots=True)
class Sources:
    """Whom to ask, and what they said last."""

    scraper: Scraper
    clock: Clock
    controller: Presence | None
    routers: Sequence[Presence]
    controlled: dict[tuple[str, str], ControllerReading] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)  # by URL of the router

    async def ask(self) -> None:
        """Fetch every page once and read it."""
        asked = [*((self.controller,) if self.controller else ()), *self.routers]
        if not asked:
            return
        targets = [ScrapeTarget(each.url, f"{each.url}/metrics") for each in asked]
        pages = await self.scraper.fetch_all(targets)
        for each in asked:
            self._take(each, pages[each.url])
            await asyncio.sleep(0)  # a large page must not hold up those who look

    def _take(self, source: Presence, found: Scraped) -> None:
        now_s = self.clock.now_s()
        try:
            if isinstance(found, ObservationError):
                raise found
            self._read(source, found)
        except ObservationError as error:
            self._forget(source)
            source.saw(is_connected=False, now_s=now_s, detail=str(error))
        else:
            source.saw(is_connected=True, now_s=now_s)

    def _read(self, source: Presence, page: Page) -> None:
        if source is self.controller:
            self.controlled = read_controller(page.body)
        else:
            window = self.windows.setdefault(source.url, Window())
            window.take(read_router(page.body), page.fetched_s)

    def _forget(self, source: Presence) -> None:
        """Missing beats stale: what was said last is not said again."""
        if source is self.controller:
            self.controlled = {}
        elif source.url in self.windows:
            self.windows[source.url].forget()
