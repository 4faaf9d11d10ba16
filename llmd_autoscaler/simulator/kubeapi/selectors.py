"""Label and field selectors: which objects of a collection a request means."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.kubeapi.status import bad_request
from llmd_autoscaler.translate.json_object import text, texts

_KEY = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_VALUE = r"[A-Za-z0-9._-]*"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(\s*({_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)$")
_EQUAL = re.compile(rf"^({_KEY})\s*(==|=|!=)\s*({_VALUE})$")
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")
_FIELDS = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "spec.nodeName": ("spec", "nodeName"),
    "status.phase": ("status", "phase"),
}

Requirement = Callable[[dict[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none = everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[tuple[tuple[str, ...], str], ...] = ()

    def matches(self, candidate: Json) -> bool:
        """Whether the object is meant."""
        if self.labels:
            labels = texts(candidate, "metadata", "labels")
            if not all(holds(labels) for holds in self.labels):
                return False
        return all(text(candidate, *path) == value for path, value in self.fields)


def parse_selector(label_selector: str, field_selector: str = "") -> Selector:
    """The selector of `labelSelector=a=b,c!=d,e in (x,y),!f` and `fieldSelector=metadata.name=n`.

    Raises: ApiError: 400, a part is not understood.
    """
    # commas inside (...) separate values, all others separate requirements
    parts = re.split(r",(?![^(]*\))", label_selector) if label_selector.strip() else []
    fields = [part for part in field_selector.split(",") if part]
    return Selector(
        labels=tuple(_label(part.strip()) for part in parts),
        fields=tuple(_field(part) for part in fields),
    )


def _label(part: str) -> Requirement:
    if found := _SET.match(part):
        key, operator, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        negated, key = found.groups()
        return lambda labels: (key in labels) != bool(negated)
    raise bad_request(f'unable to parse requirement: "{part}"')


def _field(part: str) -> tuple[tuple[str, ...], str]:
    name, _, value = part.replace("==", "=").partition("=")
    if name not in _FIELDS:
        raise bad_request(f'field label not supported: "{name}"; use {", ".join(_FIELDS)}')
    return _FIELDS[name], value
