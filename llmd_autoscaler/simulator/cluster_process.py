"""The process that plays a cluster: API server, Deployment controller, kubelet and HPA controller on one clock."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.listening import told_to_stop
from llmd_autoscaler.simulator.deployment_controller import DeploymentController
from llmd_autoscaler.simulator.hpa_controller import HpaController
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store
from llmd_autoscaler.simulator.kubeapi.verbs import Verbs
from llmd_autoscaler.simulator.kubelet import Kubelet


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What a simulated cluster is told on its command line."""

    clock: Clock = field(default_factory=Clock)
    host: str = "127.0.0.1"
    port: int = 0
    adapter_url: str = ""
    hpa_period_s: float = 15.0
    """Simulated seconds between two evaluations of an HPA."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster: where it answers, and its verbs for whoever runs in the same process."""

    address: str
    verbs: Verbs


@contextlib.asynccontextmanager
async def simulated_cluster(options: ClusterOptions) -> AsyncIterator[Cluster]:
    """A cluster while the context lasts; its pods' processes end with it.

    Raises: ConfigError: the port is taken.
    """
    store = Store(options.clock)
    verbs = Verbs(store)
    async with (
        serving(
            store, host=options.host, port=options.port, adapter_url=options.adapter_url
        ) as address,
        asyncio.TaskGroup() as tasks,
    ):
        controllers = [
            DeploymentController(verbs).run(),
            Kubelet(verbs).run(),
            HpaController(verbs, address, period_s=options.hpa_period_s).run(),
        ]
        running = [tasks.create_task(controller) for controller in controllers]
        try:
            yield Cluster(address, verbs)
        finally:
            for task in running:
                task.cancel()


async def run_cluster(
    options: ClusterOptions, *, on_address: Callable[[str], None] = lambda _: None
) -> None:
    """A cluster until SIGTERM, SIGINT or the end of the parent process.

    Args:
        options: the command line.
        on_address: told the address once the API answers, such as `http://127.0.0.1:8001`.

    Raises: ConfigError: the port is taken.
    """
    parent = os.getppid()
    async with simulated_cluster(options) as cluster:
        on_address(cluster.address)
        await told_to_stop(parent)
