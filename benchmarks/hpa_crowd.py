"""A thousand HPAs on a thousand variants that all change at once: errors, and how long until each has followed."""

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.hpa_exactness import n_strays
from benchmarks.hpa_figures import inactive, share_within, spread, total, total_but
from benchmarks.hpa_world import Asked, World, each
from benchmarks.report import Figure

MOST = 60
START = 1
# what a controller manager has where nobody raises it
STOCK = ("--kube-api-qps=20", "--kube-api-burst=30")
_POLL_S = 0.25
_SERVED = "llmd_adapter_served_total"
_TOOK = "llmd_adapter_request_seconds"
_WITHHELD = "llmd_adapter_withheld_total"
_RECONCILED = "horizontal_pod_autoscaler_controller_reconciliations_total"
_REJECTED = "apiserver_flowcontrol_rejected_requests_total"


@dataclass(frozen=True, slots=True)
class Round:
    """All variants changed once: what each was told, and when it had followed."""

    desired: Mapping[str, int]
    landed_s: Mapping[str, float]  # of those that followed in time
    wall_s: float

    @property
    def n_late(self) -> int:
        """How many had not followed when the round ended."""
        return len(self.desired) - len(self.landed_s)


@dataclass(slots=True)
class Crowd:
    """The objects, and what was published of each so far."""

    world: World
    asked: Asked
    published: dict[str, list[int]]
    rng: random.Random
    most: int

    async def change(self, *, within_s: float) -> Round:
        """Publish another number of every variant, as fast as the API server takes them, and wait for the HPAs."""
        sent_s: dict[str, float] = {}
        desired = {name: self._other(numbers[-1]) for name, numbers in self.published.items()}
        began_s = time.monotonic()

        async def publish(name: str) -> None:
            numbers = self.published[name]
            numbers.append(desired[name])
            sent_s[name] = time.monotonic()
            await self.world.site.publish(name, desired[name], decision=f"1-{len(numbers)}")

        await each(publish, desired)
        say(f"{len(desired)} statuses changed in {time.monotonic() - began_s:.1f} s")
        landed: dict[str, float] = {}
        while len(landed) < len(desired) and time.monotonic() - began_s < within_s:
            await asyncio.sleep(_POLL_S)
            for name, number in desired.items():
                took_s = self.asked.landed_s(name, number, since_s=sent_s[name])
                if took_s is not None:
                    landed[name] = took_s
        wall_s = time.monotonic() - began_s
        say(f"{len(landed)} of {len(desired)} followed in {wall_s:.1f} s")
        return Round(desired, landed, wall_s)

    async def all_active(self, *, within_s: float) -> None:
        """Wait until every HPA has looked at its object and says so."""
        async with asyncio.timeout(within_s):
            while inactive(await self.world.autoscalers()):  # noqa: ASYNC110 (another process)
                await asyncio.sleep(2.0)

    def n_strays(self) -> int:
        """How many numbers Deployments were asked for that nobody had published by then."""
        return sum(
            n_strays([n for _, n in self.asked.seen[name]], numbers)
            for name, numbers in self.published.items()
        )

    def _other(self, now: int) -> int:
        number = self.rng.randrange(START, self.most)
        return number if number < now else number + 1


@dataclass(frozen=True, slots=True)
class Counted:
    """Counters of everybody who could have failed."""

    asked: float  # questions for metrics that the adapter answered in any way
    served: float  # with a value
    withheld: float
    rejected: float  # by the API server's flow control
    reconciled: float
    failed: float  # reconciliations of HPAs that ended in an error

    @staticmethod
    async def now(world: World) -> "Counted":
        """As of now."""
        adapter = await world.adapter_page()
        api = await world.page(world.plane.url)
        manager = await world.page(world.plane.controller_manager_url)
        return Counted(
            asked=total(adapter, f"{_TOOK}_count", what="metric"),
            served=total(adapter, _SERVED),
            # the aggregator asks for OpenAPI documents too, which we do not have: no value is missing then
            withheld=total_but(adapter, _WITHHELD, reason="unknown_path"),
            rejected=total(api, _REJECTED),
            reconciled=total(manager, _RECONCILED),
            failed=total_but(manager, _RECONCILED, error="none"),
        )


def say(text: str) -> None:
    """Progress; stdout is the report's."""
    print(f"  {text}", file=sys.stderr, flush=True)


async def crowd_of(
    world: World, asked: Asked, n_objects: int, *, seed: int, most: int = MOST
) -> Crowd:
    """So many variants with an HPA each, all of them active."""
    names = [f"crowd-{i:04d}" for i in range(n_objects)]
    began_s = time.monotonic()
    await world.declare(names, least=START, most=most, start=START)
    say(f"{n_objects} variants and HPAs made in {time.monotonic() - began_s:.1f} s")
    crowd = Crowd(world, asked, {name: [START] for name in names}, random.Random(seed), most)
    await crowd.all_active(within_s=60.0 + 8.0 * world.sync_s)
    return crowd


async def measure(
    world: World, *, n_objects: int, n_rounds: int, seed: int
) -> tuple[list[Figure], list[Figure]]:
    """The figures, and those of a controller manager with the limits of a stock cluster."""
    asked = Asked(world.site)
    async with asked.following():
        crowd = await crowd_of(world, asked, n_objects, seed=seed)
        before = await Counted.now(world)
        usage = Usage.of(world)
        rounds = [await crowd.change(within_s=8.0 * world.sync_s) for _ in range(n_rounds)]
        # two more periods, in which nothing may move
        await asyncio.sleep(2.0 * world.sync_s)
        beside = usage.until(Usage.of(world))
        after = await Counted.now(world)
        figures = errors(before, after)
        say_withheld(await world.adapter_page())
        figures += await landings(crowd, rounds)
        beside.append(await quick(world))
        beside += await stock(crowd)
    return figures, beside


def errors(before: Counted, after: Counted) -> list[Figure]:
    """What failed between two moments."""
    asked, served = after.asked - before.asked, after.served - before.served
    withheld = after.withheld - before.withheld
    rejected, failed = after.rejected - before.rejected, after.failed - before.failed
    return [
        Figure(name="answers without a value", value=asked - served, unit="answers", at_most=0),
        Figure(name="of them withheld", value=withheld, unit="answers"),
        Figure(
            name="requests rejected by the API server's flow control",
            value=rejected,
            unit="requests",
            at_most=0,
        ),
        Figure(
            name="reconciliations of HPAs that failed",
            value=failed,
            unit="reconciliations",
            at_most=0,
        ),
        Figure(name="answers", value=asked, unit="answers"),
    ]


def say_withheld(page: str) -> None:
    """Why values were withheld since the adapter began: the first seconds are in it."""
    for line in page.splitlines():
        if line.startswith(_WITHHELD):
            say(line)


async def landings(crowd: Crowd, rounds: list[Round]) -> list[Figure]:
    """Where all changes ended, and when."""
    silent = inactive(await crowd.world.autoscalers())
    for name, why in list(silent.items())[:3]:
        say(f"{name}: {why}")
    periods = [s / crowd.world.sync_s for found in rounds for s in found.landed_s.values()]
    n_late = sum(found.n_late for found in rounds)
    return [
        Figure(name="HPAs that are not active", value=len(silent), unit="HPAs", at_most=0),
        Figure(name="changes that were not followed", value=n_late, unit="changes", at_most=0),
        Figure(name="replicas never published", value=crowd.n_strays(), unit="numbers", at_most=0),
        Figure(name="variants and HPAs", value=len(crowd.published), unit="each"),
        *spread("status to /scale", periods),
    ]


async def quick(world: World) -> Figure:
    """How many of the answers to the HPA took the adapter 10 ms at most, since it started."""
    share = share_within(await world.adapter_page(), _TOOK, "0.01", what="metric")
    return Figure(name="metrics answered by the adapter within 10 ms", value=share, unit="frac")


async def stock(crowd: Crowd) -> list[Figure]:
    """The same change where nobody has raised the limits of the controller manager."""
    world = crowd.world
    manager = world.plane.controller_manager
    manager.argv += STOCK
    await asyncio.to_thread(world.plane.restart, manager)
    say("the controller manager with the limits of a stock cluster ...")
    # it looks at all HPAs at once when it starts; after four periods they are spread as its limits let them
    await asyncio.sleep(4.0 * world.sync_s)
    found = await crowd.change(within_s=12.0 * world.sync_s)
    periods = [s / world.sync_s for s in found.landed_s.values()]
    silent = inactive(await world.autoscalers())
    return [
        Figure(name="changes not followed, stock limits", value=found.n_late, unit="changes"),
        Figure(name="HPAs that are not active, stock limits", value=len(silent), unit="HPAs"),
        *spread("status to /scale, stock limits", periods),
    ]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes have used by a moment."""

    at_s: float
    cpu_s: Mapping[str, float]
    rss_bytes: Mapping[str, int]

    @staticmethod
    def of(world: World) -> "Usage":
        """As of now."""
        adapter = world.adapter.replicas[0]
        parts = {each.name: each for each in world.plane.components} | {"adapter": adapter}
        return Usage(
            time.monotonic(),
            {name: part.cpu_seconds for name, part in parts.items()},
            {name: part.rss_bytes for name, part in parts.items()},
        )

    def until(self, later: "Usage") -> list[Figure]:
        """What they used since, and what they hold then."""
        span_s = later.at_s - self.at_s
        figures: list[Figure] = []
        for name, cpu_s in later.cpu_s.items():
            used = (cpu_s - self.cpu_s[name]) / span_s
            figures.append(Figure(name=f"CPU of {name}", value=used, unit="cores"))
            rss_mib = later.rss_bytes[name] / 2**20
            figures.append(Figure(name=f"RSS of {name}", value=rss_mib, unit="MiB"))
        return figures
