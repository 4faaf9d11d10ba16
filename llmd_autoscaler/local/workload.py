"""What runs and scales one VariantAutoscaling: its Deployment of simulated servers, and its HPA."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.deployment_controller import N_WARM, SEED, STARTUP_P50, STARTUP_P90
from llmd_autoscaler.translate.blueprint import DeclaredTarget

Json = dict[str, object]

APP = "app"  # label of the pods; its value is the Deployment's name
# The longest answers of the traces take two minutes; a drain ends as soon as the last one does.
DRAIN_S = 600
# On top of the drain: the server's own exit, so that nobody is killed with a request in flight.
_GRACE_S = DRAIN_S + 60


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """How the servers of a run are started."""

    model: str
    profile_file: str
    clock: Clock
    seed: int


def deployment(target: DeclaredTarget, server: ServerSpec, *, n_start: int) -> Json:
    """A Deployment whose first `n_start` pods are ready at once."""
    state, labels = target.state, {APP: target.deployment}
    container: Json = {
        "name": "server",
        "image": "llmd-autoscaler/simulate-server",
        "command": list(_command(target, server)),
        "ports": [{"containerPort": target.port}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": target.port}},
    }
    annotations = {
        STARTUP_P50: repr(state.lead.p50_s),
        STARTUP_P90: repr(state.lead.p90_s),
        SEED: str(server.seed),
        N_WARM: str(n_start),
    }
    return {
        "metadata": {"name": target.deployment, "annotations": annotations},
        "spec": {
            "replicas": n_start,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": _GRACE_S},
            },
        },
    }


def hpa(target: DeclaredTarget) -> Json:
    """An HPA that lands exactly on the published number: a target of 1 a replica, no tolerance, no windows."""
    rules: Json = {
        "stabilizationWindowSeconds": 0,
        "tolerance": "0",
        "policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}],
    }
    metric: Json = {
        "type": "Object",
        "object": {
            "describedObject": {
                "apiVersion": "autoscaling.llmd.ai/v1alpha1",
                "kind": "VariantAutoscaling",
                "name": target.state.name,
            },
            "metric": {"name": "desired_replicas"},
            "target": {"type": "AverageValue", "averageValue": "1"},
        },
    }
    return {
        "metadata": {"name": target.deployment},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": target.deployment,
            },
            "minReplicas": target.state.min_instances,
            "maxReplicas": target.state.max_instances,
            "metrics": [metric],
            "behavior": {"scaleUp": rules, "scaleDown": rules},
        },
    }


def _command(target: DeclaredTarget, server: ServerSpec) -> Sequence[str]:
    flags = {
        "--profile": server.profile_file,
        "--model": server.model,
        "--host": "$(POD_IP)",
        "--port": str(target.port),
        "--shutdown-timeout": str(DRAIN_S),
        "--clock": server.clock.flag(),
    }
    program = (sys.executable, "-m", "llmd_autoscaler", "simulate-server")
    return (*program, *(word for flag in flags.items() for word in flag))
