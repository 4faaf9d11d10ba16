"""What a scaled profile promises clients, beside what clients saw: our own points, and points that others measured."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure
from benchmarks.scaling_pairs import TABLES_AGAINST_SILICON
from benchmarks.silicon import H200_8B, PROFILED_70B, Silicon
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.hardware import Precision, accelerator, model_shape
from llmd_autoscaler.profiling.point import Load, Shape
from llmd_autoscaler.profiling.prediction import predict
from llmd_autoscaler.profiling.roofline import Setup
from llmd_autoscaler.profiling.scaled_profile import read_source
from llmd_autoscaler.profiling.scaling import margin_of, scaled
from llmd_autoscaler.profiling.scores import judge

_8B, _70B = (f"meta-llama/Llama-3.1-{size}-Instruct" for size in ("8B", "70B"))
_OTHERS_MODEL = "meta-llama/Llama-3.1-70B"
_CARDS = {"h100_sxm": "H100-80GB", "h200_sxm": "H200-141GB", "b200_sxm": "B200-180GB"}
_FIGURES = {"itl_mean": "ITL mean", "ttft_p50": "TTFT p50", "out_tps": "output tokens/s"}


@dataclass(frozen=True, slots=True)
class Promise:
    """A scaled engine, and the range around its figures that `predict` prints."""

    source: str
    engine: EngineProfile
    p95_frac: float


def promise(profile: str, target: Setup) -> Promise:
    """What a profile of the catalogue says of a setup; of its own, what was measured."""
    source = read_source(profile)
    if target == source.setup:
        return Promise(profile, source.engine, 0.0)
    found = scaled(source.engine.step, source.engine.kv_tokens, source.setup, target)
    engine = replace(source.engine, step=found.step, kv_tokens=found.kv_tokens)
    return Promise(profile, engine, margin_of(source.setup, target).p95_frac)


def own_figures() -> list[Figure]:
    """Scaled profiles on our points of an H200, closed loops and unloaded."""
    h200 = accelerator("H200-141GB")
    on_8b = Setup(model_shape(_8B), h200, 1, Precision.BF16)
    on_70b = Setup(model_shape(_70B), h200, 1, Precision.FP8)
    return [
        *_judged(promise("llama-3.1-8b-h100", on_8b), H200_8B, "8B H200"),
        *_judged(promise("llama-3.1-8b-h100", on_70b), PROFILED_70B, "70B fp8 H200"),
        *_judged(promise("llama-3.1-8b-h200", on_70b), PROFILED_70B, "70B fp8 H200"),
    ]


def others_figures(profile: str) -> list[Figure]:
    """Llama-3.1-70B in fp8 on H100, H200 and B200, 1 to 8 of them, as others measured it: 59 points."""
    rows = _others()
    figures: list[Figure] = []
    for system, card in _CARDS.items():
        found = [_beside(profile, card, row) for row in rows if row["system"] == system]
        for i, what in enumerate(("TPOT", "TTFT")):
            ratios = np.array([each[i] for each in found])
            name = f"{profile} to 70B fp8 {card}, measured by others: {what}"
            figures += _spread(name, ratios, p95_frac=found[0][2])
    return figures


def floor_figures() -> list[Figure]:
    """A profile measured on one H200, on what others measured on one H200: their clients and engine, not the scaling."""
    profile, card = "llama-3.1-70b-fp8-h200", "H200-141GB"
    rows = [row for row in _others() if (row["system"], row["tp"]) == ("h200_sxm", "1")]
    found = np.array([_beside(profile, card, row) for row in rows])
    return [
        Figure(
            name=f"{profile} as measured, on what others measured: {what} over theirs, median of {len(rows)}",
            value=float(np.median(found[:, i])),
            unit="times",
        )
        for i, what in enumerate(("TPOT", "TTFT"))
    ]


def _others() -> list[dict[str, str]]:
    with gzip.open(TABLES_AGAINST_SILICON, "rt", encoding="utf-8", newline="") as lines:
        return [
            row
            for row in csv.DictReader(lines)
            if (row["model"], row["quant"]) == (_OTHERS_MODEL, "fp8")
        ]


def _beside(profile: str, card: str, row: dict[str, str]) -> tuple[float, float, float]:
    """Predicted over measured TPOT and TTFT of one point, and the range."""
    target = Setup(model_shape(_70B), accelerator(card), int(row["tp"]), Precision.FP8)
    said = promise(profile, target)
    load = Load((Shape(int(row["isl"]), int(row["osl"])),), int(row["batch"]))
    found = predict(said.engine, load)
    tpot_s, ttft_s = float(row["silicon_tpot"]) / 1e3, float(row["silicon_ttft"]) / 1e3
    return (found.itl_mean_s or 0.0) / tpot_s, found.ttft_p50_s / ttft_s, said.p95_frac


def _judged(said: Promise, measured: Silicon, name: str) -> list[Figure]:
    points = [p for p in measured.points() if not p.trouble]
    judged = judge(said.engine, points)
    figures: list[Figure] = []
    for figure, words in _FIGURES.items():
        ratios = np.array([1.0 + j.errors[figure] for j in judged if figure in j.errors])
        figures += _spread(f"{said.source} to {name}: {words}", ratios, p95_frac=said.p95_frac)
    return figures


def _spread(name: str, ratios: NDArray[np.float64], *, p95_frac: float) -> Sequence[Figure]:
    errors = np.abs(ratios - 1.0)
    wide = np.maximum(ratios, 1.0 / ratios) - 1.0
    values = (
        (f"{name}, median of {len(ratios)}", float(np.median(errors))),
        (f"{name}, p95", float(np.quantile(errors, 0.95))),
        (f"{name}, within the range that predict prints", float(np.mean(wide <= p95_frac))),
    )
    return [Figure(name=label, value=value, unit="frac") for label, value in values]
