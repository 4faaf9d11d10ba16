"""The identities that we ship: the service accounts and roles of manifests/base, applied as they stand there."""

from pathlib import Path

import yaml

from tests.controlplane.api import Json
from tests.controlplane.component import ControlPlaneError
from tests.controlplane.plane import ControlPlane

NAMESPACE = "llmd-autoscaler"
OURS = frozenset({"llmd-adapter", "llmd-controller", "llmd-router"})
_MANIFESTS = Path(__file__).parents[2] / "manifests"
_APPLY = "application/apply-patch+yaml"
_PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}


def apply_roles(plane: ControlPlane, *files: str, namespace: str = NAMESPACE) -> None:
    """What files of roles say; what names no namespace gets one, as kustomize would give it.

    Raises: ControlPlaneError: the server refuses a role.
    """
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for file in files:
        for document in yaml.safe_load_all((_MANIFESTS / file).read_text()):
            _apply(plane, document, namespace)


def refused(plane: ControlPlane, *, whose: frozenset[str] = OURS) -> set[tuple[str, str, str]]:
    """Who was refused what, and was never allowed it afterwards, since the control plane began: a role that is missing.

    An API server that has just started refuses what its roles allow until it has read them all.
    """
    found: dict[tuple[str, ...], tuple[str, str, str]] = {}
    for event in plane.audit_events():
        who, code = event["user"]["username"], event.get("responseStatus", {}).get("code", 0)
        if who.rpartition(":")[2] not in whose:
            continue
        of = event.get("objectRef", {})
        fields = ("apiGroup", "resource", "subresource", "namespace")
        what = (who, event["verb"], *(of.get(field, "") for field in fields))
        if code == 403:
            found[what] = (who, event["verb"], event["requestURI"])
        elif 0 < code < 400:
            found.pop(what, None)
    return set(found.values())


def _apply(plane: ControlPlane, document: Json, namespace: str) -> None:
    where, kind, name = "", document["kind"], document["metadata"]["name"]
    if not kind.startswith("Cluster"):
        where = document["metadata"].setdefault("namespace", namespace)
        where = f"/namespaces/{where}"
    for subject in document.get("subjects", ()):
        subject.setdefault("namespace", namespace)
    version = document["apiVersion"]
    prefix = "/api" if version == "v1" else "/apis"
    path = f"{prefix}/{version}{where}/{_PLURALS[kind]}/{name}?fieldManager=e2e&force=true"
    status, answer = plane.request("PATCH", path, document, content_type=_APPLY)
    if status not in {200, 201}:
        raise ControlPlaneError(f"{kind} {name}: {answer}")
