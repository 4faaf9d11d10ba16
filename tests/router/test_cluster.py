"""The fleet follows the API server: decisions and pods, as they come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.resources import PODS, SERVICE_LEVELS
from llmd_autoscaler.router.cluster import Cluster, routable_pods
from llmd_autoscaler.router.fleet import Fleet, Pod
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store
from llmd_autoscaler.translate.routing import Place
from tests.router.conftest import MODEL, Cell, level, pod


@pytest.fixture
async def world() -> AsyncIterator[Cell]:
    # creation times count seconds: on this clock two objects made one after the other are apart
    async with serving(Store(Clock.starting_at(0.0, rate=1e5))) as address:
        kube, fleet = await Kube.connect(address), Fleet()
        following = asyncio.create_task(Cluster(kube, "llm", fleet).run())
        yield Cell(kube, fleet)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await kube.close()


async def test_the_worked_example_and_a_ready_pod_make_an_instance(world: Cell) -> None:
    await world.create_level(level())
    await world.create_pod(pod("p1"))
    await world.until(lambda: world.names() == ["p1"])
    instance = world.fleet.of_model(MODEL)[0]
    assert instance.address == "http://127.64.0.1:8000"
    assert instance.mix.step.base_s == pytest.approx(0.0261)
    assert [each.qos.name for each in world.fleet.tables[MODEL].classes] == [
        "interactive",
        "relaxed",
        "overnight",
    ]


async def test_a_pod_that_is_being_deleted_leaves_at_once(world: Cell) -> None:
    await world.create_level(level())
    await world.create_pod(pod("p1"))
    await world.create_pod(pod("p2", "127.64.0.2"))
    await world.until(lambda: world.names() == ["p1", "p2"])
    await world.kube.delete(PODS, "llm", "p1", grace_s=30)
    await world.until(lambda: world.names() == ["p2"])


async def test_a_new_decision_replaces_the_routes(world: Cell) -> None:
    wire = level()
    await world.create_level(wire)
    await world.until(
        lambda: bool(MODEL in world.fleet.tables and world.fleet.tables[MODEL].route_sets)
    )
    routes = world.fleet.tables[MODEL].route_set("interactive", 5000)
    assert routes is not None
    assert {r.place.target: r.fraction for r in routes.routes} == {
        "llama-70b-h100": 0.7,
        "llama-70b-a100": 0.3,
    }
    status = dict(wire["status"])  # type: ignore[call-overload]
    status["routes"] = [
        {"class": "interactive", "target": "llama-70b-a100", "group": "mixed", "fraction": "1"}
    ]
    await world.kube.merge(SERVICE_LEVELS, "llm", "llama-70b", {"spec": {"routing": "ByLabel"}})
    await world.kube.apply_status(SERVICE_LEVELS, "llm", "llama-70b", status, manager="t")

    def is_new() -> bool:
        routes = world.fleet.tables[MODEL].route_set("interactive", 5000)
        return routes is not None and len(routes.routes) == 1

    await world.until(is_new)


async def test_of_two_levels_of_one_model_the_older_one_holds(world: Cell) -> None:
    await world.create_level(level())
    second = level()
    second["metadata"] = {"name": "a-second", "namespace": "llm"}
    second["spec"] = second["spec"] | {"servedModels": [{"name": "second"}]}  # type: ignore[operator]
    await world.create_level(second)
    await world.create_pod(pod("p1"))
    await world.until(lambda: world.names() == ["p1"])
    assert "second" not in world.fleet.tables


async def test_a_level_that_becomes_unreadable_keeps_its_last_table(world: Cell) -> None:
    await world.create_level(level())
    await world.create_pod(pod("p1"))
    await world.until(lambda: world.names() == ["p1"])
    await world.kube.merge(SERVICE_LEVELS, "llm", "llama-70b", {"spec": {"classes": []}})
    await world.create_pod(pod("p2", "127.64.0.2"))
    await world.until(lambda: world.names() == ["p1", "p2"])
    assert MODEL in world.fleet.tables


def found(**changes: object) -> list[Pod]:
    wire = pod("p1")
    for key, value in changes.items():
        part, _, field = key.partition("_")
        wire[part] = wire[part] | {field: value}  # type: ignore[operator]
    return list(routable_pods([wire]))


def test_a_ready_pod_with_both_labels_is_routable() -> None:
    assert found() == [Pod("p1", "127.64.0.1", Place("llama-70b-a100", "mixed"))]


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata_deletionTimestamp": "2026-11-24T09:30:00Z"},
        {"metadata_labels": {"autoscaling.llmd.ai/target": "a"}},
        {"metadata_labels": {"autoscaling.llmd.ai/group": "mixed"}},
        {"metadata_labels": None},
        {"status_podIP": ""},
        {"status_conditions": [{"type": "Ready", "status": "False"}]},
        {"status_conditions": [{"type": "ContainersReady", "status": "True"}]},
        {"status_conditions": None},
    ],
)
def test_a_pod_that_lacks_one_thing_is_not_routable(changes: dict[str, object]) -> None:
    assert found(**changes) == []
