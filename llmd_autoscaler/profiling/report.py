"""A fit as one HTML file with its charts, which needs neither a server nor the internet."""

from collections.abc import Sequence
from pathlib import Path

from llmd_autoscaler.charts import file
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.fit import Fit
from llmd_autoscaler.profiling.frontier import Slo, highest_rate_qps
from llmd_autoscaler.profiling.point import Load, Point, Shape
from llmd_autoscaler.profiling.prediction import predict
from llmd_autoscaler.profiling.resource import rows_of_fit
from llmd_autoscaler.profiling.scores import FIGURES, Judged, spreads

# What chat, retrieval and batch are mostly held to.
SLOS = (Slo(0.5, 0.025), Slo(1.0, 0.050), Slo(2.0, 0.100))
_ISLS, _OSL = (128, 512, 1024, 2048, 4096, 8192, 16384), 128
_CURVE_ISLS = (128, 1024, 4096)
_USES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
# of a figure in the page: field of the errors, of the point's clients, of the prediction, milliseconds?
_FIGURES = (
    ("itl_mean", "itl_mean_s", "itl_mean_s", 1e3),
    ("ttft_p50", "ttft_p50_s", "ttft_p50_s", 1e3),
    ("ttft_p95", "ttft_p95_s", "ttft_p95_s", 1e3),
    ("itl_p95", "itl_p95_s", "itl_p95_s", 1e3),
    ("out_tps", "out_tps", "out_tps", 1.0),
)


def write_report(
    path: Path, name: str, fitted: Fit, judged: Sequence[Judged], left_out: Sequence[Point] = ()
) -> None:
    """Write the file.

    Raises: ConfigError: it cannot be written.
    """
    data: dict[str, object] = {
        "name": name,
        "about": _about(fitted, judged),
        "coefficients": [list(row) for row in rows_of_fit(fitted)],
        "figures": [_figure(each, judged) for each in _FIGURES],
        "spreads": {FIGURES[name]: spread.to_json() for name, spread in spreads(judged).items()},
        "curves": _curves(fitted.profile),
        "frontier": _frontier(fitted.profile),
        "left_out": [
            {"load": p.load.name, "why": "; ".join(p.trouble) or p.left_out} for p in left_out
        ],
    }
    file.write(path, "llmd_autoscaler.profiling", "profile.html", data)


def _about(fitted: Fit, judged: Sequence[Judged]) -> str:
    found = spreads(judged)
    itl = found.get("itl_mean")
    off = f"; ITL mean over all points {100 * itl.median_frac:.1f} % in the median" if itl else ""
    return (
        f"{fitted.n_points} points. Step error on prompt lengths that the fit had not seen: "
        f"{100 * fitted.median_frac:.1f} % in the median, {100 * fitted.p95_frac:.1f} % at p95{off}."
    )


def _figure(each: tuple[str, str, str, float], judged: Sequence[Judged]) -> dict[str, object]:
    name, measured, predicted, scale = each
    rows = [
        {
            "load": j.point.load.name,
            "regime": j.regime.value,
            "measured": scale * getattr(j.point.clients, measured),
            "predicted": scale * getattr(j.prediction, predicted),
            "error": 100.0 * j.errors[name],
            "clients": j.point.load.concurrency,
        }
        for j in judged
        if name in j.errors
    ]
    return {"words": FIGURES[name], "unit": "ms" if scale > 1.0 else "/s", "rows": rows}


def _curves(profile: EngineProfile) -> list[dict[str, object]]:
    """TTFT and ITL over the rate, up to what the engine can last."""
    found: list[dict[str, object]] = []
    for isl in _CURVE_ISLS:
        shape = Shape(isl, _OSL)
        n = min(profile.max_num_seqs, profile.kv_tokens // (isl + _OSL), 256)
        if n < 1:
            continue
        most_qps = predict(profile, Load((shape,), n)).rps
        at = [
            (use * most_qps, predict(profile, Load((shape,), rate_qps=use * most_qps)))
            for use in _USES
        ]
        found.append(
            {
                "name": f"{isl} × {_OSL}",  # noqa: RUF001 (it is meant)
                "rate": [rate for rate, _ in at],
                "ttft": [1e3 * p.ttft_p95_s for _, p in at],
                "itl": [1e3 * (p.itl_mean_s or 0.0) for _, p in at],
            }
        )
    return found


def _frontier(profile: EngineProfile) -> list[dict[str, object]]:
    """The highest rate of each prompt length under each SLO."""
    return [
        {
            "name": slo.name,
            "isl": list(_ISLS),
            "rate": [highest_rate_qps(profile, Shape(isl, _OSL), slo) for isl in _ISLS],
        }
        for slo in SLOS
    ]
