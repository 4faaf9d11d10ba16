"""The kinds that the small API server keeps: those that we write or read, and no others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind and the habits of Kubernetes with it."""

    group: str
    version: str
    plural: str
    name: str
    is_namespaced: bool = True
    has_status: bool = True
    has_scale: bool = False
    needs_revision: bool = True
    """Whether a PUT must name the resourceVersion it replaces (`AllowUnconditionalUpdate: false`)."""

    @property
    def api_version(self) -> str:
        """What `apiVersion` says, such as `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """What messages call it, such as `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_OURS = "autoscaling.llmd.ai"
VARIANT_AUTOSCALING = Kind(_OURS, "v1alpha1", "variantautoscalings", "VariantAutoscaling")
SERVICE_LEVEL = Kind(_OURS, "v1alpha1", "servicelevels", "ServiceLevel")
CAPACITY_PROFILE = Kind(_OURS, "v1alpha1", "capacityprofiles", "CapacityProfile")
ACCELERATOR_STOCK = Kind(
    _OURS, "v1alpha1", "acceleratorstocks", "AcceleratorStock", is_namespaced=False
)
POD = Kind("", "v1", "pods", "Pod", needs_revision=False)
EVENT = Kind("", "v1", "events", "Event", has_status=False, needs_revision=False)
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment", has_scale=True, needs_revision=False)
STATEFUL_SET = Kind(
    "apps", "v1", "statefulsets", "StatefulSet", has_scale=True, needs_revision=False
)
LEADER_WORKER_SET = Kind(
    "leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet", has_scale=True
)
HPA = Kind(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", needs_revision=False
)
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease", has_status=False)

KINDS = (
    VARIANT_AUTOSCALING,
    SERVICE_LEVEL,
    CAPACITY_PROFILE,
    ACCELERATOR_STOCK,
    POD,
    EVENT,
    DEPLOYMENT,
    STATEFUL_SET,
    LEADER_WORKER_SET,
    HPA,
    LEASE,
)
