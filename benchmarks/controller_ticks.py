"""The measured process of `benchmarks.controller`: the shipped loop on the API server, tick after tick.

The loop takes its time as an argument: each tick is one period after the one before, and begins as soon
as the watches had a moment to bring back what that one wrote. The lease is kept in wall time, as it is.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from benchmarks.tick import Notes, cpu_s
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller import loop as ticking
from llmd_autoscaler.controller.cluster import KubeCluster, connected
from llmd_autoscaler.controller.election import Candidate, Election
from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import Publication
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.controller.source import ScrapedSource
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.errors import AutoscalerError
from llmd_autoscaler.logs import configure_logging
from llmd_autoscaler.settings import Settings
from llmd_autoscaler.telemetry import Telemetry

_PAUSE_S = 0.5  # wall seconds between two ticks
_HEARTBEAT_S = 0.05
# First tables a tick of the warm-up, which is not measured: with the real loop's 16 it would take 63 ticks.
_TABULATED_A_TICK = 128
_MOST_WARM_UP = 40  # ticks beyond those that the first tables take


@dataclass(frozen=True, slots=True)
class Row:
    """One tick."""

    is_warm_up: bool
    began_wall_s: float  # Unix
    took_s: float
    cpu_s: float
    api_cpu_s: float  # of the API server meanwhile
    steps_s: dict[str, float]
    n_decided: int
    n_written: int
    n_unsolved: int
    stalled_s: float  # the longest time in which nothing else of the process could run
    rss_mib: float
    peak_mib: float
    n_files: int
    failure: str = ""


class Recorder:
    """What the loop and the source report: to the notes of this benchmark, and where the controller's process sends it."""

    def __init__(self) -> None:
        self.notes = Notes()
        self._telemetry = Telemetry()

    def step(self, name: str, took_s: float) -> None:
        """One step is over."""
        self.notes.step(name, took_s)
        self._telemetry.step(name, took_s)

    def decided(self, publication: Publication, took_s: float) -> None:
        """A metric and a log line."""
        self.notes.decided(publication, took_s)
        self._telemetry.decided(publication, took_s)

    def failed(self, step: str, message: str) -> None:
        """Kept for the row of the tick."""
        self.notes.failed(step, message)
        self._telemetry.failed(step, message)

    def scrape_failed(self, reason: str) -> None:
        """Every page is there: a failure is the benchmark's."""
        self.notes.scrape_failed(reason)

    def ignored_cells(self, n: int) -> None:
        """Every cell is known."""
        self.notes.ignored_cells(n)


class Heart:
    """Beats in the event loop; a beat that comes late was held up by something that did not yield."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """While the context lasts."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            began_s = time.perf_counter()
            await asyncio.sleep(_HEARTBEAT_S)
            late_s = time.perf_counter() - began_s - _HEARTBEAT_S
            self.longest_s = max(self.longest_s, late_s)


@contextlib.asynccontextmanager
async def leading(
    given: argparse.Namespace, clock: Clock
) -> AsyncIterator[tuple[KubeCluster, Election]]:
    """The cluster, followed, with a lease that is ours."""
    namespace, _, name = given.lease.partition("/")
    candidate = Candidate("bench", (namespace, name))
    standing = functools.partial(Election, candidate=candidate, now_s=clock.now_s)
    async with connected("", given.namespace, routers=given.router, election=standing) as cluster:
        election = cluster.leadership
        assert isinstance(election, Election)  # noqa: S101 (made above)
        tasks = [asyncio.create_task(cluster.run())]
        try:
            await cluster.synced()
            tasks.append(asyncio.create_task(election.run(cluster.highest_epoch)))
            await election.gained.wait()
            yield cluster, election
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def run(given: argparse.Namespace, rows: TextIO) -> None:
    """Ticks until every model is solved, and so many more."""
    clock, settings = Clock(), Settings()
    configure_logging(clock.now_s)
    recorder = Recorder()
    scraper = Scraper(clock, timeout_wall_s=settings.scrape.timeout_wall_s)
    async with leading(given, clock) as (cluster, election), scraper:
        source = ScrapedSource(scraper, cluster, recorder)
        loop = Loop(
            cluster, source, recorder, settings=settings.tick, policy=Policy(), reign=election.reign
        )
        now_s, usual = clock.now_s(), ticking.FIRST_TABULATED_PER_TICK
        for is_warm_up in plan(given):
            ticking.FIRST_TABULATED_PER_TICK = _TABULATED_A_TICK if is_warm_up else usual
            row = await tick(loop, recorder, given.api_pid, now_s=now_s, is_warm_up=is_warm_up)
            print(json.dumps(asdict(row)), file=rows, flush=True)
            print(f"  {sentence(row)}", file=sys.stderr, flush=True)
            is_solved = row.n_decided == given.models and not row.n_unsolved
            given.is_solved = given.is_solved or is_solved
            now_s += settings.tick.period_s
            await asyncio.sleep(_PAUSE_S)


def plan(given: argparse.Namespace) -> Iterator[bool]:
    """Whether the next tick belongs to the warm-up; ends after the last tick."""
    most = given.models // _TABULATED_A_TICK + _MOST_WARM_UP
    for _ in range(most):
        if given.is_solved:
            break
        yield True
    for _ in range(given.settle):
        yield True
    for _ in range(given.ticks):
        yield False


async def tick(
    loop: Loop, recorder: Recorder, api_pid: int, *, now_s: float, is_warm_up: bool
) -> Row:
    """One tick, measured."""
    notes = recorder.notes
    notes.clear()
    notes.failures.clear()
    heart, failure, n_decided, n_written = Heart(), "", 0, 0
    async with heart.beating():
        await asyncio.sleep(0)  # the first beat begins
        began_wall_s, began_s = Clock().now_s(), time.perf_counter()
        own_s, api_s = time.process_time(), cpu_s(api_pid)
        try:
            report = await loop.tick(now_s=now_s)
            n_decided, n_written = report.n_decided, report.n_written
        except AutoscalerError as error:
            failure = str(error)
        took_s = time.perf_counter() - began_s
        own_s, api_s = time.process_time() - own_s, cpu_s(api_pid) - api_s
        await asyncio.sleep(_HEARTBEAT_S)
    return Row(
        is_warm_up=is_warm_up,
        began_wall_s=began_wall_s,
        took_s=took_s,
        cpu_s=own_s,
        api_cpu_s=api_s,
        steps_s=dict(notes.steps_s),
        n_decided=n_decided,
        n_written=n_written,
        n_unsolved=notes.unsolved,
        stalled_s=heart.longest_s,
        rss_mib=memory_mib("VmRSS"),
        peak_mib=memory_mib("VmHWM"),
        n_files=open_files(),
        failure=failure or "; ".join(notes.failures[:3]),
    )


def sentence(row: Row) -> str:
    """A row for people."""
    steps = ", ".join(f"{name} {s:.2f}" for name, s in row.steps_s.items())
    text = f"{row.took_s:.2f} s ({steps}; held up {row.stalled_s:.1f} s), {row.n_written} models written"
    text += f", {row.n_unsolved} unsolved, {row.rss_mib:.0f} MiB"
    return f"{'warm-up: ' if row.is_warm_up else ''}{text}{' ' + row.failure[:300] if row.failure else ''}"


def memory_mib(field: str) -> float:
    """A line of this process's status, such as VmRSS."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024.0
    raise SystemExit(f"/proc/self/status has no {field}")


def open_files() -> int:
    """How many files and connections this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--lease", required=True, metavar="NAMESPACE/NAME")
    parser.add_argument("--router", action="append", default=[])
    parser.add_argument("--api-pid", type=int, required=True, help="process of the API server")
    parser.add_argument("--models", type=int, required=True)
    parser.add_argument(
        "--settle", type=int, required=True, help="ticks after the last first table"
    )
    parser.add_argument("--ticks", type=int, required=True, help="that are measured")
    parser.add_argument("--rows", type=Path, required=True, help="file for a JSON line a tick")
    given = parser.parse_args()
    given.is_solved = False
    with given.rows.open("w", encoding="utf-8") as rows:
        asyncio.run(run(given, rows))


if __name__ == "__main__":
    main()
