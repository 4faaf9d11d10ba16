"""The kinds of objects that we read or write, and where a Kubernetes API serves them."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object and where the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What `apiVersion` says, such as `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path of a collection, an object or a part of one; no namespace = all of them."""
        prefix = "/apis" if self.group else "/api"
        scope = f"namespaces/{quote(namespace)}" if namespace and self.namespaced else ""
        parts = (prefix, self.api_version, scope, self.plural, quote(name, safe=""), subresource)
        return "/".join(part for part in parts if part)


_OURS = ("autoscaling.llmd.ai", "v1alpha1")
VARIANT_AUTOSCALINGS = Resource(*_OURS, "variantautoscalings", "VariantAutoscaling")
SERVICE_LEVELS = Resource(*_OURS, "servicelevels", "ServiceLevel")
CAPACITY_PROFILES = Resource(*_OURS, "capacityprofiles", "CapacityProfile")
ACCELERATOR_STOCKS = Resource(*_OURS, "acceleratorstocks", "AcceleratorStock", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
