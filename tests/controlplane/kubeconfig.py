"""Kubeconfig files: an address, who may be trusted there, and who we are."""

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.controlplane.pki import write_private


def write_kubeconfig(path: Path, url: str, authority: bytes, user: Mapping[str, str]) -> Path:
    """A kubeconfig with one cluster and one user; the path again."""
    cluster = {"server": url, "certificate-authority-data": _b64(authority)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "controlplane", "cluster": cluster}],
        "users": [{"name": path.stem, "user": dict(user)}],
        "contexts": [
            {"name": "default", "context": {"cluster": "controlplane", "user": path.stem}}
        ],
        "current-context": "default",
    }
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
    return path


def certificate_user(cert: Path, key: Path) -> dict[str, str]:
    """A user who shows a certificate."""
    return {
        "client-certificate-data": _b64(cert.read_bytes()),
        "client-key-data": _b64(key.read_bytes()),
    }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
