"""All models in one sentence that a manager understands in five seconds, and their totals. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from llmd_autoscaler.page.health import percent, worst_first
from llmd_autoscaler.page.shape import ModelJson, RowJson, SourceJson, State, TotalsJson


def totals_json(rows: Mapping[str, RowJson]) -> TotalsJson:
    """The sums; the worst attainment is that of the class with the least room."""
    lines = rows.values()
    judged = {
        key: (row["attained_frac"] - row["percentile_frac"], row)
        for key, row in rows.items()
        if row["attained_frac"] is not None and row["percentile_frac"] is not None
    }
    worst = min(judged, key=lambda key: judged[key][0], default="")
    row = judged[worst][1] if worst else None
    rates = [each["qps"] for each in lines if each["qps"] is not None]
    return {
        "n_models": len(rows),
        "n_bad": sum(each["state"] == "bad" for each in lines),
        "n_warn": sum(each["state"] == "warn" for each in lines),
        "qps": sum(rates) if rates else None,
        "n_ready": sum(each["n_ready"] or 0 for each in lines),
        "n_desired": sum(each["n_desired"] or 0 for each in lines),
        "n_starting": sum(each["n_starting"] or 0 for each in lines),
        "n_draining": sum(each["n_draining"] or 0 for each in lines),
        "n_gpus": sum(each["n_gpus"] or 0 for each in lines),
        "usd_per_hour": sum(each["usd_per_hour"] or 0.0 for each in lines),
        "usd_per_million_tokens": _usd_per_million_tokens(lines),
        "worst_attained_frac": row["attained_frac"] if row else None,
        "worst_percentile_frac": row["percentile_frac"] if row else None,
        "worst_attained_of": _named(worst, row, len(rows)) if row else "",
    }


def _named(key: str, row: RowJson, n: int) -> str:
    """A class, with its model where there are several."""
    return row["attained_class"] if n == 1 else f"{short(key)} {row['attained_class']}"


def headline(
    models: Mapping[str, ModelJson], rows: Mapping[str, RowJson], sources: Sequence[SourceJson]
) -> tuple[State, str]:
    """(state, sentence) of the whole."""
    away = next((each for each in sources if not each["is_connected"]), None)
    if away is not None and (away["name"] == "API server" or not rows):
        return "unknown", f"The {away['name']} does not answer: what stands here is the last known."
    if not rows:
        return "unknown", "No model is declared yet: apply a ServiceLevel and a VariantAutoscaling."
    bad = [key for key, row in rows.items() if row["state"] == "bad"]
    warned = [key for key, row in rows.items() if row["state"] == "warn"]
    if bad:
        return "bad", _some(bad, rows, len(rows))
    if warned:
        return "warn", _some(warned, rows, len(rows))
    if all(row["state"] == "unknown" for row in rows.values()):
        return "unknown", "Waiting for the first decision."
    return worst_first([row["state"] for row in rows.values()]), _kept(models, rows)


def short(key: str) -> str:
    """A model's name without namespace and organisation."""
    return key.rpartition("/")[2]


def _some(keys: Sequence[str], rows: Mapping[str, RowJson], n: int) -> str:
    first = f"{short(keys[0])}: {_lower(rows[keys[0]]['note'])}"
    if n == 1:
        return f"{first}."
    need = "needs" if len(keys) == 1 else "need"
    return f"{len(keys)} of {n} models {need} attention. {first}."


def _lower(note: str) -> str:
    """A note inside a sentence; names of classes stand as they are."""
    return note[:1].lower() + note[1:] if note[:2].istitle() and note[1:2].islower() else note


def _kept(models: Mapping[str, ModelJson], rows: Mapping[str, RowJson]) -> str:
    n_starting = sum(row["n_starting"] or 0 for row in rows.values())
    n_draining = sum(row["n_draining"] or 0 for row in rows.values())
    attained = [row["attained_frac"] for row in rows.values() if row["attained_frac"] is not None]
    if not attained:
        text = "Every model runs; no request has been scored yet"
    elif len(rows) == 1:
        only = next(iter(models.values()))["model"].rpartition("/")[2]
        text = f"{only} keeps its SLO: {percent(min(attained))} attained in its tightest class"
    else:
        text = f"All {len(rows)} models keep their SLO"
    moves = [f"{n_starting} starting"] * bool(n_starting) + [f"{n_draining} draining"] * bool(
        n_draining
    )
    return f"{text}; {' and '.join(moves)}." if moves else f"{text}."


def _usd_per_million_tokens(lines: Iterable[RowJson]) -> float | None:
    """Of all models together: cost over tokens, where both are known."""
    usd = tokens = 0.0
    for each in lines:
        per_million, per_hour = each["usd_per_million_tokens"], each["usd_per_hour"]
        if per_million and per_hour:
            usd += per_hour
            tokens += per_hour / per_million
    return usd / tokens if tokens else None
