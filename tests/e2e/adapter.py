"""The adapter as a process behind TLS, registered with the aggregation layer."""

import contextlib
import http.client
import signal
import ssl
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.api import Json
from tests.controlplane.component import HOST, Component, ControlPlaneError, free_ports
from tests.controlplane.pki import Authority
from tests.controlplane.plane import ControlPlane
from tests.e2e.identity import NAMESPACE, apply_roles

GROUP = "custom.metrics.k8s.io"
VERSIONS = ("v1beta1", "v1beta2")
# each APIService and its priority: the HPA asks for the higher version
_SERVED = {
    ("v1beta1", GROUP): 100,
    ("v1beta2", GROUP): 200,
    ("v1beta1", "external.metrics.k8s.io"): 100,
}
_SERVICE = "llmd-adapter"
_ROLES = ("base/adapter/rbac.yaml", "components/external-metrics/rbac.yaml")
_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
_PATIENCE_S = 60.0
_CHECKOUT = Path(__file__).parents[2]


@dataclass(slots=True)
class RegisteredAdapter:
    """The process, its door, and what the API server thinks of it."""

    plane: ControlPlane
    authority: Authority
    replicas: tuple[Component, Component]
    ports: tuple[int, int]
    door: Component
    door_port: int

    def start(self, which: int = 0) -> None:
        """Start a replica and wait until it says that it is ready; most tests need only the first."""
        self.replicas[which].start()
        self.plane.renew_guard()
        self._until(lambda: self._is_ready(which), "the adapter is not ready")

    def kill(self, which: int = 0) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        self.replicas[which].signal(signal.SIGKILL)
        self.replicas[which].stop()

    def wait_until_available(self) -> None:
        """Until every version is Available."""
        self._until(
            lambda: all(self.available(*each) == "True" for each in _SERVED),
            "the APIServices are not Available",
        )

    def wait_until_away(self) -> None:
        """Until no version is Available."""
        self._until(
            lambda: all(self.available(*each) == "False" for each in _SERVED),
            "the APIServices are still Available",
        )

    def available(self, version: str, group: str = GROUP) -> str:
        """The condition Available of one version."""
        _, found = self.plane.request("GET", f"{_SERVICES}/{version}.{group}")
        conditions = found.get("status", {}).get("conditions", [])
        return next((each["status"] for each in conditions if each["type"] == "Available"), "")

    def _is_ready(self, which: int) -> bool:
        if not self.replicas[which].alive:
            raise ControlPlaneError(f"the adapter ended\n{self.replicas[which].tail()}")
        tls = ssl.create_default_context(cadata=self.authority.pem.decode())
        connection = http.client.HTTPSConnection(HOST, self.ports[which], context=tls, timeout=5.0)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _until(self, claim: Callable[[], bool], otherwise: str) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while not claim():
            if time.monotonic() > deadline_s:
                raise ControlPlaneError(
                    f"{otherwise} after {_PATIENCE_S:.0f} s\n{self.replicas[0].tail()}"
                )
            time.sleep(0.05)


@contextlib.contextmanager
def registered(plane: ControlPlane) -> Iterator[RegisteredAdapter]:
    """The adapter, Available in both versions, while the context lasts."""
    apply_roles(plane, *_ROLES)
    kubeconfig = plane.service_account(NAMESPACE, "llmd-adapter")
    authority = Authority("llmd-adapter-ca")
    names = [f"{_SERVICE}.{NAMESPACE}.svc", HOST]
    files = authority.server(_SERVICE, names).write(plane.directory, "adapter")
    *ports, door_port = free_ports(3)
    first, second = (_replica(plane, port, files, kubeconfig) for port in ports)
    behind = [word for port in ports for word in ("--behind", str(port))]
    adapter = RegisteredAdapter(
        plane,
        authority,
        replicas=(first, second),
        ports=(ports[0], ports[1]),
        door=Component(
            "adapter-door",
            [sys.executable, "-m", "tests.controlplane.door", "--port", str(door_port), *behind],
            plane.directory / "adapter-door.log",
            environment={"PYTHONPATH": str(_CHECKOUT)},
        ),
        door_port=door_port,
    )
    with plane.guarding(first, second, adapter.door):
        adapter.door.start()
        adapter.start()
        _register(plane, door_port, authority.pem)
        adapter.wait_until_available()
        yield adapter
        for version, group in _SERVED:
            plane.request("DELETE", f"{_SERVICES}/{version}.{group}")


def _replica(
    plane: ControlPlane, port: int, files: tuple[Path, Path], kubeconfig: Path
) -> Component:
    flags = ("--port", str(port), "--external-metrics", "--service", f"{NAMESPACE}/{_SERVICE}")
    certificate = ("--tls-cert-file", str(files[0]), "--tls-private-key-file", str(files[1]))
    return Component(
        f"adapter-{port}",
        [sys.executable, "-m", "adapter", *flags, *certificate],
        plane.directory / f"adapter-{port}.log",
        environment={"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(_CHECKOUT)},
    )


def _register(plane: ControlPlane, port: int, authority: bytes) -> None:
    plane.request("POST", f"/api/v1/namespaces/{NAMESPACE}/services", loopback_service(_SERVICE))
    for (version, group), priority in _SERVED.items():
        service = {"namespace": NAMESPACE, "name": _SERVICE, "port": port}
        body = api_service(version, group, service, authority)
        body["spec"]["versionPriority"] = priority
        plane.request("POST", _SERVICES, body)


def loopback_service(name: str) -> Json:
    """The one kind of service that leads to loopback: an EndpointSlice may not hold such an address."""
    return {"metadata": {"name": name}, "spec": {"type": "ExternalName", "externalName": HOST}}


def api_service(version: str, group: str, service: Json, authority: bytes) -> Json:
    """A version of a group that a service of ours answers for."""
    spec = {
        "group": group,
        "version": version,
        "service": service,
        "caBundle": b64encode(authority).decode(),
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }
    return {"metadata": {"name": f"{version}.{group}"}, "spec": spec}
