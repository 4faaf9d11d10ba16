"""A small API server on loopback with one model in it, and the controller's cluster on top."""

import asyncio
import contextlib
from pathlib import Path

import pytest
import yaml

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.cluster import KubeCluster
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.resources import (
    CAPACITY_PROFILES,
    DEPLOYMENTS,
    EVENTS,
    HPAS,
    PODS,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
)
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store

EXAMPLE = list(
    yaml.safe_load_all((Path(__file__).parents[1] / "data/api.yaml").read_text(encoding="utf-8"))
)
NOW_S = 1_700_000_000.0


class World:
    """The namespace `llm` of an API server, written as people and the Deployment controller write it."""

    def __init__(self, kube, address):
        self.kube, self.address = kube, address

    async def add(self, resource, name, spec, **metadata):
        body = {"metadata": {"name": name, **metadata}, "spec": spec}
        return await self.kube.create(resource, None if not resource.namespaced else "llm", body)

    async def level(self, name="llama", **changes):
        return await self.add(SERVICE_LEVELS, name, EXAMPLE[0]["spec"] | changes)

    async def profile(self, name="llama-3.1-70b-a100-tp4", **changes):
        return await self.add(CAPACITY_PROFILES, name, EXAMPLE[2]["spec"] | changes)

    async def variant(self, name="a100", **changes):
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        spec = EXAMPLE[1]["spec"] | {"scaleTargetRef": target} | changes
        return await self.add(VARIANT_AUTOSCALINGS, name, spec)

    async def deployment(self, name="a100", *, app=None):
        labels = {"app": app or name}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": {}}
        return await self.add(DEPLOYMENTS, name, spec)

    async def pod(self, name, controller, *, is_ready=True, ip="127.0.0.1", app=None):
        owner_name = controller["metadata"]["name"]
        owner = {
            "apiVersion": "apps/v1",
            "kind": controller["kind"],
            "name": owner_name,
            "uid": controller["metadata"]["uid"],
            "controller": True,
        }
        await self.add(
            PODS,
            name,
            {"nodeName": "n", "containers": []},
            labels={"app": app or owner_name},
            ownerReferences=[owner],
        )
        ready = {"type": "Ready", "status": str(is_ready)}
        status = {"phase": "Running", "podIP": ip, "conditions": [ready]}
        return await self.kube.apply_status(PODS, "llm", name, status, manager="kubelet")

    async def hpa(self, name="a100", **changes):
        described = {
            "apiVersion": "autoscaling.llmd.ai/v1alpha1",
            "kind": "VariantAutoscaling",
            "name": name,
        }
        metric = {
            "describedObject": described,
            "metric": {"name": "desired_replicas"},
            "target": {"type": "AverageValue", "averageValue": "1"},
        }
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 10,
            "metrics": [{"type": "Object", "object": metric}],
            "behavior": {"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "0"}},
        }
        return await self.add(HPAS, name, spec | changes)

    async def all_of_one_model(self, n_ready=1):
        await self.level()
        await self.profile()
        await self.variant()
        await self.hpa()
        deployment = await self.deployment()
        for i in range(n_ready):
            await self.pod(f"a100-{i}", deployment)
        return deployment

    async def get(self, resource, name):
        return await self.kube.get(resource, "llm", name)

    async def events(self):
        return (await self.kube.list(EVENTS, "llm"))[0]

    async def condition(self, resource, name, kind):
        status = (await self.get(resource, name)).get("status", {})
        found = [each for each in status.get("conditions", []) if each["type"] == kind]
        return found[0] if found else None


@pytest.fixture
async def world():
    async with serving(Store(Clock())) as address:
        kube = await Kube.connect(address)
        yield World(kube, address)
        await kube.close()


@contextlib.asynccontextmanager
async def following(world, *, replica_sets=None, **options):
    """A KubeCluster whose mirrors are synced and run."""
    cluster = KubeCluster(world.kube, "llm", **options)
    if (
        replica_sets is not None
    ):  # the small API server has no ReplicaSets: another one answers for them
        cluster.door.kube = _Split(world.kube, replica_sets)
    task = asyncio.create_task(cluster.run())
    try:
        async with asyncio.timeout(10):
            await cluster.synced()
        yield cluster
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(cluster, claim):
    """The first view of which a claim holds; views change as the watches bring news."""
    changed = asyncio.Event()
    for mirror in cluster._mirrors.values():
        mirror._on_change = _both(mirror._on_change, changed.set)
    async with asyncio.timeout(10):
        while not claim(view := await cluster.observe(now_s=NOW_S)):
            changed.clear()
            await changed.wait()
    return view


class _Split:
    """The small API server, less the ReplicaSets, which another address has."""

    def __init__(self, kube, replica_sets):
        self.apply_status, self.create, self.merge = kube.apply_status, kube.create, kube.merge
        self.get = replica_sets.get


def _both(first, second):
    def call():
        first()
        second()

    return call
