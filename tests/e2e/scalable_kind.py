"""Kinds of somebody else's that can be scaled, as LeaderWorkerSet can: a CRD with a /scale and no controller."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.controlplane.api import MERGE, Json
from tests.controlplane.plane import ControlPlane
from tests.e2e.site import Site

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class ScalableKind:
    """A kind, installed; its objects in the namespace of a site."""

    site: Site
    group: str
    plural: str
    kind: str

    def reference(self, name: str) -> Json:
        """What names an object of the kind."""
        return {"apiVersion": f"{self.group}/v1", "kind": self.kind, "name": name}

    def path(self, name: str = "") -> str:
        """Where objects of the kind are."""
        return self.site.path(f"{self.group}/v1", self.plural, name)

    async def create(self, name: str, replicas: int, *, selector: str) -> Json:
        """An object whose pods are already there."""
        reference = self.reference(name)
        body = {"apiVersion": reference["apiVersion"], "kind": self.kind}
        body |= {"metadata": {"name": name}, "spec": {"replicas": replicas}}
        made: Json = await self.site.api.call("POST", self.path(), body)
        await self.shows(name, replicas, selector=selector)
        return made

    async def shows(self, name: str, replicas: int, *, selector: str) -> None:
        """What the controller of the kind would write once it has so many."""
        patch = {"status": {"replicas": replicas, "hpaPodSelector": selector}}
        await self.site.api.call("PATCH", f"{self.path(name)}/status", patch, kind=MERGE)

    async def replicas(self, name: str) -> int:
        """How many are asked for."""
        return int((await self.site.api.get(self.path(name)))["spec"]["replicas"])


@contextlib.asynccontextmanager
async def installed(
    site: Site, plane: ControlPlane, found: ScalableKind, *, has_selector: bool = True
) -> AsyncIterator[ScalableKind]:
    """A kind that the API server and the controllers know, while the context lasts."""
    name = f"{found.plural}.{found.group}"
    await site.api.call("POST", _CRDS, _definition(found, has_selector=has_selector))

    async def is_established() -> bool:
        status = (await site.api.get(f"{_CRDS}/{name}")).get("status", {})
        said = {each["type"]: each["status"] for each in status.get("conditions") or []}
        return said.get("Established") == "True"

    await site.until(is_established)
    # they read discovery every 30 s
    await asyncio.to_thread(plane.restart, plane.controller_manager)
    yield found
    await site.remove_autoscalers()
    await site.api.call("DELETE", f"{_CRDS}/{name}")


def _definition(found: ScalableKind, *, has_selector: bool) -> Json:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    if has_selector:
        scale["labelSelectorPath"] = ".status.hpaPodSelector"
    part = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": part, "status": part}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    }
    singular = found.kind.lower()
    names = {"plural": found.plural, "singular": singular, "kind": found.kind}
    spec = {"group": found.group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"{found.plural}.{found.group}"}, "spec": spec}
