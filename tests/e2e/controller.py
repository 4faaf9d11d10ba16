"""The controller as a process under the roles that we ship, for the models of all namespaces."""

import contextlib
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.controlplane.component import HOST, Component, ControlPlaneError, free_ports
from tests.controlplane.plane import ControlPlane
from tests.e2e.identity import NAMESPACE, apply_roles

# Wall seconds, as everything here: a tick as often as the HPA looks.
_PERIOD_S = 1
_PATIENCE_S = 60.0
_CHECKOUT = Path(__file__).parents[2]


@contextlib.contextmanager
def controlling(plane: ControlPlane) -> Iterator[Component]:
    """A controller that leads, while the context lasts."""
    apply_roles(plane, "base/controller/rbac.yaml")
    kubeconfig = plane.service_account(NAMESPACE, "llmd-controller")
    (port,) = free_ports(1)
    # the one lease that the shipped role allows
    flags = ("--lease", f"{NAMESPACE}/llmd-controller", "--period", str(_PERIOD_S))
    listen = ("--host", HOST, "--port", str(port))
    controller = Component(
        "controller",
        [sys.executable, "-m", "llmd_autoscaler", "controller", *flags, *listen],
        plane.directory / f"controller-{port}.log",
        environment={"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(_CHECKOUT)},
    )
    with plane.guarding(controller):
        controller.start()
        plane.renew_guard()
        _wait(controller, f"http://{HOST}:{port}/readyz")
        yield controller


def _wait(controller: Component, url: str) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not _is_ready(url):
        if not controller.alive or time.monotonic() > deadline_s:
            raise ControlPlaneError(f"the controller is not ready\n{controller.tail()}")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
