"""Readers of what a status writes as text: numbers and moments; what is absent or odd is None."""

import math

from llmd_autoscaler.translate.condition import unix_s
from llmd_autoscaler.translate.json_object import Json, child


def number(value: Json, *path: str) -> float | None:
    """The number at a path, quoted or not."""
    found = child(value, *path[:-1]).get(path[-1])
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    try:
        read = float(found)
    except ValueError:
        return None
    return read if math.isfinite(read) else None


def count(value: Json, *path: str) -> int | None:
    """The whole number at a path."""
    found = child(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def moment_s(value: Json, *path: str) -> float | None:
    """The time at a path, in Unix seconds."""
    found = child(value, *path[:-1]).get(path[-1])
    return unix_s(found) if isinstance(found, str) else None


def known(value: float) -> float | None:
    """A number as JSON can say it: NaN and infinity are "not known"."""
    return value if math.isfinite(value) else None
