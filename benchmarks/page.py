"""What the page costs whoever looks at it: `python -m benchmarks.page`, about three minutes; its pictures by `--pictures`.

100 models of two classes. First paint and memory: a page of six hours of history in Chromium on this
machine. CPU: the page as a process, in real time, with every status changed at every tick and one reader.
"""

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from aiohttp import web

from benchmarks.chromium import Browser, browser
from benchmarks.page_world import NAMESPACE, TICK_S, Models
from benchmarks.report import Figure, print_report
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.local.page import save_page
from llmd_autoscaler.local.ports import next_free_port
from llmd_autoscaler.page.assets import Assets
from llmd_autoscaler.page.board import Board
from llmd_autoscaler.page.cluster import following
from llmd_autoscaler.page.collector import Collector
from llmd_autoscaler.page.history import N_KEPT, History
from llmd_autoscaler.page.server import Face
from llmd_autoscaler.page.sources import Presence, Sources
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store

N_MODELS = 100
FIRST_PAINT_S = 1.0
HEAP_BYTES = 100e6
CPU_FRAC = 0.05
_HOST = "127.0.0.1"
_N_PAINTS = 5
_PATIENCE_S = 60.0
_WIDE_PX, _PHONE_PX, _HIGH_PX = 1440, 390, 900
_PAINT = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
_HEAP = "return performance.memory.usedJSHeapSize"
_DRAWN = "return document.querySelectorAll('#charts .main-svg').length > 0 ? 1 : 0"
_PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_WATCH_AT = re.compile(r"watch it at (http://\S+)")
# The run of the pictures: far enough for several decisions, slow enough for a busy machine.
_RUN = ("--until", "1200", "--speed", "2")
_SHOT_AT_S = 840.0  # simulated
# What is above the fold of a tall screen: charts, not everything.
_PICTURE_PX = {"wide": (1440, 1560), "phone": (390, 1700), "dark": (1440, 1560)}


def say(text: str) -> None:
    """Progress, which is not the report."""
    print(text, file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """An application on loopback."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, _HOST, 0).start()
    try:
        yield f"http://{_HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def world(models: Models) -> AsyncIterator[tuple[str, Kube]]:
    """An API server that holds the models; its address, and a connection to it."""
    clock = Clock()
    async with serving(Store(clock)) as api, await Kube.connect(api) as kube:
        await models.declare(kube)
        await models.publish(kube, clock.now_s())
        yield api, kube


@contextlib.asynccontextmanager
async def remembered(models: Models, api: str) -> AsyncIterator[str]:
    """A page of six hours of history, in this process; gives its address."""
    clock = Clock()
    async with following(api, "") as cluster, Scraper(clock) as scraper:
        history = History()
        keys = {m: f"{NAMESPACE}/model-{m}" for m in range(models.n)}
        models.fill(history, keys, end_s=clock.now_s(), n=N_KEPT)
        collector = Collector(
            cluster,
            Sources(scraper, clock, None, ()),
            clock,
            Board(uuid.uuid4().hex[:8]),
            history,
            Presence("API server", api, clock.now_s()),
        )
        running = asyncio.create_task(collector.run())
        async with served(Face(collector, Assets()).app()) as url:
            yield url
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def wait_for(shown: Browser, script: str, at_least: float) -> None:
    """Until a number of the page is so large."""
    began_s = time.perf_counter()
    while (found := shown.number(script)) < at_least:
        if time.perf_counter() - began_s > _PATIENCE_S:
            raise SystemExit(f"{script}: still {found:g} after {_PATIENCE_S:.0f} s")
        time.sleep(0.05)


def first_paint_s(url: str) -> float:
    """Median over fresh profiles: nothing is kept from the last time."""
    found = []
    for _ in range(_N_PAINTS):
        with browser() as shown:
            shown.resize(_WIDE_PX, _HIGH_PX)
            shown.driver.get(url)
            wait_for(shown, _PAINT, 0.0)
            found.append(shown.number(_PAINT) / 1e3)
    return statistics.median(found)


def heap_bytes(url: str) -> tuple[float, float]:
    """(most, at the end) after a visit to every model with all its charts over six hours."""
    with browser() as shown:
        shown.resize(_WIDE_PX, 3000)  # every chart is in sight
        shown.driver.get(url)
        wait_for(shown, "return document.querySelectorAll('#rows tr').length", N_MODELS)
        shown.run("document.querySelector('#spans input[value=\"21600\"]').click()")
        most = 0.0
        for m in range(N_MODELS):
            shown.run(f"location.hash = encodeURIComponent('{NAMESPACE}/model-{m}')")
            title = f"return document.getElementById('detail-title').textContent === 'model-{m}' ? 1 : 0"
            wait_for(shown, title, 1.0)
            wait_for(shown, _DRAWN, 1.0)
            most = max(most, shown.number(_HEAP))
        shown.command("HeapProfiler.collectGarbage")
        return most, shown.number(_HEAP)


def saved_heap_bytes(path: Path) -> float:
    """Of everything in one file, drawn, and the rubbish of reading it taken away."""
    with browser() as shown:
        shown.resize(_WIDE_PX, 3000)
        shown.driver.get(f"{path.as_uri()}#{NAMESPACE}%2Fmodel-7")
        wait_for(shown, _DRAWN, 1.0)
        shown.command("HeapProfiler.collectGarbage")
        return shown.number(_HEAP)


def cpu_s(process_id: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def cpu_frac(models: Models, api: str, kube: Kube, n_ticks: int) -> float:
    """Share of a core that the page takes, over whole ticks, with one reader."""
    port, clock = next_free_port(_HOST, 8070), Clock()
    async with served(models.app()) as metrics:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "llmd_autoscaler", "page", "--api", api, "--port", str(port),
            "--controller", f"{metrics}/controller", "--router", f"{metrics}/router",
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession(trust_env=False) as session:
                reader = asyncio.create_task(_read(session, f"http://{_HOST}:{port}/events"))
                await asyncio.sleep(2.0 * TICK_S)  # the start is not its life
                began_s, began_cpu_s = time.perf_counter(), cpu_s(process.pid)
                for tick in range(n_ticks):
                    due = began_s + (tick + 1) * TICK_S
                    models.tick()
                    await models.publish(kube, clock.now_s())
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                    say(f"  tick {tick + 1} of {n_ticks}")
                used_s = cpu_s(process.pid) - began_cpu_s
                took_s = time.perf_counter() - began_s
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
        finally:
            process.terminate()
            await process.wait()
    return used_s / took_s


async def _read(session: aiohttp.ClientSession, url: str) -> None:
    """Read a stream of events as a browser does, from as soon as it is there."""
    timeout = aiohttp.ClientTimeout(total=None)
    while True:
        try:
            async with session.get(url, timeout=timeout) as stream:
                async for _ in stream.content.iter_any():
                    pass
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)


async def measure(n_ticks: int, seed: int) -> bool:
    """Every figure; returns whether the targets are met."""
    models = Models(N_MODELS, seed)
    async with world(models) as (api, kube):
        async with remembered(models, api) as url:
            say("first paint ...")
            paint_s = await asyncio.to_thread(first_paint_s, url)
            say("memory: a visit to every model ...")
            most, rest = await asyncio.to_thread(heap_bytes, url)
            with TemporaryDirectory() as folder:
                path = Path(folder) / "page.html"
                await save_page(url, path)
                saved_bytes = path.stat().st_size
                saved = await asyncio.to_thread(saved_heap_bytes, path)
        say(f"CPU of the server over {n_ticks} ticks ...")
        used = await cpu_frac(models, api, kube, n_ticks)
    figures = [
        Figure(
            name="first contentful paint, local", value=paint_s, unit="s", at_most=FIRST_PAINT_S
        ),
        Figure(
            name="JS heap, 100 models x 6 h, every model visited, most",
            value=most,
            unit="bytes",
            at_most=HEAP_BYTES,
        ),
        Figure(name="CPU of the server, 100 models", value=used, unit="frac", at_most=CPU_FRAC),
    ]
    beside = [
        Figure(name="JS heap after the visits, collected", value=rest, unit="bytes"),
        Figure(name="saved page of 100 models x 6 h", value=float(saved_bytes), unit="bytes"),
        Figure(name="JS heap of the saved page, collected", value=saved, unit="bytes"),
    ]
    return print_report("page", figures, beside)


@contextlib.contextmanager
def local_run() -> Iterator[str]:
    """A run with real processes, under way far enough for a picture; gives the address of its page."""
    command = [sys.executable, "-m", "llmd_autoscaler", "local", *_RUN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    url = ""
    try:
        for line in process.stdout:
            say(f"  {line.rstrip()}")
            url = found[1] if (found := _WATCH_AT.search(line)) else url
            done = re.match(r"(\d+):(\d+)/", line)
            if url and done and 60 * int(done[1]) + int(done[2]) >= _SHOT_AT_S:
                yield url
                return
        raise SystemExit("the run ended before the pictures were taken")
    finally:
        process.terminate()
        process.communicate()


def take_picture(url: str, name: str) -> None:
    """One of the pictures."""
    width_px, height_px = _PICTURE_PX[name]
    with browser() as shown:
        # tall enough to draw every chart: those out of sight are not drawn
        shown.resize(width_px, 3 * height_px)
        shown.prefer(prefers_color_scheme="dark" if name == "dark" else "light")
        shown.driver.get(url)
        wait_for(shown, _DRAWN, 1.0)
        time.sleep(2.0)  # they are drawn one after the other
        path = _PICTURES / f"page-{name}.png"
        path.write_bytes(shown.picture(width_px, height_px))
        say(f"  {path.name}: {path.stat().st_size / 1e3:.0f} kB")


def take_pictures() -> None:
    """The page of a run, wide, on a phone, and in the dark."""
    _PICTURES.mkdir(parents=True, exist_ok=True)
    with local_run() as url:
        for name in _PICTURE_PX:
            take_picture(url, name)


def main() -> int:
    """Measure, or take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=5, help="over which CPU is measured")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--pictures", action="store_true", help="take the pictures of the documents"
    )
    options = parser.parse_args()
    if options.pictures:
        take_pictures()
        return 0
    return 0 if asyncio.run(measure(options.ticks, options.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
