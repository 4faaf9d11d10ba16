"""The `/scale` subresource: a workload as an autoscaler sees it."""

from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.kubeapi.status import invalid
from llmd_autoscaler.translate.json_object import child, text, texts, whole


def scale_of(workload: Json) -> Json:
    """The autoscaling/v1 Scale of a workload; one whose instances are groups of pods names its selector itself."""
    metadata = child(workload, "metadata")
    labels = texts(workload, "spec", "selector", "matchLabels")
    copied = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in copied if key in metadata},
        "spec": {"replicas": whole(workload, "spec", "replicas", default=1)},
        "status": {
            "replicas": whole(workload, "status", "replicas"),
            "selector": text(workload, "status", "hpaPodSelector")
            or ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def with_replicas(workload: Json, scale: Json) -> Json:
    """The workload with the replicas that a Scale asks for.

    Raises: ApiError: 422, the number is missing or below 0.
    """
    n_replicas = child(scale, "spec").get("replicas")
    if not isinstance(n_replicas, int) or isinstance(n_replicas, bool) or n_replicas < 0:
        name = text(workload, "metadata", "name")
        why = f"spec.replicas: Invalid value: {n_replicas}: must be greater than or equal to 0"
        raise invalid("Scale", name, why)
    return {**workload, "spec": {**child(workload, "spec"), "replicas": n_replicas}}
