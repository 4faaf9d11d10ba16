"""What `kubectl get sl,va` prints, from objects as the API server has them."""

from collections.abc import Callable, Iterable, Sequence

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.cluster import listed
from llmd_autoscaler.translate.condition import unix_s
from llmd_autoscaler.translate.json_object import Json, child, items, strings, text

Column = tuple[str, Callable[[Json], str]]

_NOTHING = "<none>"  # as kubectl writes what is not there
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


async def print_status(api: str, *, clock: Clock | None = None) -> str:
    """The ServiceLevels and VariantAutoscalings of an API server as two tables.

    Args:
        api: its address, empty for the cluster that the process runs in.
        clock: the process's clock, for the column AGE; absent: real time.

    Raises: ObservationError: it does not answer.
    """
    levels, variants = await listed(api)
    now_s = (clock or Clock()).now_s()
    return f"{level_table(levels, now_s=now_s)}\n{variant_table(variants, now_s=now_s)}"


def level_table(levels: Iterable[Json], *, now_s: float) -> str:
    """The ServiceLevels, one a line."""
    return _table(
        levels,
        (
            ("NAMESPACE", _at("metadata", "namespace")),
            ("NAME", lambda each: f"servicelevel/{text(each, 'metadata', 'name')}"),
            ("MODEL", _at("spec", "modelID")),
            ("CLASSES", lambda each: str(len(list(items(each, "spec", "classes"))))),
            ("QPS", _at("status", "summary", "qps")),
            ("SLO", _at("status", "summary", "attainment")),
            ("PREDICTED", _at("status", "summary", "predicted")),
            ("COST/H", _at("status", "costPerHour")),
            ("$/1M TOKENS", _at("status", "costPerMillionTokens")),
            ("FEASIBLE", _at("status", "summary", "feasible")),
            ("AGE", lambda each: _age(each, now_s)),
        ),
        none="no ServiceLevels",
    )


def variant_table(variants: Iterable[Json], *, now_s: float) -> str:
    """The VariantAutoscalings, one a line."""
    return _table(
        variants,
        (
            ("NAMESPACE", _at("metadata", "namespace")),
            ("NAME", lambda each: f"variantautoscaling/{text(each, 'metadata', 'name')}"),
            ("MODEL", _at("spec", "modelID")),
            ("ACCELERATOR", _at("spec", "accelerator")),
            ("GROUPS", lambda each: ",".join(strings(each, "spec", "groups"))),
            ("REPLICAS", _at("status", "replicas")),
            ("DESIRED", _at("status", "desiredReplicas")),
            ("LOAD", _at("status", "load")),
            ("COST/H", _at("status", "costPerHour")),
            ("READY", _at("status", "readyReplicas")),
            ("REASON", _reason),
            ("AGE", lambda each: _age(each, now_s)),
        ),
        none="no VariantAutoscalings",
    )


def _reason(variant: Json) -> str:
    """The reason of the number; of a variant without one, that of the first condition that fails."""
    written = text(variant, "status", "reason")
    if written:
        return written
    failing = (c for c in items(variant, "status", "conditions") if c.get("status") == "False")
    return next((text(condition, "reason") for condition in failing), "")


def _at(*path: str) -> Callable[[Json], str]:
    """A reader of the scalar at a path."""

    def read(each: Json) -> str:
        found = child(each, *path[:-1]).get(path[-1])
        return str(found) if isinstance(found, str | int | float) else ""

    return read


def _age(each: Json, now_s: float) -> str:
    """Time since the creation, as short as kubectl writes it."""
    created_s = unix_s(text(each, "metadata", "creationTimestamp"))
    if created_s is None:
        return ""
    age_s = max(0, int(now_s - created_s))
    if age_s < 2 * _MINUTE_S:
        return f"{age_s}s"
    if age_s < 2 * _HOUR_S:
        return f"{age_s // _MINUTE_S}m"
    if age_s < 2 * _DAY_S:
        return f"{age_s // _HOUR_S}h"
    return f"{age_s // _DAY_S}d"


def _table(objects: Iterable[Json], columns: Sequence[Column], *, none: str) -> str:
    """Aligned columns with their heads, in the order of namespace and name."""
    ordered = sorted(
        objects,
        key=lambda each: (text(each, "metadata", "namespace"), text(each, "metadata", "name")),
    )
    if not ordered:
        return f"{none}\n"
    rows = [[head for head, _ in columns]]
    rows += [[read(each) or _NOTHING for _, read in columns] for each in ordered]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )
