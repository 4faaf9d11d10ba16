"""What controller and routers say now, laid over what the statuses say: those are written only when it matters. Pure."""

import math
from collections.abc import Mapping

from llmd_autoscaler.page.controller_metrics import ControllerReading
from llmd_autoscaler.page.health import n_present
from llmd_autoscaler.page.shape import ClassJson, ModelJson, RowJson, TargetJson

Rates = Mapping[str, Mapping[str, float]]  # by class: the series of `rates`

# A status is renewed rarely: who started or drained that long ago has ended it since.
_COUNTED_FOR_S = 60.0
_KEPT_OF_RATES = (
    "attained", "ttft_p50", "ttft_p95", "ttft_p99", "tpot_p50", "tpot_p95", "tpot_p99",
)  # fmt: skip


def overlaid(
    model: ModelJson, rates: Rates, reading: ControllerReading | None, *, now_s: float
) -> ModelJson:
    """A model with the newest numbers that anybody has."""
    age_s = now_s - (model["decided_at_s"] or 0.0)
    return {
        **model,
        "classes": [
            _class(each, rates.get(each["name"], {}), reading) for each in model["classes"]
        ],
        "targets": [_target(each, reading, age_s) for each in model["targets"]],
    }


def series(model: ModelJson, rates: Rates, row: RowJson) -> dict[str, float]:
    """The values of a model at this moment by the names of the page's series; NaN is not known."""
    found = {
        "cost": _number(row["usd_per_hour"]),
        "per_million": _number(row["usd_per_million_tokens"]),
        "gpus": _number(row["n_gpus"]),
    }
    for each in model["classes"]:
        counted, name = rates.get(each["name"], {}), f"class/{each['name']}"
        found[f"{name}/qps"] = _number(each["qps"])
        found[f"{name}/expected"] = _number(each["expected_p90_qps"])
        found[f"{name}/isl"] = _number(each["isl_mean_tokens"])
        found[f"{name}/osl"] = _number(each["osl_mean_tokens"])
        found[f"{name}/predicted"] = _number(each["predicted_frac"])
        found[f"{name}/realised"] = _number(each["realised_frac"])
        for key in _KEPT_OF_RATES:
            if key in counted:
                found[f"{name}/{key}"] = counted[key]
    for target in model["targets"]:
        name = f"target/{target['name']}"
        found[f"{name}/desired"] = _number(target["n_desired"])
        found[f"{name}/ready"] = _number(target["n_ready"])
        found[f"{name}/starting"] = _number(target["n_starting"])
        found[f"{name}/draining"] = _number(target["n_draining"])
        found[f"{name}/load"] = _number(target["load"])
    return found


def used_per_hour(model: ModelJson) -> tuple[float, float]:
    """(GPU-hours, cost) that an hour like this moment takes."""
    targets = model["targets"]
    return (
        float(sum(n_present(t) * t["n_accelerators"] for t in targets)),
        sum(n_present(t) * (t["usd_per_hour"] or 0.0) for t in targets),
    )


def _class(
    each: ClassJson, counted: Mapping[str, float], reading: ControllerReading | None
) -> ClassJson:
    shares = reading.attainment if reading else {}
    return {
        **each,
        "qps": _newest(counted.get("qps"), each["qps"]),
        "isl_mean_tokens": _newest(counted.get("isl"), each["isl_mean_tokens"]),
        "osl_mean_tokens": _newest(counted.get("osl"), each["osl_mean_tokens"]),
        "predicted_frac": _newest(shares.get((each["name"], "predicted")), each["predicted_frac"]),
        "realised_frac": _newest(shares.get((each["name"], "realised")), each["realised_frac"]),
    }


def _target(each: TargetJson, reading: ControllerReading | None, age_s: float) -> TargetJson:
    gauges = reading.targets if reading else {}
    name = each["name"]
    n_ready = _count(gauges.get((name, "ready")), each["n_ready"])
    n_desired = _count(gauges.get((name, "desired")), each["n_desired"])
    n_starting, n_draining = each["n_starting"], each["n_draining"]
    if age_s > _COUNTED_FOR_S:
        n_starting = n_draining = 0
    if n_ready is not None and n_desired is not None:
        # what is decided and does not serve yet is on its way, whether its pod is seen or not
        n_starting = max(n_desired - n_ready, 0)
    return {
        **each,
        "n_ready": n_ready,
        "n_desired": n_desired,
        "n_starting": _count(gauges.get((name, "starting")), n_starting),
        "n_draining": _count(gauges.get((name, "draining")), n_draining),
        "load": _newest(gauges.get((name, "load")), each["load"]),
        "utilization_frac": _newest(gauges.get((name, "utilization")), each["utilization_frac"]),
    }


def _newest(live: float | None, stored: float | None) -> float | None:
    return live if live is not None and math.isfinite(live) else stored


def _count(live: float | None, stored: int | None) -> int | None:
    return int(live) if live is not None and math.isfinite(live) else stored


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
