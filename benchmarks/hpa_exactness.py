"""Whether the HPA lands on exactly the number that was published, and when: random steps on several objects at once."""

import asyncio
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.hpa_figures import spread
from benchmarks.hpa_world import Asked, World
from benchmarks.report import Figure

MOST = 60
SYNCS = 2.0  # after so many sync periods /scale is read; what comes later is wrong
N_OBJECTS = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One published number, and what became of it."""

    name: str
    before: int
    desired: int
    found: int  # what /scale said two sync periods later
    landed_s: float | None  # from before the status was sent until the Deployment was asked for it

    @property
    def is_wrong(self) -> bool:
        """Whether /scale had another number."""
        return self.found != self.desired


def numbers(n: int, *, start: int, least: int, rng: random.Random) -> Iterator[int]:
    """Random steps within the limits, each to another number.

    Every third is by one only, which the HPA's default tolerance would swallow from ten replicas on. Of
    those that may sleep every fifth goes to zero: drawn alone, that would be one in sixty.
    """
    now = start
    for i in range(n):
        near = [each for each in (now - 1, now + 1) if least <= each <= MOST]
        far = [each for each in range(least, MOST + 1) if each != now]
        now = rng.choice(near if i % 3 == 2 else far)
        if i % 5 == 4 and least == 0 and far[0] == 0:
            now = 0
        yield now


def n_strays(seen: Sequence[int], published: Sequence[int]) -> int:
    """How many of the numbers that a Deployment was asked for are none of those published after the one before."""
    at, n = 0, 0
    for number in seen:
        try:
            at = published.index(number, at) + 1
        except ValueError:
            n += 1
    return n


async def measure(world: World, *, n_steps: int, seed: int) -> list[Figure]:
    """The figures of so many steps."""
    n_each = max(n_steps // N_OBJECTS, 1)
    # every second one may sleep: its HPA has minReplicas 0, and its steps reach it
    least = {f"exact-{i}": i % 2 for i in range(N_OBJECTS)}
    start = 1
    asked = Asked(world.site)
    async with asked.following():
        for floor in (0, 1):
            names = [name for name, each in least.items() if each == floor]
            await world.declare(names, least=floor, most=MOST, start=start)
        await asyncio.sleep(SYNCS * world.sync_s)  # every HPA has looked at its object once
        walks = [
            walk(
                world,
                asked,
                name,
                list(numbers(n_each, start=start, least=floor, rng=random.Random(f"{seed}{name}"))),
            )
            for name, floor in least.items()
        ]
        steps = [step for steps in await asyncio.gather(*walks) for step in steps]
        n_stray = sum(
            n_strays(
                [n for _, n in asked.seen[name]],
                [start, *(step.desired for step in steps if step.name == name)],
            )
            for name in least
        )
    return figures(steps, n_stray, world.sync_s)


async def walk(world: World, asked: Asked, name: str, desired: Sequence[int]) -> list[Step]:
    """Publish one number after another, and look two sync periods after each."""
    steps: list[Step] = []
    before = 1
    for counter, number in enumerate(desired, start=2):
        sent_s = time.monotonic()
        await world.site.publish(name, number, decision=f"1-{counter}")
        await asyncio.sleep(SYNCS * world.sync_s)
        found = await world.site.replicas(name)
        landed_s = asked.landed_s(name, number, since_s=sent_s)
        steps.append(Step(name, before, number, found, landed_s))
        if steps[-1].is_wrong:
            why = await world.site.condition(name, "ScalingActive")
            print(f"  {name}: {before} to {number} is at {found}: {why}", file=sys.stderr)
        before = number
    print(f"  {name}: {len(steps)} steps", file=sys.stderr, flush=True)
    return steps


def figures(steps: Sequence[Step], n_stray: int, sync_s: float) -> list[Figure]:
    """What the steps come to."""
    landed = [step.landed_s / sync_s for step in steps if step.landed_s is not None]
    wrong = sum(step.is_wrong for step in steps)
    small = [step for step in steps if abs(step.desired - step.before) == 1 and step.before >= 10]
    to_zero = [step for step in steps if 0 in (step.desired, step.before)]
    return [
        Figure(name="wrong landings", value=wrong, unit="steps", at_most=0),
        Figure(name="replicas never published", value=n_stray, unit="numbers", at_most=0),
        Figure(name="steps", value=len(steps), unit="steps"),
        Figure(name="steps of one from ten or more", value=len(small), unit="steps"),
        Figure(name="steps to zero or from it", value=len(to_zero), unit="steps"),
        *spread("status to /scale", landed),
    ]
