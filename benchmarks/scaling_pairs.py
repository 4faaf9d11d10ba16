"""Setups whose steps are known, and pairs of them: what is scaled from one is judged by the other."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.silicon import H100_8B, H200_8B, PROFILED_8B, PROFILED_70B, Silicon
from benchmarks.step_fit import coefficients_of
from benchmarks.step_points import DATA, TableRow, table_point
from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.profiling.fit import fit
from llmd_autoscaler.profiling.hardware import Precision, accelerator, model_shape
from llmd_autoscaler.profiling.roofline import Setup
from llmd_autoscaler.profiling.scaling import scaled_kv_tokens, scaled_step
from llmd_autoscaler.profiling.step_terms import coefficients, step_rows

Array = NDArray[np.float64]

SEED = 0
TABLES = DATA / "llama-qwen-tables.csv.gz"
TABLES_AGAINST_SILICON = DATA / "tables-against-silicon.csv.gz"
_8B, _70B = "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"
CALIBRATED_ON = "qwen3-32b"
_MODELS = {"llama-3.1-8b": _8B, "llama-3.1-70b": _70B, CALIBRATED_ON: "Qwen/Qwen3-32B"}
_ACCELERATORS = {
    "a100_sxm": "A100-80GB",
    "h100_sxm": "H100-80GB",
    "h200_sxm": "H200-141GB",
    "b200_sxm": "B200-180GB",
    "l40s": "L40S-48GB",
}
# On this model the tables were compared with silicon on three systems.
_COMPARED = "meta-llama/Llama-3.1-70B"
# from thousand tokens and million tokens squared to tokens, as `StepModel` has them
_SCALE = np.array([1.0, 1.0, 1.0, 1e3, 1e6])


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A setup whose steps are known: (row, 5) terms and (row,) seconds, whether a row prefills, and their fit."""

    name: str
    setup: Setup
    step: StepModel
    terms: Array
    step_s: Array
    kv_tokens: int | None = None  # None: computed from operators, no server had it
    system: str = ""  # of the tables; "" for silicon

    @property
    def is_silicon(self) -> bool:
        """Whether it was measured as a whole."""
        return not self.system


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What was scaled, and the truth of it."""

    source: Known
    target: Known

    @property
    def name(self) -> str:
        """How people write it."""
        return f"{self.source.name} to {self.target.name}"

    @property
    def is_kin(self) -> bool:
        """Whether both run the same kernels."""
        of_source = self.source.setup.accelerator.architecture
        return of_source == self.target.setup.accelerator.architecture

    def predicted(self) -> StepModel:
        """The target's step model, from the source's."""
        return scaled_step(self.source.step, self.source.setup, self.target.setup)

    def ratios(self) -> Array:
        """(5,) predicted over true coefficients."""
        truth = np.array(coefficients(self.target.step))
        return np.asarray(np.array(coefficients(self.predicted())) / truth)

    def factors(self) -> Array:
        """(5,) how far a coefficient was off either way, with what the tables cannot know of silicon."""
        decode, prefill = self.bias()
        off = np.exp(np.abs(np.log(self.ratios())))
        return np.asarray(off * np.array([decode, decode, prefill, decode, prefill]))

    def step_ratios(self, *, with_bias: bool) -> Array:
        """(row,) the larger of a predicted and a true step over the smaller."""
        predicted = self.target.terms @ np.array(coefficients(self.predicted()))
        off = np.exp(np.abs(np.log(predicted / self.target.step_s)))
        if not with_bias:
            return np.asarray(off)
        decode, prefill = self.bias()
        return np.asarray(off * np.where(self.target.terms[:, 2] > 0, prefill, decode))

    def kv_error(self) -> float | None:
        """Relative error of the KV cache; None where no server had one."""
        source, target = self.source, self.target
        if source.kv_tokens is None or target.kv_tokens is None:
            return None
        found = scaled_kv_tokens(source.kv_tokens, source.setup, target.setup)
        return abs(found / target.kv_tokens - 1.0)

    def bias(self) -> tuple[float, float]:
        """(decode, prefill) by how much the tables may be off differently on the two systems.

        What they are off by everywhere cancels in a ratio. On systems that were never compared, the largest
        difference of those that were.
        """
        if self.target.is_silicon or self.source.system == self.target.system:
            return 1.0, 1.0
        found = biases()
        at = [found[k.system] for k in (self.source, self.target) if k.system in found]
        both = at if len(at) > 1 else list(found.values())
        decode, prefill = ([each[i] for each in both] for i in (0, 1))
        return max(decode) / min(decode), max(prefill) / min(prefill)


@cache
def silicon() -> Mapping[str, Known]:
    """What was measured: vLLM 0.26.0, dummy weights."""
    return {
        each.name: each
        for each in (
            _of_silicon("8B H100", H100_8B, "H100-80GB", _8B, Precision.BF16),
            _of_silicon("8B H100 profiler", PROFILED_8B, "H100-80GB", _8B, Precision.BF16),
            _of_silicon("8B H200", H200_8B, "H200-141GB", _8B, Precision.BF16),
            _of_silicon("70B fp8 H200", PROFILED_70B, "H200-141GB", _70B, Precision.FP8),
        )
    }


@cache
def tables() -> Sequence[Known]:
    """What the operator tables compute, in bf16."""
    with gzip.open(TABLES, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    keys = sorted({(row["model"], row["system"], int(row["tp"])) for row in rows})
    return [
        _of_tables(key, [r for r in rows if (r["model"], r["system"], int(r["tp"])) == key])
        for key in keys
    ]


def pairs() -> list[Pair]:
    """Every pair that is judged: of silicon those that lead to another setup, of the tables those from one H100."""
    of = silicon()
    names = (
        ("8B H100", "8B H200"),
        ("8B H100 profiler", "8B H200"),
        ("8B H100", "70B fp8 H200"),
        ("8B H100 profiler", "70B fp8 H200"),
        ("8B H200", "70B fp8 H200"),
    )
    judged = [k for k in tables() if k.setup.model.name in {_8B, _70B}]
    (source,) = (k for k in judged if k.name == "tables 8B H100")
    return [
        *(Pair(of[a], of[b]) for a, b in names),
        *(Pair(source, each) for each in judged if each is not source),
    ]


def same_setup() -> Pair:
    """One setup measured twice, on two machines: below this nothing can be told."""
    return Pair(silicon()["8B H100"], silicon()["8B H100 profiler"])


@cache
def biases() -> Mapping[str, tuple[float, float]]:
    """(decode, prefill) tables over silicon, in the median, of each system that was compared on one model."""
    with gzip.open(TABLES_AGAINST_SILICON, "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] == _COMPARED]
    of_system: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        of_system.setdefault(row["system"], []).append(row)
    return {
        system: (
            median(float(row["tpot_ratio"]) for row in own),
            median(float(row["ttft_ratio"]) for row in own),
        )
        for system, own in of_system.items()
    }


def _of_silicon(name: str, measured: Silicon, card: str, model: str, precision: Precision) -> Known:
    points = measured.points()
    fitted = fit(points, measured.engine, seed=SEED)
    rows = step_rows([p for p in points if not p.left_out and not p.trouble], measured.engine)
    return Known(
        name=name,
        setup=Setup(model_shape(model), accelerator(card), 1, precision),
        step=fitted.profile.step,
        terms=rows.terms,
        step_s=rows.step_s,
        kv_tokens=measured.kv_tokens,
    )


def _of_tables(key: tuple[str, str, int], rows: Sequence[Mapping[str, str]]) -> Known:
    model, system, n = key
    points = [
        table_point(
            TableRow(
                system=system,
                kind=row["kind"],
                isl=row["isl"],
                batch=row["batch"],
                context_ms=row["context_ms"],
                decode_step_ms=row["decode_step_ms"],
                memory_gib="",
            )
        )
        for row in rows
    ]
    a, b, c, k, e = (
        x / 1e3 / scale for x, scale in zip(coefficients_of(points), _SCALE, strict=True)
    )
    card = _ACCELERATORS[system]
    several = f" x {n}" if n > 1 else ""
    return Known(
        name=f"tables {model.rpartition('-')[2].upper()} {card.partition('-')[0]}{several}",
        setup=Setup(model_shape(_MODELS[model]), accelerator(card), n, Precision.BF16),
        step=StepModel(a, b, c, k, e),
        terms=np.array([p.terms for p in points]) * _SCALE,
        step_s=np.array([p.step_ms for p in points]) / 1e3,
        system=system,
    )
