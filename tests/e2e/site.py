"""A namespace with Deployments, VariantAutoscalings and HPAs, and what happens to them."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from llmd_autoscaler.clock import Clock
from models.timestamp import write_timestamp
from tests.controlplane.api import MERGE, SSA, Api, ApiError, Json

_PATIENCE_S = 60.0
_POLL_S = 0.05
# The HPA here looks every second: what it has not done after three looks, it does not do.
SETTLED_S = 3.0


def object_metric(name: str, target: Json | None = None) -> Json:
    """The exact way to a number: the value of an object, one replica for each 1 of it."""
    described = {
        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
        "kind": "VariantAutoscaling",
        "name": name,
    }
    return {
        "type": "Object",
        "object": {
            "describedObject": described,
            "metric": {"name": "desired_replicas"},
            "target": target or {"type": "AverageValue", "averageValue": "1"},
        },
    }


@dataclass(slots=True)
class Site:
    """One namespace, as its owner works in it."""

    api: Api
    namespace: str

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Where objects of a kind are; the core group is "v1"."""
        prefix = "/api" if group == "v1" else "/apis"
        return f"{prefix}/{group}/namespaces/{self.namespace}/{plural}" + (
            f"/{name}" if name else ""
        )

    def variant(self, name: str = "") -> str:
        """Where a VariantAutoscaling is."""
        return self.path("autoscaling.llmd.ai/v1alpha1", "variantautoscalings", name)

    def deployment(self, name: str = "") -> str:
        """Where a Deployment is."""
        return self.path("apps/v1", "deployments", name)

    def autoscaler(self, name: str = "") -> str:
        """Where an HPA is."""
        return self.path("autoscaling/v2", "horizontalpodautoscalers", name)

    def metric(self, name: str, metric: str = "desired_replicas", version: str = "v1beta2") -> str:
        """Where the API server serves a value of ours."""
        return (
            f"/apis/custom.metrics.k8s.io/{version}/namespaces/{self.namespace}"
            f"/variantautoscalings.autoscaling.llmd.ai/{name}/{metric}"
        )

    async def declare(self, name: str, *, replicas: int = 1, most: int = 60) -> None:
        """A Deployment and the VariantAutoscaling that stands for it."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "server", "image": "none"}]},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        await self.api.call("POST", self.deployment(), {"metadata": {"name": name}, "spec": spec})
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "modelID": "example/model",
            "accelerator": "H100-80GB",
            "maxReplicas": most,
            "profileRef": {"name": "example"},
        }
        body = {"apiVersion": "autoscaling.llmd.ai/v1alpha1", "kind": "VariantAutoscaling"}
        body |= {"metadata": {"name": name}, "spec": spec}
        await self.api.call("POST", self.variant(), body)

    async def autoscale(self, name: str, **changes: object) -> None:
        """The HPA of our documentation, but for what a test changes in its spec; None takes out."""
        rules: Json = {
            "stabilizationWindowSeconds": 0,
            "policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}],
            "tolerance": "0",
        }
        spec: Json = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 60,
            "metrics": [object_metric(name)],
            "behavior": {"scaleUp": rules, "scaleDown": rules},
        }
        spec = {key: value for key, value in (spec | changes).items() if value is not None}
        await self.api.call("POST", self.autoscaler(), {"metadata": {"name": name}, "spec": spec})

    async def publish(
        self, name: str, desired: int, *, decision: str = "1-1", valid_s: float = 600.0
    ) -> None:
        """A decision, as the controller writes it."""
        now_s = Clock().now_s()
        status = {
            "decisionID": decision,
            "decidedAt": write_timestamp(now_s),
            "validUntil": write_timestamp(now_s + valid_s),
            "desiredReplicas": desired,
        }
        body = {
            "apiVersion": "autoscaling.llmd.ai/v1alpha1",
            "kind": "VariantAutoscaling",
            "metadata": {"name": name},
            "status": status,
        }
        query = "fieldManager=llmd-controller&force=true"
        await self.api.call("PATCH", f"{self.variant(name)}/status?{query}", body, kind=SSA)

    async def scale(self, name: str, replicas: int) -> None:
        """Somebody's own hand on the Deployment."""
        patch = {"spec": {"replicas": replicas}}
        await self.api.call("PATCH", f"{self.deployment(name)}/scale", patch, kind=MERGE)

    async def replicas(self, name: str) -> int:
        """What /scale of the Deployment asks for."""
        found = await self.api.get(f"{self.deployment(name)}/scale")
        return int(found["spec"].get("replicas", 0))

    async def settled(self, name: str, replicas: int) -> None:
        """Wait until a Deployment has so many pods, all of them Ready: the HPA counts those that are."""

        async def has_all() -> bool:
            status = (await self.api.get(self.deployment(name)))["status"]
            return bool(status.get("replicas") == status.get("readyReplicas") == replicas)

        await self.until(has_all)

    async def eventually_publishes(self, name: str, desired: int, *, decision: str) -> None:
        """A decision, once the API server takes it again."""

        async def is_taken() -> bool:
            try:
                await self.publish(name, desired, decision=decision)
            except (ApiError, aiohttp.ClientError, TimeoutError):
                return False
            return True

        await self.until(is_taken, within_s=60.0)

    async def reaches(self, name: str, replicas: int, *, within_s: float = _PATIENCE_S) -> None:
        """Wait until that is a number."""

        async def there() -> bool:
            return await self.replicas(name) == replicas

        try:
            await self.until(there, within_s=within_s)
        except TimeoutError as error:
            found, why = await self.replicas(name), await self.condition(name, "ScalingActive")
            raise AssertionError(f"{name} is at {found}, not at {replicas}: {why}") from error

    async def stays(self, name: str, replicas: int) -> None:
        """See the number unchanged while the HPA had time to change it."""
        for _ in range(int(SETTLED_S / 0.2)):
            assert await self.replicas(name) == replicas
            await asyncio.sleep(0.2)

    async def value(self, name: str, metric: str = "desired_replicas") -> str:
        """What the HPA reads, through the API server."""
        [item] = (await self.api.get(self.metric(name, metric)))["items"]
        return str(item["value"])

    async def condition(self, name: str, kind: str) -> str:
        """One condition of an HPA as text: its status, reason and message."""
        status = (await self.api.get(self.autoscaler(name))).get("status", {})
        found = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
        return " ".join(str(found.get(part, "")) for part in ("status", "reason", "message"))

    async def remove_autoscalers(self) -> None:
        """No HPA of a test that is over shall ask the adapter any more."""
        with contextlib.suppress(ApiError):
            await self.api.call("DELETE", self.autoscaler())

    async def until(
        self, claim: Callable[[], Awaitable[bool] | bool], *, within_s: float = _PATIENCE_S
    ) -> None:
        """Wait for what the controllers do."""
        async with asyncio.timeout(within_s):
            while True:
                found = claim()
                if await found if inspect.isawaitable(found) else found:
                    return
                await asyncio.sleep(_POLL_S)
