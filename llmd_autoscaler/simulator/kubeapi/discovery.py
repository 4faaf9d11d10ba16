"""Which groups and kinds the small API server serves, as clients ask before they speak."""

from llmd_autoscaler.simulator.kubeapi.kinds import KINDS, Kind
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.kubeapi.status import no_such_path

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def discovered(path: str, *, aggregated: tuple[str, ...]) -> Json | None:
    """The discovery document of a path; None where the path is no discovery path.

    Args:
        path: the path of the request, such as `/apis/apps/v1`.
        aggregated: `group/version` that another server serves through this one, preferred first.

    Raises: ApiError: the group or version does not exist.
    """
    match path.strip("/").split("/"):
        case ["version"]:
            return {"major": "1", "minor": "37", "gitVersion": "v1.37.2", "platform": "simulated"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            groups = _groups(aggregated)
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [*groups.values()]}
        case ["apis", name] if group := _groups(aggregated).get(name):
            return {"kind": "APIGroup", "apiVersion": "v1", **group}
        case ["api", _] | ["apis", _, _]:
            return _resources(path.strip("/").removeprefix("apis/").removeprefix("api/"))
        case _:
            return None


def _groups(aggregated: tuple[str, ...]) -> dict[str, Json]:
    served = [kind.api_version for kind in KINDS if kind.group]
    versions: dict[str, list[str]] = {}
    for api_version in dict.fromkeys([*served, *aggregated]):
        group, _, version = api_version.partition("/")
        versions.setdefault(group, []).append(version)
    return {group: _group(group, listed) for group, listed in versions.items()}


def _group(name: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(api_version: str) -> Json:
    kinds = [kind for kind in KINDS if kind.api_version == api_version]
    if not kinds:
        raise no_such_path()
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": [entry for kind in kinds for entry in _entries(kind)],
    }


def _entries(kind: Kind) -> list[Json]:
    common: Json = {"singularName": kind.name.lower(), "namespaced": kind.is_namespaced}
    entries = [{**common, "name": kind.plural, "kind": kind.name, "verbs": _VERBS}]
    part: Json = {**common, "singularName": "", "verbs": ["get", "patch", "update"]}
    if kind.has_status:
        entries.append({**part, "name": f"{kind.plural}/status", "kind": kind.name})
    if kind.has_scale:
        scale = {"kind": "Scale", "group": "autoscaling", "version": "v1"}
        entries.append({**part, "name": f"{kind.plural}/scale", **scale})
    return entries
