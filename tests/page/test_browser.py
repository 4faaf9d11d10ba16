"""The page in Chromium: what people do with it, and that it asks nobody but its own server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.chromium import Browser, browser
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.local.page import save_page
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store
from tests.page.objects import CHAT, CODE, NOW_S, Page, attained, level, page, variant, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

NAMES = "return [...document.querySelectorAll('#rows tr th a')].map(a => a.textContent)"
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
SETTLED = {"desiredReplicas": 4, "readyReplicas": 4, "groups": [{"name": "mixed", "desired": 4}], "conditions": []}  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Its absence is a failure, never a skip."""
    with browser() as found:
        yield found


@pytest.fixture
async def shown() -> AsyncIterator[Page]:
    """A page of two models: chat keeps its SLO, code misses it."""
    clock = Clock.starting_at(NOW_S, 15.0)  # a tick a second
    async with serving(Store(clock)) as api, page(api, clock) as found:
        until = {"validUntil": "2026-11-24T23:00:00Z"}
        await write(
            found.kube,
            level(**until),
            variant(**SETTLED),
            level(CODE, "code", attainment=attained("0.9"), **until),
            variant(CODE, "code-h100", **SETTLED),
        )
        await found.shows(lambda parts: len(parts.get("rows", {})) == 2)
        yield found


async def opened(chromium: Browser, url: str, width_px: int = 1440) -> None:
    await asyncio.to_thread(chromium.resize, width_px, 900)
    await asyncio.to_thread(chromium.prefer, prefers_color_scheme="light")
    await asyncio.to_thread(chromium.driver.get, "about:blank")
    await asyncio.to_thread(chromium.complaints)
    await asyncio.to_thread(chromium.requests)
    await asyncio.to_thread(chromium.driver.get, url)


async def until(chromium: Browser, script: str, expected: object = True) -> None:
    """Wait until a script returns this."""
    found: object = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(15):
            while (found := await asyncio.to_thread(chromium.run, script)) != expected:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.05)
    assert found == expected


async def click(chromium: Browser, selector: str) -> None:
    element = await asyncio.to_thread(chromium.driver.find_element, By.CSS_SELECTOR, selector)
    await asyncio.to_thread(element.click)


async def test_the_worst_model_stands_first_and_the_headline_names_it(chromium, shown) -> None:
    await opened(chromium, shown.url)
    await until(chromium, NAMES, ["Code-8B", "Chat-70B"])
    await until(
        chromium,
        "return document.getElementById('sentence').textContent",
        "1 of 2 models needs attention. Code-8B: interactive misses its SLO.",
    )


async def test_a_search_leaves_what_is_called_so(chromium, shown) -> None:
    await opened(chromium, shown.url)
    await until(chromium, NAMES, ["Code-8B", "Chat-70B"])
    search = await asyncio.to_thread(chromium.driver.find_element, By.ID, "search")
    await asyncio.to_thread(search.send_keys, "chat")
    await until(chromium, NAMES, ["Chat-70B"])
    await until(chromium, "return document.getElementById('n-shown').textContent", "1 of 2 models")
    await asyncio.to_thread(search.send_keys, Keys.ESCAPE)
    await until(chromium, NAMES, ["Code-8B", "Chat-70B"])


async def test_the_head_of_a_column_sorts_by_it_and_says_so(chromium, shown) -> None:
    await opened(chromium, shown.url)
    await until(chromium, NAMES, ["Code-8B", "Chat-70B"])
    await click(chromium, "th[data-column=model] button")
    await until(chromium, NAMES, ["Chat-70B", "Code-8B"])
    sort = "return document.querySelector('th[data-column=model]').getAttribute('aria-sort')"
    await until(chromium, sort, "ascending")
    await click(chromium, "th[data-column=model] button")
    await until(chromium, NAMES, ["Code-8B", "Chat-70B"])
    await click(chromium, "#worst")
    await until(chromium, sort, None)


async def test_a_model_opens_by_keyboard_with_its_charts_and_reasons(chromium, shown) -> None:
    await opened(chromium, shown.url)
    await until(chromium, NAMES, ["Code-8B", "Chat-70B"])
    chromium.run("document.querySelectorAll('#rows a')[1].focus()")
    focused = await asyncio.to_thread(lambda: chromium.driver.switch_to.active_element)
    await asyncio.to_thread(focused.send_keys, Keys.ENTER)
    await until(chromium, "return document.getElementById('detail-title').textContent", "Chat-70B")
    assert chromium.run("return decodeURIComponent(location.hash)") == f"#llm/{CHAT}"
    await until(chromium, "return document.activeElement.id", "detail")
    # load and instances, traffic, TTFT, TPOT, attainment, cost
    await until(chromium, "return document.querySelectorAll('#charts figure').length", 6)
    await until(chromium, "return document.querySelectorAll('#charts .main-svg').length > 0")
    reasons = await asyncio.to_thread(
        chromium.run, "return document.getElementById('reasons').textContent"
    )
    assert "More traffic is expected than the present instances carry" in str(reasons)
    labels = chromium.run(
        "return [...document.querySelectorAll('#charts [role=img]')].map(e => e.getAttribute('aria-label'))"
    )
    assert isinstance(labels, list)
    assert (
        "Chart of Load and instances of chat-a100. 4 ready, 4 desired; the work is worth 3.2."
        in labels
    )


async def test_a_change_arrives_without_a_reload(chromium, shown) -> None:
    await opened(chromium, f"{shown.url}#llm%2F{CODE.replace('/', '%2F')}")
    await until(chromium, "return document.getElementById('detail-title').textContent", "Code-8B")
    await write(shown.kube, level(CODE, "code", validUntil="2026-11-24T23:00:00Z"))
    await until(chromium, "return document.getElementById('headline').dataset.state", "ok")
    await until(
        chromium,
        "return document.getElementById('sentence').textContent",
        "All 2 models keep their SLO.",
    )


async def test_a_server_that_is_away_is_said_with_its_time(chromium) -> None:
    clock = Clock.starting_at(NOW_S, 15.0)
    link = "return document.getElementById('link').textContent"
    async with serving(Store(clock)) as api:
        async with page(api, clock) as shown:
            await write(shown.kube, level(), variant())
            await opened(chromium, shown.url)
            await until(chromium, link, "Connected")
        await until(chromium, f"{link}.startsWith('Not connected since ')")
        await until(chromium, NAMES, ["Chat-70B"])


@pytest.mark.parametrize("width_px", [390, 768, 1440])
async def test_nothing_is_wider_than_the_window(chromium, shown, width_px: int) -> None:
    await opened(chromium, f"{shown.url}#llm%2F{CHAT.replace('/', '%2F')}", width_px)
    await until(chromium, "return document.querySelectorAll('#charts figure').length", 6)
    chromium.run("document.getElementById('charts').scrollIntoView()")  # charts are drawn in sight
    await until(chromium, "return document.querySelectorAll('#charts .main-svg').length > 0")
    await until(chromium, WIDER, 0)


async def test_a_reader_who_prefers_the_dark_gets_it(chromium, shown) -> None:
    await opened(chromium, shown.url)
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = await asyncio.to_thread(chromium.run, ground)
    await asyncio.to_thread(chromium.prefer, prefers_color_scheme="dark")
    dark = await asyncio.to_thread(chromium.run, ground)
    assert (light, dark) == ("rgb(246, 247, 249)", "rgb(16, 21, 27)")


async def test_the_console_is_silent_and_no_request_leaves_loopback(chromium, shown) -> None:
    await opened(chromium, f"{shown.url}#llm%2F{CHAT.replace('/', '%2F')}")
    await until(chromium, "return document.querySelectorAll('#charts .main-svg').length > 0")
    assert await asyncio.to_thread(chromium.complaints) == []
    asked = await asyncio.to_thread(chromium.requests)
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith((shown.url, "data:"))] == []


async def test_a_saved_page_shows_everything_without_a_server(chromium, tmp_path: Path) -> None:
    clock, path = Clock.starting_at(NOW_S, 15.0), tmp_path / "run.html"
    async with serving(Store(clock)) as api, page(api, clock) as shown:
        await write(shown.kube, level(), variant())
        await shown.shows(lambda _: len(shown.collector.history.since(f"llm/{CHAT}")["t"]) >= 3)
        await save_page(shown.url, path)
    await opened(chromium, path.as_uri())
    await until(chromium, NAMES, ["Chat-70B"])
    await until(
        chromium, "return document.getElementById('link').textContent.startsWith('Saved at')"
    )
    await until(chromium, "return document.querySelectorAll('#charts .main-svg').length > 0")
    assert await asyncio.to_thread(chromium.complaints) == []
    asked = await asyncio.to_thread(chromium.requests)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
