"""Who counted the traffic: the routers, or vLLM's own pages where no router can be asked.

A change of source is a seam. What a reporter counted while another one was listened to has been
counted already, so on either side of the seam everybody's account begins at zero: a seam loses the
traffic of one tick, where the plain totals would show hours of it as one tick's demand.
"""

import asyncio
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from llmd_autoscaler.controller.histogram_counts import PodCounts, class_index, read
from llmd_autoscaler.controller.ports import (
    ClusterView,
    Instance,
    ModelCounts,
    ModelKey,
    ModelView,
)
from llmd_autoscaler.controller.router_counts import (
    Ledger,
    RouterCounts,
    nothing_counted,
    read_ledger,
)
from llmd_autoscaler.controller.scrape import Page, Scraped, Scraper, ScrapeTarget
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.engines import router, vllm
from llmd_autoscaler.engines.exposition import samples_by_name
from llmd_autoscaler.errors import ObservationError

ROUTER = "router"
HISTOGRAMS = "vllm-histograms"

# A router that restarts is back within this; until then the last decision holds. The histograms are
# the worse source, and two seams cost more than four ticks without news.
ROUTER_GRACE_S = 60.0
_RUNNING = frozenset(vllm.CANDIDATES["running"])
_YIELD_EVERY = 32  # pages: a second of parsing in one piece would let health checks time out


class Places(Protocol):
    """What a view does not carry of its models."""

    def default_class(self, key: ModelKey) -> str:
        """The class of requests that no other class matches."""
        ...

    def page_url(self, key: ModelKey, instance: Instance) -> str:
        """Where an instance's metrics page is."""
        ...


class ScrapeRecorder(Protocol):
    """Who is told what could not be used."""

    def scrape_failed(self, reason: str) -> None:
        """A page could not be fetched or read."""
        ...

    def ignored_cells(self, n: int) -> None:
        """So many cells of the routers' pages are of names that we do not know."""
        ...


class ScrapedSource:
    """Implements `ports.MetricsSource` by fetching all pages at once."""

    def __init__(self, scraper: Scraper, places: Places, recorder: ScrapeRecorder) -> None:
        self._scraper = scraper
        self._places = places
        self._recorder = recorder
        self._router_seen_s = -math.inf
        self._fallback_since_s: float | None = None
        self._pods: dict[tuple[ModelKey, str], PodCounts] = {}
        self._seam_s = -math.inf  # when routers were listened to again
        self._zeros: dict[tuple[ModelKey, str], tuple[float, CountSnapshot]] = {}

    async def counts(self, view: ClusterView, *, now_s: float) -> Mapping[ModelKey, ModelCounts]:
        """Cumulative counts of every model; a model that nobody counted has no traffic in its entry."""
        pods = {
            _pod_name(model.key, instance): ScrapeTarget(
                _pod_name(model.key, instance), self._places.page_url(model.key, instance)
            )
            for model in view.models
            for instance in model.instances
            if instance.is_ready and instance.address
        }
        targets = [
            ScrapeTarget(_router_name(url), f"{url.rstrip('/')}/metrics") for url in view.routers
        ]
        pages = await self._scraper.fetch_all([*targets, *pods.values()])
        ledgers, silent = self._ledgers(view, pages)
        source = self._source(view, ledgers, now_s)
        self._forget_gone(view)
        found: dict[ModelKey, ModelCounts] = {}
        failed: dict[str, str] = {}
        read_pages: dict[str, vllm.VllmPage] = {}
        for n, name in enumerate(pods):
            answer = self._pod_page(name, pages[name], is_whole=source == HISTOGRAMS)
            if isinstance(answer, str):
                failed[name] = answer
            elif answer is not None:
                read_pages[name] = answer
            if n % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        for model in view.models:
            names = [_pod_name(model.key, instance) for instance in model.instances]
            unreachable = (*silent, *(failed[name] for name in names if name in failed))
            if source == ROUTER:
                found[model.key] = self._from_routers(model, ledgers, unreachable)
            else:
                found[model.key] = self._from_pods(model, read_pages, unreachable, now_s)
        return found

    def _source(self, view: ClusterView, ledgers: Mapping[str, Ledger], now_s: float) -> str:
        """Whom to listen to now."""
        if ledgers:
            self._router_seen_s = now_s
            if self._fallback_since_s is not None:
                self._fallback_since_s, self._seam_s = None, now_s
                self._pods, self._zeros = {}, {}
            return ROUTER
        if view.routers and now_s - self._router_seen_s < ROUTER_GRACE_S:
            return ROUTER
        if self._fallback_since_s is None:
            self._fallback_since_s = now_s
        return HISTOGRAMS

    def _ledgers(
        self, view: ClusterView, pages: Mapping[str, Scraped]
    ) -> tuple[dict[str, Ledger], list[str]]:
        """What each router counted, and who did not say."""
        classes_of = {model.key: tuple(qos.name for qos in model.classes) for model in view.models}
        ledgers: dict[str, Ledger] = {}
        silent: list[str] = []
        for url in view.routers:
            name = _router_name(url)
            try:
                page = router.read_page(_body(pages[name]))
            except ObservationError as error:
                silent.append(self._failure(name, error))
            else:
                ledgers[url] = read_ledger(page, classes_of)
        self._recorder.ignored_cells(sum(ledger.n_ignored for ledger in ledgers.values()))
        return ledgers, silent

    def _pod_page(
        self, name: str, scraped: Scraped, *, is_whole: bool
    ) -> vllm.VllmPage | str | None:
        """A pod's page, None where only its being there is asked for, or why there is none."""
        try:
            body = _body(scraped)
            if is_whole:
                return vllm.read_page(body)
            if vllm.is_page(body):
                return None
            samples_by_name(body, _RUNNING)  # says what is wrong with it, if it is no page at all
        except ObservationError as error:
            return self._failure(name, error)
        lacking = ObservationError(f"the page has no {' or '.join(sorted(_RUNNING))}")
        return self._failure(name, lacking)

    def _failure(self, name: str, error: ObservationError) -> str:
        """Count a failure by its reason; returns its sentence, which begins with the name."""
        self._recorder.scrape_failed(_reason(error))
        return str(error) if str(error).startswith(f"{name}: ") else f"{name}: {error}"

    def _from_routers(
        self, model: ModelView, ledgers: Mapping[str, Ledger], unreachable: tuple[str, ...]
    ) -> ModelCounts:
        # A router that answers and has not seen the model counts too: nothing, since it started.
        n_classes = len(model.classes)
        counts = {
            url: ledger.by_model.get(model.key) or nothing_counted(n_classes, ledger.started_at_s)
            for url, ledger in ledgers.items()
        }
        return ModelCounts(
            source=ROUTER,
            traffic={url: self._since_seam(model.key, url, each) for url, each in counts.items()},
            outcomes={url: each.outcomes for url, each in counts.items()},
            unreachable=unreachable,
        )

    def _since_seam(self, key: ModelKey, url: str, counts: RouterCounts) -> CountSnapshot:
        """A router's counts, without what it counted while the histograms were listened to."""
        traffic = counts.traffic
        if traffic.started_at_s >= self._seam_s:
            return traffic  # started since, or there never was a seam
        at_s, zero = self._zeros.setdefault((key, url), (self._seam_s, traffic))
        if zero.started_at_s != traffic.started_at_s:
            return traffic
        return dataclasses.replace(traffic.since(zero), started_at_s=at_s)

    def _from_pods(
        self,
        model: ModelView,
        pages: Mapping[str, vllm.VllmPage],
        unreachable: tuple[str, ...],
        now_s: float,
    ) -> ModelCounts:
        names = {_pod_name(model.key, instance): instance.name for instance in model.instances}
        classes = [qos.name for qos in model.classes]
        index = class_index(classes, self._places.default_class(model.key))
        traffic: dict[str, CountSnapshot] = {}
        lacking: list[str] = []
        for name, pod in names.items():
            if name not in pages:
                continue
            why = self._take(model.key, pod, pages[name], now_s)
            if why:
                lacking.append(f"{name}: {why}")
            else:
                traffic[pod] = self._pods[model.key, pod].snapshot(len(classes), index)
        return ModelCounts(HISTOGRAMS, traffic, unreachable=(*unreachable, *lacking))

    def _take(self, key: ModelKey, pod: str, page: vllm.VllmPage, now_s: float) -> str:
        """Take in a pod's page; returns what it lacks, if anything."""
        reading = read(page)
        if isinstance(reading, str):
            return reading
        known = self._pods.get((key, pod))
        if known is not None:
            known.take(reading)
            return ""
        begun = self._pods[key, pod] = PodCounts(started_at_s=now_s)
        if self._fallback_since_s is not None and reading.started_at_s >= self._fallback_since_s:
            begun.take(reading)
        else:
            begun.begin_at(reading)
        return ""

    def _forget_gone(self, view: ClusterView) -> None:
        """Drop the accounts of pods that are gone."""
        there = {(model.key, each.name) for model in view.models for each in model.instances}
        self._pods = {key: account for key, account in self._pods.items() if key in there}


def _body(scraped: Scraped) -> bytes:
    if isinstance(scraped, Page):
        return scraped.body
    raise scraped


def _reason(error: ObservationError) -> str:
    """A failure in one word: the label of a metric."""
    match error.__cause__:
        case TimeoutError():
            return "timeout"
        case None:
            return "unusable"  # an answer, but no page of metrics
        case _:
            return "connection"


def _pod_name(key: ModelKey, instance: Instance) -> str:
    return f"{key.namespace}/{instance.name}"


def _router_name(url: str) -> str:
    return f"router {url}"


def router_urls(given: Sequence[str]) -> tuple[str, ...]:
    """The routers' addresses, each once and without a slash at the end."""
    return tuple(dict.fromkeys(url.rstrip("/") for url in given))
