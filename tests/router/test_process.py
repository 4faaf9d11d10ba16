"""The router as a real process."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.router.fleet import Fleet
from llmd_autoscaler.router.process import run_router
from llmd_autoscaler.router.scorers import scorer_named
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store
from tests.router.conftest import DONE, MODEL, Cell, Server, level, pod, serve, token, usage

PROGRAM = """
import asyncio, sys
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.router.process import run_router
asyncio.run(run_router(api=sys.argv[1], host="127.0.0.1", port=int(sys.argv[2]), namespace="llm", clock=Clock()))
"""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextlib.asynccontextmanager
async def running(api: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, api, str(port))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_healthy(client: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(url + "/health") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_an_open_answer_ends_after_sigterm_and_nothing_new_is_taken() -> None:
    goes_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await out.prepare(request)
        await out.write(token("a"))
        await goes_on.wait()
        await out.write(token("", reason="stop") + usage(1, 1) + DONE)
        return out

    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(Store(Clock())))
        server, app = Server(slow), web.Application()
        app.router.add_post("/v1/completions", server.handle)
        upstream_port = await serve(app, stack)
        kube = await Kube.connect(address)
        stack.push_async_callback(kube.close)
        wire = level()
        wire["status"]["mix"][0]["port"] = upstream_port  # type: ignore[index]
        world = Cell(kube, Fleet())
        await world.create_level(wire)
        await world.create_pod(pod("p1", "127.0.0.1"))
        client = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = await stack.enter_async_context(running(address, port))
        await until_healthy(client, url)
        body = {"model": MODEL, "prompt": "x", "stream": True}
        async with client.post(url + "/v1/completions", json=body) as response:
            assert await response.content.readany() == token("a")
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        break
                    writer.close()
                    await asyncio.sleep(0.02)
                goes_on.set()
                assert await response.content.read() == token("", reason="stop") + DONE
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_port_in_use_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"cannot listen on 127.0.0.1:{port} .*give another --port or --host"
        ):
            await run_router(
                api="http://127.0.0.1:1",
                host="127.0.0.1",
                port=port,
                namespace="llm",
                clock=Clock(),
            )


def test_an_unknown_scorer_is_a_sentence_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no scorer is called 'best': write one of least-work"):
        scorer_named("best")


def test_a_scorer_of_another_package_is_found_by_its_entry_point(tmp_path, monkeypatch) -> None:
    info = tmp_path / "foreign-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[llmd_autoscaler.scorers]\nfirst = foreign_scorer:First\nbroken = foreign_scorer:Nothing\nodd = json:JSONDecoder\n"
    )
    (tmp_path / "foreign_scorer.py").write_text(
        "class First:\n    def costs(self, asked, candidates):\n        return list(range(len(candidates)))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert type(scorer_named("first")).__name__ == "First"
    with pytest.raises(ConfigError, match="cannot be loaded"):
        scorer_named("broken")
    with pytest.raises(ConfigError, match="has no method costs"):
        scorer_named("odd")
