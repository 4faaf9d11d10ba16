"""What a request path names: a collection, an object or a part of one."""

from dataclasses import dataclass

from llmd_autoscaler.simulator.kubeapi.kinds import KINDS, Kind
from llmd_autoscaler.simulator.kubeapi.status import no_such_path

_BY_PLACE = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Target:
    """One collection (no name), object (a name) or subresource of an object."""

    kind: Kind
    namespace: str = ""  # "" = all namespaces, or a cluster-scoped kind
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Where the store keeps the object."""
        return self.namespace, self.name


def parsed(path: str) -> Target:
    """The target of a decoded path such as `/apis/apps/v1/namespaces/llm/deployments/a/scale`.

    Raises: ApiError: nothing is served there.
    """
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            return _within("", version, rest)
        case ["apis", group, version, *rest]:
            return _within(group, version, rest)
        case _:
            raise no_such_path()


def _within(group: str, version: str, rest: list[str]) -> Target:
    namespace = ""
    match rest:
        case ["namespaces", named, _, *_] if named:
            namespace, rest = named, rest[2:]
        case _:
            pass
    kind = _BY_PLACE.get((group, version, rest[0] if rest else ""))
    if kind is None or "" in rest[1:]:
        raise no_such_path()
    match rest[1:]:
        case []:
            target = Target(kind, namespace)
        case [name]:
            target = Target(kind, namespace, name)
        case [name, "status"] if kind.has_status:
            target = Target(kind, namespace, name, "status")
        case [name, "scale"] if kind.has_scale:
            target = Target(kind, namespace, name, "scale")
        case _:
            raise no_such_path()
    if kind.is_namespaced != bool(namespace) and (namespace or target.name):
        raise no_such_path()
    return target
