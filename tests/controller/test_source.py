"""Who counted what: routers first, vLLM's own pages where no router answers, and the seams between them."""

import contextlib
import dataclasses

import numpy as np
import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.ports import ClusterView, Instance, ModelKey, ModelView
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.controller.source import ScrapedSource, router_urls
from llmd_autoscaler.core.shapes import bin_of
from llmd_autoscaler.core.traffic import TrafficMemory
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.router.stream import Usage
from tests.translate.decisions import CLASSES

MODEL = ModelKey("llm", "m")
T0_S = 1000.0


class Pages:
    """Metrics pages at addresses of their own; a page of "" is an answer 500."""

    def __init__(self):
        self.pages, self._runners = {}, []

    async def at(self, name, page):
        self.pages[name] = page
        app = web.Application()

        async def answer(_):
            text = self.pages[name]
            return web.Response(text=text, status=200 if text else 500)

        app.router.add_get("/metrics", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runners.append(runner)
        host, port = runner.addresses[0]
        return f"{host}:{port}"

    async def close(self):
        for runner in self._runners:
            await runner.cleanup()


class Notes:
    """Implements both of the source's protocols."""

    def __init__(self):
        self.failures, self.n_ignored = [], []

    def scrape_failed(self, reason):
        self.failures.append(reason)

    def ignored_cells(self, n):
        self.n_ignored.append(n)

    def default_class(self, key):
        return {MODEL: "relaxed"}[key]

    def page_url(self, _, instance):
        return f"http://{instance.address}/metrics"


@pytest.fixture
async def pages():
    made = Pages()
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def source():
    notes = Notes()
    async with Scraper(Clock(), timeout_wall_s=5.0) as scraper:
        yield ScrapedSource(scraper, notes, notes), notes


def view(*, routers=(), pods=None, model="m"):
    instances = tuple(Instance(name, "a100", at, at != "") for name, at in (pods or {}).items())
    one = ModelView(ModelKey("llm", model), "sl", CLASSES, (), instances)
    return ClusterView((one,), routers=tuple(f"http://{at}" for at in routers))


def counted(n=3, *, model="m", started_at_s=0.0, osl=100):
    counts = Counts(started_at_s=started_at_s)
    for _ in range(n):
        counts.arrived(model, "interactive", isl=1000, at_s=0.0)
        counts.completed(model, "interactive", Usage(isl=1001, osl=osl, n_hit=16))
        counts.ended(model, "interactive", missed="")
    counts.ended(model, "interactive", missed="tpot")
    return counts.page([])


def vllm(
    *, finished=10.0, running=2.0, waiting=1.0, started_at_s=0.0, isl=1000.0, osl=100.0, hits=0.0
):
    """A page on which every prompt has 500 to 1000 tokens and every answer 50 to 100."""
    label = '{model_name="m",engine="0"}'
    lines = [
        f"process_start_time_seconds {started_at_s!r}",
        f"vllm:num_requests_running{label} {running}",
        f"vllm:num_requests_waiting{label} {waiting}",
        f'vllm:request_success_total{{model_name="m",finished_reason="stop"}} {finished}',
        f"vllm:prefix_cache_queries_total{label} {finished * isl}",
        f"vllm:prefix_cache_hits_total{label} {hits * finished * isl}",
    ]
    for name, mean, low, high in (
        ("request_prompt_tokens", isl, 500, 1000),
        ("request_generation_tokens", osl, 50, 100),
    ):
        for edge, count in ((low, 0.0), (high, finished), ("+Inf", finished)):
            lines.append(f'vllm:{name}_bucket{{model_name="m",le="{edge}"}} {count}')
        lines.append(f"vllm:{name}_sum{label} {mean * finished}")
        lines.append(f"vllm:{name}_count{label} {finished}")
    return "\n".join(lines) + "\n"


async def test_a_routers_page_is_counts_by_class_and_bin(pages):
    at = await pages.at("r", counted(3))
    async with source() as (counting, _):
        found = (await counting.counts(view(routers=[at]), now_s=T0_S))[MODEL]
    traffic = found.traffic[f"http://{at}"]
    cell = (0, bin_of(1001), bin_of(100))
    assert (found.source, found.unreachable) == ("router", ())
    assert traffic.arrivals[0, bin_of(1000)] == traffic.arrivals.sum() == 3
    assert [a[cell] for a in (traffic.completions, traffic.isl_tokens, traffic.osl_tokens, traffic.hit_tokens)] == [
        3,
        3 * 1001,
        3 * 100,
        3 * 16,
    ]  # fmt: skip
    assert traffic.arrival_isl_tokens.sum() == 3000


async def test_outcomes_are_attained_or_the_bound_that_was_missed(pages):
    at = await pages.at("r", counted(3))
    async with source() as (counting, _):
        found = (await counting.counts(view(routers=[at]), now_s=T0_S))[MODEL]
    # all, ttft, tpot, e2e, failed
    assert found.outcomes[f"http://{at}"].counts[0].tolist() == [3, 0, 1, 0, 0]


async def test_a_model_that_no_request_named_was_counted_as_zero(pages):
    at = await pages.at("r", counted(3, model="other"))
    async with source() as (counting, notes):
        found = (await counting.counts(view(routers=[at]), now_s=T0_S))[MODEL]
    assert found.traffic[f"http://{at}"].arrivals.sum() == 0
    # two of arrivals, four of completions, two of outcomes, all of a model that we do not have
    assert notes.n_ignored == [8]


async def test_one_router_of_two_is_enough_and_the_other_is_named(pages):
    good, bad = await pages.at("r", counted(3)), await pages.at("s", "")
    async with source() as (counting, notes):
        found = (await counting.counts(view(routers=[good, bad]), now_s=T0_S))[MODEL]
    assert list(found.traffic) == [f"http://{good}"]
    assert [text.startswith(f"router http://{bad}: ") for text in found.unreachable] == [True]
    assert notes.failures == ["unusable"]


async def test_pods_that_do_not_answer_are_named_while_routers_count(pages):
    router, pod = await pages.at("r", counted(3)), await pages.at("p", vllm())
    html = await pages.at("q", "<html>\n")
    async with source() as (counting, _):
        shown = view(routers=[router], pods={"p": pod, "q": html, "starting": ""})
        found = (await counting.counts(shown, now_s=T0_S))[MODEL]
    assert [text.split(": ")[0] for text in found.unreachable] == ["llm/q"]
    assert "HTML" in found.unreachable[0]


async def test_a_page_of_another_server_is_no_answer_of_a_pod(pages):
    router, pod = await pages.at("r", counted(3)), await pages.at("p", "other_metric 1\n")
    async with source() as (counting, _):
        shown = view(routers=[router], pods={"p": pod})
        found = (await counting.counts(shown, now_s=T0_S))[MODEL]
    assert found.unreachable == ("llm/p: the page has no vllm:num_requests_running",)


async def test_without_any_answer_a_model_has_no_traffic(pages):
    at = await pages.at("p", "")
    async with source() as (counting, _):
        found = (await counting.counts(view(pods={"p": at}), now_s=T0_S))[MODEL]
    assert found.traffic == {}
    assert [text.split(": ")[0] for text in found.unreachable] == ["llm/p"]


async def observed(counting, shown, ticks):
    """(class,) rates after ticks of 15 s, by a memory as the loop keeps it."""
    memory = TrafficMemory.empty(len(CLASSES))
    for n, change in enumerate(ticks):
        change()
        now_s = T0_S + 15.0 * n
        counts = (await counting.counts(shown, now_s=now_s))[MODEL]
        memory = memory.observe(counts.traffic, now_s=now_s)
    return memory


async def test_without_a_router_offered_is_what_finished_runs_and_waits(pages):
    at = await pages.at("p", vllm(finished=100))

    def later():
        # 27 more finished, 3 more run, 0 wait: 30 came
        pages.pages["p"] = vllm(finished=127, running=5, waiting=1)

    async with source() as (counting, _):
        memory = await observed(counting, view(pods={"p": at}), [lambda: None, later])
    # all of the default class, which is the second: 30 in 15 s
    assert memory.rate_qps(60.0).tolist() == [0.0, pytest.approx(2.0)]
    assert memory.shapes.completions[1].sum() == pytest.approx(27.0)


async def test_lengths_keep_their_mean_on_the_finer_grid(pages):
    at = await pages.at("p", vllm(finished=0.0))

    def later():
        pages.pages["p"] = vllm(finished=50, isl=800.0, osl=70.0, hits=0.25)

    async with source() as (counting, _):
        shapes = (await observed(counting, view(pods={"p": at}), [lambda: None, later])).shapes
    assert shapes.isl_tokens.sum() / 50 == pytest.approx(800.0)
    assert shapes.osl_tokens.sum() / 50 == pytest.approx(70.0)
    assert shapes.hit_tokens.sum() / shapes.isl_tokens.sum() == pytest.approx(0.25)
    # every prompt has 500 to 1000 tokens: the bins up to 512, 724 and 1024
    assert np.flatnonzero(shapes.completions.sum(axis=(0, 2))).tolist() == [6, 7, 8]


async def test_a_gauge_that_falls_and_rises_is_no_demand(pages):
    at = await pages.at("p", vllm(running=9))

    def fall():
        pages.pages["p"] = vllm(running=0)

    def rise():
        pages.pages["p"] = vllm(running=9)

    async with source() as (counting, _):
        memory = await observed(
            counting, view(pods={"p": at}), [lambda: None, fall, rise, fall, rise]
        )
    assert memory.rate_qps(60.0).sum() == 0.0


async def test_a_pod_that_restarted_is_not_counted_backwards(pages):
    at = await pages.at("p", vllm(finished=1000))

    def restart():
        pages.pages["p"] = vllm(finished=6, running=0, waiting=0, started_at_s=T0_S + 5.0)

    async with source() as (counting, _):
        memory = await observed(counting, view(pods={"p": at}), [lambda: None, restart])
    assert memory.arrived[-1].sum() == pytest.approx(6.0)


async def test_counts_never_fall_in_any_cell(pages):
    at = await pages.at("p", vllm(finished=100, isl=990.0))
    async with source() as (counting, _):
        shown = view(pods={"p": at})
        before = None
        for n, page in enumerate(
            [vllm(finished=100, isl=990.0), vllm(finished=101, isl=600.0), vllm(finished=200, isl=510.0, running=0)]
        ):  # fmt: skip
            pages.pages["p"] = page
            traffic = (await counting.counts(shown, now_s=T0_S + 15.0 * n))[MODEL].traffic["p"]
            for field in dataclasses.fields(traffic):
                if before is not None and field.name != "started_at_s":
                    now, then = getattr(traffic, field.name), getattr(before, field.name)
                    assert np.all(now >= then)
            before = traffic


async def test_a_page_without_lengths_is_named_with_what_it_lacks(pages):
    at = await pages.at("p", "vllm:num_requests_running 1\n")
    async with source() as (counting, _):
        found = (await counting.counts(view(pods={"p": at}), now_s=T0_S))[MODEL]
    assert found.traffic == {}
    assert "vllm:request_prompt_tokens" in found.unreachable[0]


async def test_a_router_that_is_away_for_a_moment_is_waited_for(pages):
    router, pod = await pages.at("r", counted(3)), await pages.at("p", vllm())
    shown = view(routers=[router], pods={"p": pod})
    async with source() as (counting, _):
        await counting.counts(shown, now_s=T0_S)
        pages.pages["r"] = ""
        found = [(await counting.counts(shown, now_s=T0_S + s))[MODEL] for s in (15.0, 59.0, 61.0)]
    assert [(each.source, list(each.traffic)) for each in found] == [
        ("router", []),
        ("router", []),
        ("vllm-histograms", ["p"]),
    ]


async def test_a_change_of_source_is_no_demand_in_either_direction(pages):
    router, pod = await pages.at("r", counted(500)), await pages.at("p", vllm(finished=5000))

    def away():
        pages.pages["r"] = ""

    def back():
        # both have counted the 700 requests that came in the meantime
        pages.pages["r"], pages.pages["p"] = counted(1200), vllm(finished=5700)

    async with source() as (counting, _):
        shown = view(routers=[router], pods={"p": pod})
        nothing = [lambda: None] * 5
        memory = await observed(counting, shown, [lambda: None, away, *nothing, back, lambda: None])
    assert memory.arrived[-1].sum() == 0.0


async def test_after_a_seam_a_router_counts_on(pages):
    router, pod = await pages.at("r", ""), await pages.at("p", vllm())

    def back():
        pages.pages["r"] = counted(100)

    def more():
        pages.pages["r"] = counted(130)

    async with source() as (counting, _):
        shown = view(routers=[router], pods={"p": pod})
        memory = await observed(counting, shown, [lambda: None, back, more])
    assert memory.arrived[-1].sum() == 30.0


def test_an_address_is_asked_once_however_it_is_written():
    assert router_urls(["http://a:1/", "http://a:1", "http://b:1"]) == ("http://a:1", "http://b:1")
