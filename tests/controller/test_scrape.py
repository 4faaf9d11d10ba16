"""Scraping: each way in which a pod can misbehave costs that pod its page, and nobody else's."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.scrape import Page, Scraper, ScrapeTarget
from llmd_autoscaler.engines.vllm import read_page
from llmd_autoscaler.errors import ObservationError

HEALTHY = b'vllm:num_requests_running{engine="0"} 3.0\n'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def healthy(_: web.Request) -> web.StreamResponse:
    return web.Response(body=HEALTHY)


async def hanging(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def trickling(request: web.Request) -> web.StreamResponse:
    """One byte and then nothing: a timeout between reads alone would not end a page that always goes on."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"#")
    await asyncio.Event().wait()
    return response


async def flooding(request: web.Request) -> web.StreamResponse:
    """20 MB of well-formed lines."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(20):
            await response.write(HEALTHY * 24_000)
    return response


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Announces more than it sends, then closes."""
    response = web.StreamResponse(headers={"Content-Length": "5000"})
    await response.prepare(request)
    await response.write(HEALTHY)
    assert request.transport is not None
    request.transport.close()
    return response


async def failing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="starting")


async def html(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html><body>Sign in</body></html>\n", content_type="text/html")


async def redirecting(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/healthy")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server with one path for each kind of pod."""
    app = web.Application()
    kinds = (healthy, hanging, trickling, flooding, cut_off, failing, html, redirecting)
    app.add_routes([web.get(f"/{kind.__name__}", kind) for kind in kinds])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def scraped(
    url: str, *kinds: str, timeout_wall_s: float = 1.0
) -> dict[str, Page | ObservationError]:
    async with Scraper(Clock(), timeout_wall_s=timeout_wall_s) as scraper:
        return await scraper.fetch_all([ScrapeTarget(kind, f"{url}/{kind}") for kind in kinds])


async def test_a_page_comes_as_it_was_sent_with_the_time_of_the_one_clock(url):
    async with Scraper(Clock(wall_s=0.0, sim_s=5.0, rate=0.0)) as scraper:
        pages = await scraper.fetch_all([ScrapeTarget("pod-1", f"{url}/healthy")])

    assert pages == {"pod-1": Page(body=HEALTHY, fetched_s=5.0)}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("hanging", "no page within 1 s"),
        ("trickling", "no page within 1 s"),
        ("flooding", "sends more than 4194304 bytes"),
        ("cut_off", "no page from"),
        ("failing", "answered HTTP 503"),
        ("redirecting", "answered HTTP 302"),
        ("missing", "answered HTTP 404"),
    ],
)
async def test_a_pod_that_misbehaves_is_an_error_of_its_own(url, kind, sentence):
    pages = await scraped(url, "healthy", kind)

    assert pages["healthy"].body == HEALTHY
    assert isinstance(pages[kind], ObservationError)
    assert str(pages[kind]).startswith(f"{kind}: ")
    assert sentence in str(pages[kind])


async def test_an_html_page_is_fetched_and_refused_where_it_is_read(url):
    pages = await scraped(url, "html")

    with pytest.raises(ObservationError, match="HTML page"):
        read_page(pages["html"].body)


async def test_nobody_listening_is_an_error_of_that_pod(url):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        targets = [
            ScrapeTarget("gone", f"http://127.0.0.1:{port}/metrics"),
            ScrapeTarget("healthy", f"{url}/healthy"),
        ]
        async with Scraper(Clock()) as scraper:
            pages = await scraper.fetch_all(targets)

    assert isinstance(pages["gone"], ObservationError)
    assert isinstance(pages["healthy"], Page)


async def test_an_address_that_is_none_is_an_error_of_that_pod():
    async with Scraper(Clock()) as scraper:
        pages = await scraper.fetch_all([ScrapeTarget("pod", "http://127.0.0.1:99999/metrics")])

    assert isinstance(pages["pod"], ObservationError)


async def test_garbage_in_place_of_http_is_an_error_of_that_pod():
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff not http at all\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Scraper(Clock()) as scraper:
        pages = await scraper.fetch_all([ScrapeTarget("pod", f"http://127.0.0.1:{port}/metrics")])

    assert isinstance(pages["pod"], ObservationError)


async def test_no_targets_are_no_pages():
    async with Scraper(Clock()) as scraper:
        assert await scraper.fetch_all([]) == {}


async def test_a_healthy_pod_does_not_queue_behind_pods_that_hung_the_last_time():
    order: list[str] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        order.append(request.path)
        if request.path == "/pods/slow":
            await asyncio.Event().wait()
        return web.Response(body=HEALTHY)

    app = web.Application()
    app.add_routes([web.get("/pods/{name}", noted)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    at = f"http://127.0.0.1:{runner.addresses[0][1]}/pods"
    targets = [ScrapeTarget("slow", f"{at}/slow"), ScrapeTarget("quick", f"{at}/quick")]
    # One slot: in the first round the slow pod holds it until its timeout.
    async with Scraper(Clock(), timeout_wall_s=0.2, max_concurrent=1) as scraper:
        await scraper.fetch_all(targets)
        await scraper.fetch_all(targets)
    await runner.cleanup()

    assert order == ["/pods/slow", "/pods/quick", "/pods/quick", "/pods/slow"]


async def test_three_hundred_pods_are_all_fetched(url):
    targets = [ScrapeTarget(f"pod-{i}", f"{url}/healthy") for i in range(300)]
    async with Scraper(Clock(), max_concurrent=50) as scraper:
        pages = await scraper.fetch_all(targets)

    assert {type(page) for page in pages.values()} == {Page}
    assert len(pages) == 300
