"""One model as its owner declares it, and what the controller says of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.controlplane.api import MERGE, ApiError, Json
from tests.e2e.kinds import GROUP, PLURALS, example
from tests.e2e.site import Site

_ANNOTATIONS = "autoscaling.llmd.ai/"


def workload(name: str, replicas: int, labels: Mapping[str, str] | None = None) -> Json:
    """A Deployment or StatefulSet whose pods run nothing; without labels they have the name for one."""
    labels = dict(labels or {"app": name})
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "server", "image": "none"}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True, slots=True)
class Model:
    """The model of the worked example in the namespace of a site; a controller decides for it."""

    site: Site

    def path(self, kind: str, name: str = "") -> str:
        """Where objects of a kind of ours are."""
        return self.site.path(GROUP.removeprefix("/apis/"), PLURALS[kind], name)

    async def level(self, name: str = "llama-70b", **changes: object) -> None:
        """A ServiceLevel."""
        await self._create("ServiceLevel", name, changes)

    async def profile(self, name: str) -> None:
        """A CapacityProfile under a name that the catalogue does not have."""
        await self._create("CapacityProfile", name, {})

    async def variant(self, name: str, *, hold: int | None = None, **changes: object) -> None:
        """A VariantAutoscaling of the Deployment of its name."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        changes = {"scaleTargetRef": target, "maxReplicas": 20} | changes
        await self._create("VariantAutoscaling", name, changes, _held(hold))

    async def deployment(
        self, name: str, replicas: int = 1, labels: Mapping[str, str] | None = None
    ) -> None:
        """A Deployment."""
        body = workload(name, replicas, labels)
        await self.site.api.call("POST", self.site.deployment(), body)

    async def run(self, name: str, n: int, **hpa: object) -> None:
        """A Deployment of so many, which the controller keeps at that and an HPA follows."""
        await self.deployment(name, n)
        await self.variant(name, hold=n)
        await self.site.autoscale(name, **hpa)
        await self.says("VariantAutoscaling", name, "TargetResolved", "True", f"{n} ready")
        await self.site.until(lambda: self._publishes(name, n))

    async def hold(self, name: str, n: int) -> None:
        """Fix the number that the controller decides, by the annotations that operators have for it."""
        patch = {"metadata": {"annotations": _held(n)}}
        await self.site.api.call("PATCH", self.site.variant(name), patch, kind=MERGE)

    async def status(self, kind: str, name: str) -> Json:
        """What the controller has written."""
        return dict((await self.site.api.get(self.path(kind, name))).get("status", {}))

    async def condition(self, kind: str, name: str, type_: str) -> str:
        """One condition of ours as text: its status, reason and message."""
        conditions = (await self.status(kind, name)).get("conditions", [])
        found: Json = next((each for each in conditions if each["type"] == type_), {})
        return " ".join(str(found.get(part, "")) for part in ("status", "reason", "message"))

    async def says(self, kind: str, name: str, type_: str, *words: str) -> str:
        """Wait until a condition of ours has these words; the whole of it."""

        async def is_said() -> bool:
            found = await self.condition(kind, name, type_)
            return all(word in found for word in words)

        try:
            await self.site.until(is_said)
        except TimeoutError as error:
            found = await self.condition(kind, name, type_)
            raise AssertionError(f"{type_} of {name}: {found!r} has not all of {words}") from error
        return await self.condition(kind, name, type_)

    async def _publishes(self, name: str, n: int) -> bool:
        try:
            return await self.site.value(name) == str(n)
        except ApiError:
            return False

    async def _create(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, object],
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        body = example(kind, self.site.namespace, **changes)
        body["metadata"] |= {"name": name, "annotations": dict(annotations or {})}
        body.pop("status", None)
        await self.site.api.call("POST", self.path(kind), body)


def _held(n: int | None) -> dict[str, str]:
    return {} if n is None else {f"{_ANNOTATIONS}{end}-replicas": str(n) for end in ("min", "max")}
