"""Label selectors of the Kubernetes API: `a=b,c!=d,e in (f,g),h notin (i),j,!k`."""

import re
from collections.abc import Callable, Mapping

Predicate = Callable[[Mapping[str, str]], bool]

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_NAME}"
_EQUALITY = re.compile(rf"(?P<key>{_KEY})\s*(?P<op>=|==|!=)\s*(?P<value>({_NAME})?)")
_SET = re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\(\s*(?P<values>[^()]*)\)")
_EXISTS = re.compile(rf"(?P<op>!?)\s*(?P<key>{_KEY})")
# commas inside of parentheses separate values, not requirements
_COMMA = re.compile(r",(?![^(]*\))")


def parse_selector(text: str) -> Predicate:
    """What a selector says of a set of labels; an empty one matches everything.

    Raises: ValueError: it is no selector.
    """
    parts = [part.strip() for part in _COMMA.split(text)] if text.strip() else []
    requirements = [_requirement(part, text) for part in parts]
    return lambda labels: all(requirement(labels) for requirement in requirements)


def _requirement(part: str, whole: str) -> Predicate:
    if found := _EQUALITY.fullmatch(part):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _SET.fullmatch(part):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "notin":
            return lambda labels: labels.get(key) not in values
        return lambda labels: labels.get(key) in values
    if found := _EXISTS.fullmatch(part):
        key, is_absent = found["key"], found["op"] == "!"
        return lambda labels: (key in labels) != is_absent
    raise ValueError(f"labelSelector {whole[:200]!r} cannot be read at {part[:60]!r}")
