"""What the processes do at the API server: as their `cluster` modules say it, and as their code calls it."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from llmd_autoscaler.kube import resources as known
from llmd_autoscaler.kube.resources import Resource

# (API group, resource or resource/part, verb)
Right = tuple[str, str, str]

_DOOR = "from llmd_autoscaler.kube"
_OURS = ("servicelevels", "variantautoscalings", "capacityprofiles", "acceleratorstocks")
# what each function of kube.api and kube.mirror sends
_VERBS_OF = {
    "get": ("get",),
    "list": ("list",),
    "create": ("create",),
    "apply": ("patch",),
    "apply_status": ("patch",),
    "merge": ("patch",),
    "delete": ("delete",),
    "update": ("update",),
    "Mirror": ("list", "watch"),
    "Follower": ("list", "watch"),
}
_VERBS = {verb for verbs in _VERBS_OF.values() for verb in verbs}
_SAID = re.compile(r"(?:Verbs|Reads only): (.*?)\.(?:\n\n|\s*$)", re.DOTALL)
# kinds that are not in the core: a variant may name them, we do not
_OTHERS = {"leaderworkersets": "leaderworkerset.x-k8s.io"}
_SUCH_AS = re.compile(r"the scale of whatever a variant names, such as (.*)$")
# "status of" and "scale of" name a part of what follows
_PART = re.compile(r"^(?:the )?(status|scale) of (?:our kinds|(.*))$")


def modules(package: str) -> list[ModuleType]:
    """The modules of a package that pass the Kubernetes door; the others cannot do anything there."""
    folder = Path(str(importlib.import_module(package).__file__)).parent
    names = [path.stem for path in sorted(folder.glob("*.py")) if _DOOR in path.read_text()]
    assert names, f"no module of {package} speaks to the API server"
    return [importlib.import_module(f"{package}.{name}") for name in names]


def said(module: ModuleType) -> set[Right]:
    """The rights that a docstring lists: `Verbs: list and watch on pods; patch on the status of our kinds.`"""
    rights: set[Right] = set()
    for sentence in _SAID.findall(inspect.getdoc(module) or ""):
        for clause in re.sub(r"\([^)]*\)|\s+", " ", sentence).split(";"):
            verbs, _, objects = clause.strip().partition(" on ")
            spoken = [verb for verb in _words(verbs) if verb]
            unknown = set(spoken) - _VERBS
            assert not unknown, f"{module.__name__}: {unknown} are no verbs, in: {clause.strip()}"
            rights |= {
                (group, resource, verb)
                for each in _named(objects)
                for group, resource in _resources(each, module)
                for verb in spoken
            }
    return rights


def called(module: ModuleType) -> set[Right]:
    """The rights that calls with a resource of the module's own names need; others cannot be seen here."""
    return set(_calls(module))


def _calls(module: ModuleType) -> Iterator[Right]:
    names = vars(module)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        for word in node.args:
            resource = names.get(word.id) if isinstance(word, ast.Name) else None
            if isinstance(resource, Resource):
                part = "/status" if name == "apply_status" else ""
                for verb in _VERBS_OF.get(name, ()):
                    yield resource.group, resource.plural + part, verb


def _named(objects: str) -> list[str]:
    """The resources of a clause."""
    if found := _SUCH_AS.match(objects.strip()):
        return [f"{each}/scale" for each in _words(found[1])]
    return _words(objects)


def _words(text: str) -> list[str]:
    """A list of the English language."""
    parts = re.split(r",| and ", text.strip())
    return [re.sub(r"^on |\s+$", "", part.strip()).strip() for part in parts if part.strip()]


def _resources(words: str, module: ModuleType) -> list[tuple[str, str]]:
    text = re.sub(r" of (?:one|its own|our) namespace$", "", words)
    part = ""
    if found := _PART.match(text):
        part, text = f"/{found[1]}", found[2] or "our kinds"
    if text in {"our four kinds", "our kinds"}:
        return [("autoscaling.llmd.ai", each + part) for each in _OURS]
    plural, _, given = text.partition("/")
    part = part or (f"/{given}" if given else "")
    for resource in (*vars(known).values(), *vars(module).values()):
        if isinstance(resource, Resource) and resource.plural == plural:
            return [(resource.group, resource.plural + part)]
    if plural in _OTHERS:
        return [(_OTHERS[plural], plural + part)]
    raise AssertionError(f"{module.__name__}: its docstring says {words!r}, which is no resource")
