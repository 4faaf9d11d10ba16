"""Narrow readers of JSON objects; an absent or mistyped field reads as empty, as in Go."""

from collections.abc import Iterator
from datetime import UTC, datetime

Json = dict[str, object]


def child(value: Json, *path: str) -> Json:
    """The object at a path; empty where there is none."""
    for key in path:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return {}
        value = inner
    return value


def text(value: Json, *path: str) -> str:
    """The string at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def whole(value: Json, *path: str, default: int = 0) -> int:
    """The integer at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def items(value: Json, *path: str) -> Iterator[Json]:
    """The objects of the list at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))


def texts(value: Json, *path: str) -> dict[str, str]:
    """The string fields of the object at a path, such as labels."""
    return {key: item for key, item in child(value, *path).items() if isinstance(item, str)}


def timestamp(at_s: float) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(written: str) -> float:
    """Unix seconds of an RFC 3339 time; 0 for an empty text."""
    return datetime.fromisoformat(written).timestamp() if written else 0.0
