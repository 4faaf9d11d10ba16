"""Narrow readers of JSON objects; an absent or mistyped field reads as empty, as in Go."""

from collections.abc import Iterator, Mapping

Json = Mapping[str, object]


def child(value: Json, *path: str) -> Json:
    """The object at a path; empty where there is none."""
    for key in path:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return {}
        value = inner
    return value


def text(value: Json, *path: str) -> str:
    """The string at a path; empty where there is none."""
    found = child(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def items(value: Json, *path: str) -> Iterator[Json]:
    """The objects of the list at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))


def strings(value: Json, *path: str) -> tuple[str, ...]:
    """The strings of the list at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()
