"""Many variants and HPAs at once, at the size that every run of the tests carries (check 21).

In full, with 1,000 of each, the latencies and the counters of all who could fail: `python -m benchmarks.hpa`.
"""

from collections import Counter

import pytest

from benchmarks.hpa_crowd import Counted, crowd_of
from benchmarks.hpa_figures import inactive
from benchmarks.hpa_world import Asked, World

N_OBJECTS = 100
N_CHANGES = 2
PATIENCE_S = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def warnings(site):
    """How often each thing went wrong, as the Events of the namespace say."""
    found = Counter()
    for event in (await site.api.get(site.path("v1", "events")))["items"]:
        if event["type"] == "Warning":
            found[event["reason"]] += event.get("count") or 1
    return found


async def test_a_hundred_hpas_follow_every_change_of_all_without_one_error(site, plane, adapter):
    world = World(plane, adapter, site, sync_s=1.0)
    asked = Asked(site, is_obeyed=False)  # here the real Deployment controller does
    async with asked.following():
        crowd = await crowd_of(world, asked, N_OBJECTS, seed=1, most=3)
        before, wrong_before = await Counted.now(world), await warnings(site)
        rounds = [await crowd.change(within_s=PATIENCE_S) for _ in range(N_CHANGES)]
        after, wrong = await Counted.now(world), await warnings(site)
        asked_for = {name: [n for _, n in numbers] for name, numbers in asked.seen.items()}
    assert [found.n_late for found in rounds] == [0] * N_CHANGES
    # each Deployment was asked for what was published of its variant, in that order, and for nothing else
    assert asked_for == crowd.published
    assert inactive(await world.autoscalers()) == {}
    assert wrong == wrong_before
    assert after.rejected == before.rejected
    assert after.served - before.served >= N_CHANGES * N_OBJECTS
