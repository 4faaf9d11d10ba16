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

from tests.controlplane.api import MERGE, Json
from tests.controlplane.component import HOST, Component, ControlPlaneError, free_ports
from tests.controlplane.kubeconfig import write_kubeconfig
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
_NAMES = (f"{_SERVICE}.{NAMESPACE}.svc", HOST)
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
    network: Component
    """Between the replicas and the API server: while it is paused, it accepts all and passes nothing on."""
    files: tuple[Path, Path]
    """The serving certificate and its key."""
    answers: tuple[Path, Path]
    """What each replica has said; see recording_adapter."""

    def start(self, which: int = 0) -> None:
        """Start a replica and wait until it says that it is ready; most tests need only the first."""
        self.replicas[which].start()
        self.plane.renew_guard()
        self._until(lambda: self._is_ready(which), "the adapter is not ready")

    def kill(self, which: int = 0) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        self.replicas[which].signal(signal.SIGKILL)
        self.replicas[which].stop()

    def believe(self, *authorities: Authority) -> None:
        """Tell the API server by whom the adapter's certificate may be signed."""
        bundle = b64encode(b"".join(each.pem for each in authorities)).decode()
        for version, group in _SERVED:
            patch = {"spec": {"caBundle": bundle}}
            path = f"{_SERVICES}/{version}.{group}"
            self.plane.request("PATCH", path, patch, content_type=MERGE)

    def sign(self, authority: Authority) -> None:
        """Put a certificate of an authority where the replicas look for theirs."""
        authority.server(_SERVICE, _NAMES).write(self.files[0].parent, self.files[0].stem)

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
def registered(plane: ControlPlane, *, is_watched: bool = False) -> Iterator[RegisteredAdapter]:
    """The adapter, Available in both versions, while the context lasts.

    Args:
        plane: where.
        is_watched: whether its answers are written down and its network can be held up; see recording_adapter.
    """
    apply_roles(plane, *_ROLES)
    authority = Authority("llmd-adapter-ca")
    files = authority.server(_SERVICE, _NAMES).write(plane.directory, "adapter")
    *ports, door_port, network_port = free_ports(4)
    folder, user = plane.directory, {"token": plane.token(NAMESPACE, "llmd-adapter")}
    url = f"https://{HOST}:{network_port}" if is_watched else plane.url
    kubeconfig = write_kubeconfig(folder / "adapter.kubeconfig", url, plane.server_ca.pem, user)
    answers = folder / f"adapter-{ports[0]}.jsonl", folder / f"adapter-{ports[1]}.jsonl"
    first, second = (
        _replica(port, files, kubeconfig, file if is_watched else None)
        for port, file in zip(ports, answers, strict=True)
    )
    adapter = RegisteredAdapter(
        plane,
        authority,
        replicas=(first, second),
        ports=(ports[0], ports[1]),
        door=door(folder / "adapter-door.log", door_port, *ports),
        door_port=door_port,
        network=door(folder / "adapter-network.log", network_port, plane.api_port),
        files=files,
        answers=answers,
    )
    with plane.guarding(first, second, adapter.door, adapter.network):
        if is_watched:
            adapter.network.start()
        adapter.door.start()
        adapter.start()
        _register(plane, door_port, authority.pem)
        adapter.wait_until_available()
        yield adapter
        for version, group in _SERVED:
            plane.request("DELETE", f"{_SERVICES}/{version}.{group}")


def door(log: Path, port: int, *behind: int) -> Component:
    """A port that leads to others: see tests/controlplane/door."""
    words = [word for each in behind for word in ("--behind", str(each))]
    return Component(
        log.stem,
        [sys.executable, "-m", "tests.controlplane.door", "--port", str(port), *words],
        log,
        environment={"PYTHONPATH": str(_CHECKOUT)},
    )


def _replica(
    port: int, files: tuple[Path, Path], kubeconfig: Path, answers: Path | None
) -> Component:
    flags = ("--port", str(port), "--external-metrics", "--service", f"{NAMESPACE}/{_SERVICE}")
    certificate = ("--tls-cert-file", str(files[0]), "--tls-private-key-file", str(files[1]))
    program = ("adapter",) if answers is None else ("tests.e2e.recording_adapter", str(answers))
    return Component(
        f"adapter-{port}",
        [sys.executable, "-m", *program, *flags, *certificate],
        kubeconfig.parent / f"adapter-{port}.log",
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
