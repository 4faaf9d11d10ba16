"""The objects of `benchmarks.controller`: models of one variant each, as a platform that serves them has them.

No controller of Kubernetes runs beside: Deployments, their ReplicaSets and pods are written as its
controllers and a kubelet would leave them, so that whatever the API server does is done for ours.
"""

import asyncio
import copy
from importlib.resources import files

import yaml

from benchmarks.controller_pages import pod_address
from benchmarks.hpa_world import shipped_autoscaler
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.resources import (
    DEPLOYMENTS,
    HPAS,
    PODS,
    REPLICA_SETS,
    SERVICE_LEVELS,
    VARIANT_AUTOSCALINGS,
    Resource,
)
from llmd_autoscaler.translate.json_object import child

NAMESPACE = "bench"
_PROFILE = "llama-3.1-70b-a100-tp4.yaml"
_N_CONCURRENT = 48
_MANAGER = "bench"
_NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)


def name_of(model: int) -> str:
    """The name of a model and of all its objects."""
    return f"model-{model:04d}"


def specs(package: str, file: str) -> dict[str, Json]:
    """The specs of the YAML documents of a file in a package, by kind."""
    text = (files(package) / file).read_text(encoding="utf-8")
    return {str(each["kind"]): each["spec"] for each in yaml.safe_load_all(text) if each}


async def populate(kube: Kube, n_models: int) -> None:
    """Every model's resources, its Deployment with a HPA, and its one pod, which is Ready."""
    await kube.create(_NAMESPACES, None, {"metadata": {"name": NAMESPACE}})
    default = specs("llmd_autoscaler.local", "config/default.yaml")
    profile = specs("models.catalog", _PROFILE)["CapacityProfile"]
    level, variant = default["ServiceLevel"], default["VariantAutoscaling"]
    slots = asyncio.Semaphore(_N_CONCURRENT)

    async def one(model: int) -> None:
        name = name_of(model)
        async with slots:
            await _create(kube, SERVICE_LEVELS, name, _with(level, modelID=name))
            spec = _with(
                variant,
                modelID=name,
                minReplicas=1,
                profile=_with(profile, model=name),
                scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            )
            del spec["profileRef"]
            await _create(kube, VARIANT_AUTOSCALINGS, name, spec)
            await _create(kube, HPAS, name, shipped_autoscaler(name, least=1, most=10))
            await _workload(kube, name, pod_address(model))

    async with asyncio.TaskGroup() as group:
        for model in range(n_models):
            group.create_task(one(model))


async def _workload(kube: Kube, name: str, address: str) -> None:
    """A Deployment as its controller leaves it: one ReplicaSet of one pod that is Ready."""
    labels: Json = {"app": name}
    containers: Json = {"containers": [{"name": "vllm", "image": "none"}]}
    template: Json = {"metadata": {"labels": labels}, "spec": containers}
    spec: Json = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    deployment = await _create(kube, DEPLOYMENTS, name, spec)
    owned = await _create(kube, REPLICA_SETS, name, spec, owner=deployment)
    pod: Json = {"nodeName": "bench-node", **containers}
    await _create(kube, PODS, name, pod, owner=owned, labels=labels)
    status: Json = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    await kube.apply_status(PODS, NAMESPACE, name, status, manager=_MANAGER)
    there: Json = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), 1)
    await kube.apply_status(DEPLOYMENTS, NAMESPACE, name, there, manager=_MANAGER)


async def _create(
    kube: Kube,
    resource: Resource,
    name: str,
    spec: Json,
    *,
    owner: Json | None = None,
    labels: Json | None = None,
) -> Json:
    metadata: Json = {"name": name, "namespace": NAMESPACE, "labels": labels or {}}
    if owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": name,
                "uid": child(owner, "metadata")["uid"],
                "controller": True,
            }
        ]
    return await kube.create(resource, NAMESPACE, {"metadata": metadata, "spec": spec})


def _with(spec: Json, **changes: object) -> Json:
    """A spec with some fields of its own."""
    return {**copy.deepcopy(spec), **changes}
