"""Merge patch (RFC 7386) and server-side apply, as pure functions of JSON values.

In place of managedFields the server remembers what each manager applied last. A manager owns a
field as long as the live value is still the one that it applied: who writes another value takes the
field over, exactly as `force=true` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from llmd_autoscaler.simulator.kubeapi.objects import Json

# Lists that merge item by item, by the field that names an item (`x-kubernetes-list-map-keys` of our
# kinds, `patchMergeKey` of the built-in ones). Every other list is replaced whole.
LIST_KEYS: Final[Mapping[str, str]] = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ownerReferences": "uid",
}


def merge_patched(live: Json, patch: Json) -> Json:
    """The object after a merge patch: null deletes, objects merge, all else replaces."""
    result = dict(live)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            result[key] = merge_patched(before if isinstance(before, dict) else {}, value)
        else:
            result[key] = value
    return result


def applied(live: Json, wanted: Json, last: Json, others: Sequence[Json]) -> Json:
    """The object after a forced apply.

    Args:
        live: the object now.
        wanted: all that the manager wants to own.
        last: what the same manager applied last; what it no longer wants goes, unless another owns it.
        others: what the other managers applied last.
    """
    return _merged(_pruned(live, last, wanted, others), wanted)


def conflicts(live: Json, wanted: Json, other: Json, path: str = "") -> Iterator[str]:
    """The fields that an unforced apply would take from another manager."""
    for key in wanted.keys() & live.keys() & other.keys():
        here = f"{path}.{key}"
        now, asked, owned = _as_maps(key, live[key], wanted[key], other[key]) or (
            live[key],
            wanted[key],
            other[key],
        )
        if isinstance(now, dict) and isinstance(asked, dict) and isinstance(owned, dict):
            yield from conflicts(now, asked, owned, here)
        elif now != asked and now == owned:
            yield here


def _merged(live: Json, wanted: Json) -> Json:
    result = dict(live)
    for key, value in wanted.items():
        before = result.get(key)
        if isinstance(value, dict):
            result[key] = _merged(before if isinstance(before, dict) else {}, value)
        elif maps := _as_maps(key, before if before is not None else [], value):
            result[key] = list(_merged(maps[0], maps[1]).values())
        else:
            result[key] = value
    return result


def _pruned(live: Json, last: Json, wanted: Json, others: Sequence[Json]) -> Json:
    """Live without the fields that the manager owned and wants no longer."""
    result = dict(live)
    for key in last.keys() & live.keys():
        owned = [other[key] for other in others if key in other]
        left = _left_of(key, live[key], last[key], wanted.get(key), owned)
        if left is None and key not in wanted:
            del result[key]
        elif left is not None:
            result[key] = left
    return result


def _left_of(
    key: str, live: object, last: object, wanted: object, owned: Sequence[object]
) -> object:
    """What stays of one field; None where nothing does."""
    if isinstance(live, dict) and isinstance(last, dict):
        inner = [other for other in owned if isinstance(other, dict)]
        left = _pruned(live, last, wanted if isinstance(wanted, dict) else {}, inner)
        return left if left or owned else None
    if maps := _as_maps(key, live, last):
        wants = _as_map(key, wanted) or {}
        inner = [item for other in owned if (item := _as_map(key, other)) is not None]
        kept = _pruned(maps[0], maps[1], wants, inner)
        name = LIST_KEYS[key]
        # an item of which something stays keeps its name too
        return [{name: item, **_object(value)} for item, value in kept.items()] or None
    is_mine = live == last and live not in owned
    return None if is_mine else live


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _as_map(key: str, value: object) -> Json | None:
    """A merging list as an object by item name; None where it is no such list."""
    name = LIST_KEYS.get(key)
    if name is None or not isinstance(value, list):
        return None
    if not all(isinstance(item, dict) and isinstance(item.get(name), str) for item in value):
        return None
    return {item[name]: item for item in value}


def _as_maps(key: str, *values: object) -> list[Json]:
    """All values as objects by item name; empty where one of them is no merging list."""
    maps = [_as_map(key, value) for value in values]
    found = [item for item in maps if item is not None]
    return found if len(found) == len(values) else []
