"""What kubectl shows of a model under traffic, for docs/kubernetes.md: `python -m tests.e2e.show`, about two minutes.

A real API server and HPA, our adapter, controller and router as processes, and simulated servers behind the pods.
"""

import asyncio
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np

from llmd_autoscaler.simulator.replay import Replay
from tests.controlplane.api import Api
from tests.controlplane.plane import ControlPlane
from tests.controlplane.session import running
from tests.e2e.adapter import registered
from tests.e2e.fleet import loop
from tests.manifests.kustomize import kubectl

# A prompt costs a server half a second: the rate grows from what one carries to what takes several.
ISL, OSL = 3000, 200
FIRST_QPS, GROWTH_QPS_PER_S, SPAN_S = 0.3, 1.2 / 900.0, 900.0
COMMANDS = (
    "get sl,va -o wide",
    "describe va llama-70b-a100",
    "explain va.spec.scaleTargetRef",
    "explain sl.spec.classes.slo",
)


def traffic() -> Replay:
    """Equal requests of both classes in turn, ever closer."""
    n = int(FIRST_QPS * SPAN_S + 0.5 * GROWTH_QPS_PER_S * SPAN_S**2)
    # the n-th comes when the integral of the rate is n
    root = np.sqrt(FIRST_QPS**2 + 2.0 * GROWTH_QPS_PER_S * np.arange(n))
    return Replay(
        at_s=(root - FIRST_QPS) / GROWTH_QPS_PER_S,
        isl=np.full(n, ISL, dtype=np.int64),
        osl=np.full(n, OSL, dtype=np.int64),
        class_of=np.arange(n, dtype=np.int64) % 2,
    )


async def show(plane: ControlPlane, folder: Path) -> None:
    """Bring up a model, let its fleet grow, and print what kubectl says of it."""
    namespace = f"llm-{uuid.uuid4().hex[:4]}"
    async with (
        Api(plane.kubeconfig) as api,
        loop(plane, api, namespace, folder, most=6) as it,
    ):
        await it.clients(traffic()).run(asyncio.Event())
        for command in COMMANDS:
            words = [kubectl(), "--kubeconfig", str(plane.kubeconfig), "-n", namespace]
            said = await asyncio.to_thread(
                subprocess.run,
                [*words, *command.split()],
                check=True,
                capture_output=True,
                text=True,
            )
            answer = said.stdout.replace(namespace, "llm")
            sys.stdout.write(f"$ kubectl -n llm {command}\n{answer}\n")


if __name__ == "__main__":
    with (
        running() as control_plane,
        registered(control_plane),
        tempfile.TemporaryDirectory() as name,
    ):
        asyncio.run(show(control_plane, Path(name)))
