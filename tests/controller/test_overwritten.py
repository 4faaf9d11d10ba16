"""Statuses that somebody else changes: what the controller takes from them, and what it does about it."""

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.kube.resources import SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.settings import TickSettings
from tests.controller.conftest import NOW_S, following, until
from tests.fakes import FakeRecorder, FakeSource


async def write(world, resource, name, status):
    await world.kube.apply_status(resource, "llm", name, status, manager="somebody")


def is_overwritten(view):
    return view.models[0].is_overwritten


async def looped(world, cluster):
    """A loop on a model of two pods whose first decision stands in the API server."""
    await world.all_of_one_model(n_ready=2)
    await until(cluster, lambda view: view.models and view.models[0].targets[0].n_ready == 2)
    loop = Loop(cluster, FakeSource({}), FakeRecorder(), settings=TickSettings(), policy=Policy())
    await loop.tick(now_s=NOW_S)
    await until(cluster, lambda view: not is_overwritten(view))
    return loop


async def test_our_own_statuses_are_not_overwritten(world):
    async with following(world) as cluster:
        await looped(world, cluster)
        assert not is_overwritten(await cluster.observe(now_s=NOW_S))


async def test_a_foreign_number_is_neither_adopted_nor_left_standing(world):
    async with following(world) as cluster:
        loop = await looped(world, cluster)
        await write(world, VARIANT_AUTOSCALINGS, "a100", {"desiredReplicas": 9})
        view = await until(cluster, is_overwritten)
        await loop.tick(now_s=NOW_S + 15.0)
        stored = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    assert view.models[0].targets[0].desired == 2
    assert stored["desiredReplicas"] == 2


async def test_a_decision_of_an_older_leader_is_written_over(world):
    async with following(world) as cluster:
        loop = await looped(world, cluster)
        await write(world, VARIANT_AUTOSCALINGS, "a100", {"decisionID": "0-1"})
        await until(cluster, is_overwritten)
        await loop.tick(now_s=NOW_S + 15.0)
        stored = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    assert stored["decisionID"] == "1-2"


async def test_a_decision_of_a_later_leader_raises_our_epoch_above_its(world):
    async with following(world) as cluster:
        loop = await looped(world, cluster)
        later = {"decisionID": "7-1", "desiredReplicas": 5}
        await write(world, VARIANT_AUTOSCALINGS, "a100", later)
        await until(cluster, lambda view: view.models[0].stored_epoch == 7)
        await loop.tick(now_s=NOW_S + 15.0)
        stored = (await world.get(VARIANT_AUTOSCALINGS, "a100"))["status"]
    # as after a start: its number is what the fleet runs on until we know better
    assert (stored["decisionID"], stored["desiredReplicas"]) == ("8-2", 5)


async def test_routes_that_somebody_wrote_are_written_over(world):
    async with following(world) as cluster:
        loop = await looped(world, cluster)
        await write(world, SERVICE_LEVELS, "llama", {"decisionID": "0-1"})
        await until(cluster, is_overwritten)
        await loop.tick(now_s=NOW_S + 15.0)
        stored = (await world.get(SERVICE_LEVELS, "llama"))["status"]
    assert stored["decisionID"] == "1-2"
