"""How exactly and how fast the HPA follows a status: `python -m benchmarks.hpa`, about six minutes.

On a real API server with the real HPA controller and our adapter as a process, and the HPA that
manifests/examples ships. First 200 random steps in 0..60 at a sync period of 1 s, on ten objects at once:
/scale is read two sync periods after each status, and what comes later is wrong. Then 1,000
VariantAutoscalings with an HPA each at the default sync period of 15 s, which all change at once, with the
client limits of the controller manager raised, and beside it with those of a stock cluster.
"""

import argparse
import asyncio
import sys

from benchmarks import hpa_crowd, hpa_exactness
from benchmarks.hpa_crowd import say
from benchmarks.hpa_world import control_plane, world
from benchmarks.report import Figure, print_report

SEED = 6
EXACT_SYNC_S, CROWD_SYNC_S = 1.0, 15.0


def exactness(n_steps: int) -> list[Figure]:
    """Small control plane, fast HPA."""

    async def run() -> list[Figure]:
        async with world(plane, adapter, EXACT_SYNC_S) as found:
            return await hpa_exactness.measure(found, n_steps=n_steps, seed=SEED)

    with control_plane(EXACT_SYNC_S) as (plane, adapter):
        return asyncio.run(run())


def crowd(n_objects: int, n_rounds: int) -> tuple[list[Figure], list[Figure]]:
    """Many objects, and the HPA as slow as it is by default."""

    async def run() -> tuple[list[Figure], list[Figure]]:
        async with world(plane, adapter, CROWD_SYNC_S) as found:
            return await hpa_crowd.measure(found, n_objects=n_objects, n_rounds=n_rounds, seed=SEED)

    with control_plane(CROWD_SYNC_S) as (plane, adapter):
        return asyncio.run(run())


def named(prefix: str, figures: list[Figure]) -> list[Figure]:
    """Figures with the name of their part before their own."""
    return [
        Figure(
            name=f"{prefix}: {each.name}",
            value=each.value,
            unit=each.unit,
            at_most=each.at_most,
            at_least=each.at_least,
        )
        for each in figures
    ]


def main() -> int:
    """Run both parts and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="of the exactness; 0: leave it out")
    parser.add_argument("--objects", type=int, default=1000, help="of the crowd; 0: leave it out")
    parser.add_argument("--rounds", type=int, default=2, help="changes of the whole crowd")
    options = parser.parse_args()
    figures: list[Figure] = []
    beside: list[Figure] = [
        Figure(name="exactness: sync period", value=EXACT_SYNC_S, unit="s"),
        Figure(name="crowd: sync period", value=CROWD_SYNC_S, unit="s"),
        Figure(name="seed", value=SEED, unit=""),
    ]
    if options.steps:
        say(f"{options.steps} steps ...")
        figures += named("exactness", exactness(options.steps))
    if options.objects:
        say(f"{options.objects} variants and HPAs ...")
        found, more = crowd(options.objects, options.rounds)
        figures += named("crowd", found)
        beside += named("crowd", more)
    return 0 if print_report("hpa", figures, beside) else 1


if __name__ == "__main__":
    sys.exit(main())
