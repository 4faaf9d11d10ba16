"""The page's server on loopback, beside the small API server."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.page.assets import PLOTLY, Assets
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store
from tests.page.objects import CHAT, CODE, NOW_S, level, page, variant, write

KEY = f"llm/{CHAT}"


@contextlib.asynccontextmanager
async def metrics(body: bytes, status: int = 200) -> AsyncIterator[str]:
    """A process that says this on /metrics."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[str]:
    async with serving(Store(Clock.starting_at(NOW_S, 1.0))) as address:
        yield address


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(trust_env=False) as session:
        yield session


async def event(stream: aiohttp.ClientResponse) -> tuple[str, str, dict]:
    """(id, name, data) of the next event that has any."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(20):
        while "data" not in fields:
            fields = {}
            while line := (await stream.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                fields[name] = value
    return fields.get("id", ""), fields["event"], json.loads(fields["data"])


async def test_a_change_of_a_status_arrives_as_the_part_that_changed(api, session) -> None:
    async with page(api) as shown:
        await write(shown.kube, level(), variant(), level(CODE, "code"), variant(CODE, "code-h100"))
        await shown.shows(lambda parts: len(parts.get("rows", {})) == 2)
        async with session.get(f"{shown.url}/events") as stream:
            _, name, data = await event(stream)
            while len(data.get("models", {})) < 2:  # a look may have been in between
                _, name, data = await event(stream)
            await write(shown.kube, variant(desiredReplicas=6))
            while True:
                _, name, data = await event(stream)
                if "rows" in data:
                    break
        assert name == "some"
        assert list(data["rows"]) == [KEY]
        assert data["rows"][KEY]["n_desired"] == 6


async def test_who_comes_back_is_sent_what_it_missed(api, session) -> None:
    async with page(api) as shown:
        await write(shown.kube, level(), variant())
        await shown.shows(lambda parts: KEY in parts.get("rows", {}))
        async with session.get(f"{shown.url}/events") as stream:
            seen, name, _ = await event(stream)
        assert name == "all"
        await write(shown.kube, level(CODE, "code"), variant(CODE, "code-h100"))
        await shown.shows(lambda parts: f"llm/{CODE}" in parts["rows"])
        async with session.get(f"{shown.url}/events", headers={"Last-Event-ID": seen}) as stream:
            _, name, data = await event(stream)
        assert name == "some"
        assert KEY not in data["models"]
        assert f"llm/{CODE}" in data["models"]


async def test_who_comes_back_to_another_process_is_sent_everything(api, session) -> None:
    async with page(api) as shown:
        async with session.get(
            f"{shown.url}/events", headers={"Last-Event-ID": "other.3"}
        ) as stream:
            _, name, _ = await event(stream)
        assert name == "all"


async def test_an_api_server_that_goes_away_is_said_and_the_last_known_stays() -> None:
    async with contextlib.AsyncExitStack() as stack:
        beside = contextlib.AsyncExitStack()
        api = await beside.enter_async_context(serving(Store(Clock())))
        shown = await stack.enter_async_context(page(api))
        await write(shown.kube, level(), variant())
        await shown.shows(lambda parts: KEY in parts.get("rows", {}))
        await beside.aclose()
        await shown.shows(lambda parts: not parts["top"]["top"]["sources"][0]["is_connected"])
        top = shown.collector.board.everything()["top"]["top"]
        assert (
            top["headline"] == "The API server does not answer: what stands here is the last known."
        )
        assert KEY in shown.collector.board.everything()["rows"]


async def test_newer_counts_of_the_controller_lie_over_the_status(api) -> None:
    said = (
        f'llmd_autoscaler_ready_instances{{namespace="llm",model="{CHAT}",target="chat-a100"}} 4\n'
        f'llmd_autoscaler_desired_instances{{namespace="llm",model="{CHAT}",target="chat-a100"}} 5\n'
        f'llmd_autoscaler_attainment{{namespace="llm",model="{CHAT}",class="interactive",kind="realised"}} 0.9975\n'
    )
    async with metrics(said.encode()) as url, page(api, controller=url) as shown:
        await write(shown.kube, level(), variant())
        await shown.shows(lambda parts: parts.get("rows", {}).get(KEY, {}).get("n_ready") == 4)
        row = shown.collector.board.everything()["rows"][KEY]
        assert (row["n_desired"], row["n_starting"], row["attained_frac"]) == (5, 1, 0.9975)


async def test_a_controller_that_answers_garbage_is_away_and_the_statuses_hold(api) -> None:
    async with metrics(b"<html>") as url, page(api, controller=url) as shown:
        await write(shown.kube, level(), variant())
        await shown.shows(lambda parts: KEY in parts.get("rows", {}))
        parts = shown.collector.board.everything()
        assert "this is an HTML page" in parts["top"]["top"]["sources"][1]["detail"]
        assert parts["rows"][KEY]["n_ready"] == 3


async def test_the_history_of_a_model_is_told_from_a_moment_on(api, session) -> None:
    counts = Counts(started_at_s=NOW_S)
    counts.arrived(CHAT, "interactive", isl=100, at_s=0.0)
    clock = Clock.starting_at(NOW_S, 30.0)  # a tick in half a second
    async with metrics(counts.page([]).encode()) as url, page(api, clock, routers=[url]) as shown:
        await write(shown.kube, level(), variant())
        await shown.shows(lambda _: len(shown.collector.history.since(KEY)["t"]) >= 3)
        async with session.get(f"{shown.url}/history", params={"model": KEY}) as answer:
            told = await answer.json()
        assert told["series"]["target/chat-a100/ready"][-1] == 3
        assert (
            told["series"]["class/interactive/qps"][-1] == 0
        )  # nothing came since the first reading
        params = {"model": KEY, "since": str(told["t"][-2])}
        async with session.get(f"{shown.url}/history", params=params) as answer:
            assert (await answer.json())["t"][0] == told["t"][-1]
        async with session.get(f"{shown.url}/history", params={"since": "noon"}) as answer:
            assert answer.status == 400


async def test_plotly_is_sent_packed_and_kept_by_its_tag(api, session) -> None:
    async with page(api) as shown:
        url = f"{shown.url}/static/{PLOTLY}"
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            tag = answer.headers["ETag"]
        async with session.get(url, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with session.get(f"{shown.url}/static/other.js") as answer:
            assert answer.status == 404


def test_a_packed_file_is_the_file() -> None:
    asset = Assets().get("app.js")
    assert asset is not None
    assert gzip.decompress(asset.packed) == asset.body


async def test_the_page_allows_no_script_but_its_own(api, session) -> None:
    async with page(api) as shown, session.get(shown.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert re.search(r"<script(?![^>]* src=)", text) is None
    assert re.search(r"\son\w+=", text) is None
    assert "https://" not in text


async def test_a_saved_page_holds_its_data_and_asks_nobody(api, session) -> None:
    async with page(api) as shown:
        await write(shown.kube, level(), variant())
        await shown.shows(lambda parts: KEY in parts.get("rows", {}))
        async with session.get(f"{shown.url}/save") as answer:
            text = await answer.text()
            assert answer.headers["Content-Disposition"].startswith("attachment")
    (data,) = re.findall(
        r'<script type="application/json" id="saved">(.*?)</script>', text, re.DOTALL
    )
    assert json.loads(data)["models"][KEY]["model"] == CHAT
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert "connect-src 'none'" in policy
    for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert re.search(r"<(script|link|img)[^>]* (src|href)=\"(?!data:)", text) is None


def test_a_model_that_is_named_like_a_script_stays_a_name() -> None:
    text = Assets().saved({"models": {"</script><script>alert(1)": {}}}).decode()
    assert "</script><script>alert(1)" not in text
