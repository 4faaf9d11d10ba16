"""Narrow readers of JSON objects; an absent or mistyped field reads as empty, as in Go."""

from collections.abc import Iterator, Mapping
from typing import cast

Json = Mapping[str, object]


def child(value: Json, *path: str) -> dict[str, object]:
    """The object at a path; empty where there is none."""
    for key in path:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return {}
        value = inner
    return cast(
        "dict[str, object]", value
    )  # an object of JSON is a dict; callers only hold it as less


def text(value: Json, *path: str) -> str:
    """The string at a path; empty where there is none."""
    found = child(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def whole(value: Json, *path: str, default: int = 0) -> int:
    """The integer at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def items(value: Json, *path: str) -> Iterator[dict[str, object]]:
    """The objects of the list at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))


def strings(value: Json, *path: str) -> tuple[str, ...]:
    """The strings of the list at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def texts(value: Json, *path: str) -> dict[str, str]:
    """The string fields of the object at a path, such as labels."""
    return {key: item for key, item in child(value, *path).items() if isinstance(item, str)}
