"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager.

They run on free ports of 127.0.0.1 with an own PKI, RBAC, the aggregation layer and the HPA controller. There is no
scheduler and no kubelet: see fake_kubelet.py.

    with ControlPlane() as plane:                      # or: async with ControlPlane() as plane
        plane.kubeconfig                               # path, user "admin" in system:masters
        plane.client("alice", groups=["dev"])          # path, a certificate identity without any rights
        plane.service_account("default", "adapter")    # path, a bearer-token identity
        plane.request("GET", "/api/v1/namespaces")     # (status, decoded JSON) as admin

By hand: `python -m tests.controlplane.plane up --dir DIR` runs until ctrl-C and writes DIR/admin.kubeconfig.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import shutil
import signal
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.controlplane import commands
from tests.controlplane.component import (
    HOST,
    Component,
    ControlPlaneError,
    Guard,
    find_binaries,
    free_ports,
)
from tests.controlplane.kubeconfig import certificate_user, write_kubeconfig
from tests.controlplane.pki import Authority, private_pem, write_private


class ControlPlane:
    """etcd + kube-apiserver + kube-controller-manager; a sync and an async context manager."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        binaries: Path | None = None,
        hpa_sync_period: str = "1s",
        apiserver_args: Sequence[str] = (),
        controller_manager_args: Sequence[str] = (),
        controllers: Sequence[str] = commands.CONTROLLERS,
        audit: bool = False,
        keep_logs_in: Path | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self._given_directory = directory
        self._binaries = binaries
        self._apiserver_args = list(apiserver_args)
        self._controller_manager_args = [
            f"--horizontal-pod-autoscaler-sync-period={hpa_sync_period}",
            *controller_manager_args,
        ]
        self._controllers = tuple(controllers)
        self._audit = audit
        self._keep_logs_in = keep_logs_in
        self._timeout_s = timeout_s
        self._guard: Guard | None = None
        self._others: list[Component] = []
        self._tls: ssl.SSLContext | None = None
        self.directory = Path()
        self.startup_s = 0.0

    # ---- life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(failed=kind is not None)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop, failed=kind is not None)

    def start(self) -> None:
        """Start all components and wait until the API server, RBAC and the controllers are ready."""
        begin = time.monotonic()
        binaries = self._binaries or find_binaries()
        if self._given_directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="controlplane-"))
        else:
            self.directory = self._given_directory.absolute()
            self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._make_pki()
            for attempt in range(3):  # a port may be taken between the probe and the bind
                try:
                    self._start_components(binaries)
                    break
                except ControlPlaneError as error:
                    self._stop_components()
                    if attempt == 2 or "address already in use" not in str(error):
                        raise
        except BaseException:
            self.stop(failed=True)
            raise
        self.startup_s = time.monotonic() - begin

    def stop(self, *, failed: bool = False) -> None:
        """Stop everything. A temporary directory is removed unless `failed`; its logs can be kept elsewhere."""
        self._stop_components()
        if failed and self._keep_logs_in is not None:
            self._keep_logs_in.mkdir(parents=True, exist_ok=True)
            for log in self.directory.glob("*.log"):
                shutil.copy2(log, self._keep_logs_in)
        if failed:
            sys.stderr.write(f"control plane logs: {self.directory}\n")
        elif self._given_directory is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def components(self) -> Iterator[Component]:
        for name in ("controller_manager", "apiserver", "etcd"):  # order of stopping
            if (component := getattr(self, name, None)) is not None:
                yield component

    def _stop_components(self) -> None:
        if self._guard is not None:
            self._guard.release()
            self._guard = None
        for component in self.components:
            component.stop()

    def restart(self, component: Component, *, grace_s: float = 1.0) -> None:
        """Stop and start one component on the same port and wait until it is ready again."""
        component.stop(
            grace_s
        )  # etcd and the API server would wait for their watchers, which do not go away
        component.start()
        self.renew_guard()
        self._wait(component)

    @contextlib.contextmanager
    def guarding(self, *others: Component) -> Iterator[None]:
        """Components of a test: stopped when the context ends, and when this process goes away."""
        self._others += others
        try:
            yield
        finally:
            for other in others:
                other.stop()
                self._others.remove(other)

    def renew_guard(self) -> None:
        """Watch over the processes that run now."""
        if self._guard is not None:
            self._guard.release()
        everyone = (*self.components, *self._others)
        self._guard = Guard([c.process.pid for c in everyone if c.process is not None])

    # ---- configuration

    def _make_pki(self) -> None:
        directory = self.directory / "pki"
        directory.mkdir(mode=0o700, exist_ok=True)
        self.server_ca = Authority("controlplane-server-ca")
        self.client_ca = Authority("controlplane-client-ca")
        self.front_proxy_ca = Authority(
            "controlplane-front-proxy-ca"
        )  # never the client CA: headers could be forged
        for name, authority in (
            ("server-ca", self.server_ca),
            ("client-ca", self.client_ca),
            ("front-proxy-ca", self.front_proxy_ca),
        ):
            (directory / f"{name}.crt").write_bytes(authority.pem)
        names = (
            HOST,
            "10.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        )
        self.server_ca.server("kube-apiserver", names).write(directory, "apiserver")
        self.server_ca.server("kube-controller-manager", (HOST, "localhost")).write(
            directory, "controller-manager"
        )
        self.front_proxy_ca.client("front-proxy-client").write(directory, "front-proxy-client")
        admin = self.client_ca.client("admin", ["system:masters"])
        admin.write(directory, "admin")
        service_account_key = ec.generate_private_key(ec.SECP256R1())
        write_private(directory / "sa.key", private_pem(service_account_key))
        (directory / "sa.pub").write_bytes(
            service_account_key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        self._tls = ssl.create_default_context(cadata=self.server_ca.pem.decode())
        self._tls.load_cert_chain(directory / "admin.crt", directory / "admin.key")
        (self.directory / "audit-policy.yaml").write_text(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
        )

    def _start_components(self, binaries: Path) -> None:
        directory = self.directory
        etcd_port, api_port, manager_port = free_ports(3)
        place = commands.Place(binaries, directory, etcd_port, api_port, manager_port)
        self.api_port = api_port
        self.etcd_url = place.etcd_url
        self.url = f"https://{HOST}:{api_port}"
        self.controller_manager_url = f"https://{HOST}:{manager_port}"
        admin = certificate_user(place.pki("admin.crt"), place.pki("admin.key"))
        self.kubeconfig = self._kubeconfig("admin", admin)
        manager = self.client("system:kube-controller-manager")

        shutil.rmtree(directory / "etcd-data", ignore_errors=True)
        self.etcd = Component("etcd", commands.etcd(place), directory / "etcd.log")
        self.apiserver = Component(
            "kube-apiserver",
            commands.apiserver(place, audit=self._audit, more=self._apiserver_args),
            directory / "kube-apiserver.log",
        )
        self.controller_manager = Component(
            "kube-controller-manager",
            commands.controller_manager(
                place, manager, controllers=self._controllers, more=self._controller_manager_args
            ),
            directory / "kube-controller-manager.log",
        )
        self.etcd.start()
        self.apiserver.start()  # it retries until etcd answers
        self.renew_guard()
        self._wait(self.apiserver)
        self.controller_manager.start()
        self.renew_guard()
        self._wait(self.controller_manager)

    def _wait(self, component: Component) -> None:
        deadline = time.monotonic() + self._timeout_s
        while True:
            for each in self.components:
                if each.process is not None and not each.alive:
                    raise ControlPlaneError(
                        f"{each.name} ended with {each.process.returncode}\n{each.tail()}"
                    )
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._ready(component):
                    return
            if time.monotonic() > deadline:
                raise ControlPlaneError(
                    f"{component.name} not ready in {self._timeout_s} s\n{component.tail()}"
                )
            time.sleep(0.05)

    def _ready(self, component: Component) -> bool:
        if component is self.apiserver:
            authentication = (
                "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
            )
            return all(
                self.request("GET", path)[0] == 200
                for path in ("/readyz", authentication, "/api/v1/namespaces/default")
            )
        if component is self.controller_manager:
            return self.request("GET", "/healthz", base=self.controller_manager_url)[0] == 200
        return True

    # ---- use

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        base: str | None = None,
        timeout_s: float = 10.0,
    ) -> tuple[int, object]:
        """One request as admin; the answer is decoded when it is JSON, else given as text."""
        address = (base or self.url).removeprefix("https://")
        connection = http.client.HTTPSConnection(address, context=self._tls, timeout=timeout_s)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(
                method, path, data, {"Content-Type": content_type, "Accept": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.headers.get_content_type() == "application/json":
                return answer.status, json.loads(text)
            return answer.status, text
        finally:
            connection.close()

    def client(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a certificate identity (also for the names of built-in roles, system:...)."""
        name = user.replace(":", "-").replace("/", "-")
        cert, key = self.client_ca.client(user, groups).write(self.directory / "pki", name)
        return self._kubeconfig(name, certificate_user(cert, key))

    def token(
        self,
        namespace: str,
        service_account: str,
        *,
        seconds: int = 3600,
        audiences: Sequence[str] = (),
    ) -> str:
        """A bound service account token; the account is created when it does not exist."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.request("POST", path, {"metadata": {"name": service_account}})
        spec: dict[str, object] = {"expirationSeconds": seconds}
        if audiences:
            spec["audiences"] = list(audiences)
        status, answer = self.request("POST", f"{path}/{service_account}/token", {"spec": spec})
        if status != 201:
            raise ControlPlaneError(f"token for {namespace}/{service_account}: {status} {answer}")
        return str(answer["status"]["token"])

    def service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a service account."""
        return self._kubeconfig(f"sa-{namespace}-{name}", {"token": self.token(namespace, name)})

    def audit_events(self) -> Iterator[dict[str, object]]:
        """Audit events so far (needs audit=True); responseStatus.code 403 shows a missing RBAC rule."""
        with (self.directory / "audit.log").open() as lines:
            for line in lines:
                with contextlib.suppress(json.JSONDecodeError):  # a line still being written
                    yield json.loads(line)

    def _kubeconfig(self, name: str, user: dict[str, str]) -> Path:
        path = self.directory / f"{name}.kubeconfig"
        return write_kubeconfig(path, self.url, self.server_ca.pem, user)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kubernetes control plane on loopback")
    up = parser.add_subparsers(required=True).add_parser(
        "up", help="run in the foreground until ctrl-C"
    )
    up.add_argument("--dir", type=Path, required=True, help="for keys, kubeconfigs, logs and data")
    up.add_argument("--hpa-sync-period", default="15s")
    up.add_argument("--audit", action="store_true")
    options = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ControlPlane(
        options.dir, hpa_sync_period=options.hpa_sync_period, audit=options.audit
    ) as plane:
        sys.stdout.write(
            f"ready in {plane.startup_s:.1f} s: export KUBECONFIG={plane.kubeconfig}\n"
        )
        sys.stdout.flush()
        while not stop.wait(1.0):
            for component in plane.components:
                if not component.alive:
                    raise ControlPlaneError(f"{component.name} died\n{component.tail()}")


if __name__ == "__main__":
    main()
