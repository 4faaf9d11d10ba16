"""Command lines of the three components; each flag was left out once to see what it is for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.component import HOST

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "horizontal-pod-autoscaler-controller",
    "serviceaccount-controller",
    "garbage-collector-controller",
    "namespace-controller",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the components are, and where they find each other."""

    binaries: Path
    directory: Path
    etcd_port: int
    api_port: int
    manager_port: int

    @property
    def etcd_url(self) -> str:
        return f"http://{HOST}:{self.etcd_port}"

    def pki(self, name: str) -> Path:
        return self.directory / "pki" / name


def etcd(place: Place) -> list[str]:
    return [
        str(place.binaries / "etcd"),
        f"--data-dir={place.directory / 'etcd-data'}",
        f"--listen-client-urls={place.etcd_url}",
        f"--advertise-client-urls={place.etcd_url}",
        f"--listen-peer-urls=http://{HOST}:0",  # the default port would be one for all
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(place: Place, *, audit: bool, more: Sequence[str] = ()) -> list[str]:
    audited = [
        f"--audit-policy-file={place.directory / 'audit-policy.yaml'}",
        f"--audit-log-path={place.directory / 'audit.log'}",
    ]
    return [
        str(place.binaries / "kube-apiserver"),
        f"--etcd-servers={place.etcd_url}",
        f"--bind-address={HOST}",
        f"--secure-port={place.api_port}",
        "--endpoint-reconciler-type=none",  # any other refuses an address of loopback
        f"--tls-cert-file={place.pki('apiserver.crt')}",
        f"--tls-private-key-file={place.pki('apiserver.key')}",
        f"--client-ca-file={place.pki('client-ca.crt')}",
        "--authorization-mode=RBAC",  # the default allows everything: no test of our roles
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={place.pki('sa.pub')}",
        f"--service-account-signing-key-file={place.pki('sa.key')}",
        # without this the adapter finds no keys in extension-apiserver-authentication
        f"--requestheader-client-ca-file={place.pki('front-proxy-ca.crt')}",
        # without this every certificate of that authority may say who it is
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-uid-headers=X-Remote-Uid",
        f"--proxy-client-cert-file={place.pki('front-proxy-client.crt')}",
        f"--proxy-client-key-file={place.pki('front-proxy-client.key')}",
        "--disable-admission-plugins=ServiceAccount",  # pods would wait for their default account
        *(audited if audit else ()),
        *more,
    ]


def controller_manager(
    place: Place, kubeconfig: Path, *, controllers: Sequence[str], more: Sequence[str] = ()
) -> list[str]:
    return [
        str(place.binaries / "kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={place.manager_port}",
        f"--tls-cert-file={place.pki('controller-manager.crt')}",
        f"--tls-private-key-file={place.pki('controller-manager.key')}",
        "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics",
        "--leader-elect=false",
        # the bootstrap roles are bound to these accounts: no controller works without
        "--use-service-account-credentials=true",
        f"--controllers={','.join(controllers)}",
        # a stock cluster has 20 and 30: enough for some 300 HPA metrics at 15 s
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        *more,
    ]
