"""How far a scaled profile is from the setup that it was scaled to: `python -m benchmarks.scaling`.

Truths are profiles measured on silicon, and steps that operator tables compute for setups where nothing was
measured. The margins that `llmd-autoscaler scale` writes are the largest errors found here; with `--write` they go
to llmd_autoscaler/profiling/scaling_errors.yaml.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from benchmarks.report import Figure, print_report
from benchmarks.scaling_pairs import CALIBRATED_ON, Pair, pairs, same_setup, tables
from benchmarks.scaling_served import floor_figures, others_figures, own_figures
from benchmarks.step_fit import non_negative_least_squares
from llmd_autoscaler.profiling.fit import STEP_NAMES, significant
from llmd_autoscaler.profiling.hardware import model_shape
from llmd_autoscaler.profiling.roofline import ALL_REDUCE_OVERHEAD_S, LAYER_OVERHEAD_S

FILE = Path(__file__).parent.parent / "llmd_autoscaler" / "profiling" / "scaling_errors.yaml"
_COMMAND = "python -m benchmarks.scaling --write"
_US = 1e6


def of_kind(kind: str, judged: Sequence[Pair]) -> list[Pair]:
    """The pairs behind a kind of margin: those of one architecture, or all."""
    return [pair for pair in judged if kind == "all" or pair.is_kin]


def margin(judged: Sequence[Pair]) -> dict[str, object]:
    """The margin of some pairs, as the file has it; rounded up, so that it still covers them."""
    factors = np.max([pair.factors() for pair in judged], axis=0)
    plain = np.concatenate([pair.step_ratios(with_bias=False) for pair in judged])
    wide = np.concatenate([pair.step_ratios(with_bias=True) for pair in judged])
    kv = [error for pair in judged if (error := pair.kv_error()) is not None]
    return {
        "pairs": len(judged),
        "siliconPairs": sum(pair.target.is_silicon for pair in judged),
        "siliconTruths": len({pair.target.name for pair in judged if pair.target.is_silicon}),
        "medianFrac": _up(float(np.median(plain)) - 1.0),
        "p95Frac": _up(float(np.quantile(wide, 0.95)) - 1.0),
        "kvFrac": _up(max(kv)),
        "factors": {name: _up(float(f)) for name, f in zip(STEP_NAMES, factors, strict=True)},
    }


def margins_text() -> str:
    """What the file says."""
    judged = pairs()
    content = {kind: margin(of_kind(kind, judged)) for kind in ("kin", "all")}
    header = (
        f"# Made by `{_COMMAND}`: change the command, not this file.\n"
        "# kin: pairs of one architecture; all: every pair. Factors: the largest ratio of a predicted coefficient to the\n"
        "# true one, either way, over the pairs. medianFrac, p95Frac: of whole steps.\n"
    )
    return header + yaml.safe_dump(content, sort_keys=False)


def overheads_us() -> tuple[float, float, float]:
    """(times the time of the weights, us a layer, us a layer where there are several accelerators), fitted again."""
    model = model_shape("Qwen/Qwen3-32B")
    known = [
        k
        for k in tables()
        if k.setup.model == model and k.setup.accelerator.interconnect_bytes_per_s
    ]
    base_s = np.array([k.step.base_s for k in known])
    terms = np.array(
        [
            (k.setup.weights_s, model.n_layers, model.n_layers * (k.setup.n_accelerators > 1))
            for k in known
        ]
    )
    times, layer_s, several_s = non_negative_least_squares(
        terms / base_s[:, np.newaxis], np.ones(len(known))
    )
    return float(times), _US * float(layer_s), _US * float(several_s)


def n_outside(judged: Sequence[Pair], factors: Mapping[str, float]) -> int:
    """Coefficients of the pairs that an interval of these factors does not cover."""
    widest = np.array([factors[name] for name in STEP_NAMES])
    return int(sum(np.sum(np.exp(np.abs(np.log(p.ratios()))) > widest) for p in judged))


def left_out_covered(judged: Sequence[Pair]) -> float:
    """Share of coefficients that the other pairs' margin covers, every truth left out in turn with all its pairs."""
    n_covered, n = 0, 0
    for target in dict.fromkeys(pair.target.name for pair in judged):
        others = [pair for pair in judged if pair.target.name != target]
        own = [pair for pair in judged if pair.target.name == target]
        widest = dict(
            zip(STEP_NAMES, np.max([pair.factors() for pair in others], axis=0), strict=True)
        )
        n += len(own) * len(STEP_NAMES)
        n_covered += len(own) * len(STEP_NAMES) - n_outside(own, widest)
    return n_covered / n


def pair_figures(pair: Pair) -> list[Figure]:
    """The errors of one pair, signed: predicted over true, less 1."""
    figures = [
        Figure(name=f"{pair.name}: {name}", value=float(ratio) - 1.0, unit="frac")
        for name, ratio in zip(STEP_NAMES, pair.ratios(), strict=True)
    ]
    off = pair.step_ratios(with_bias=False) - 1.0
    for label, value in (("median", np.median(off)), ("p95", np.quantile(off, 0.95))):
        figures.append(Figure(name=f"{pair.name}: step, {label}", value=float(value), unit="frac"))
    kv = pair.kv_error()
    if kv is not None:
        figures.append(Figure(name=f"{pair.name}: KV cache", value=kv, unit="frac"))
    return figures


def coverage_figures(judged: Sequence[Pair]) -> list[Figure]:
    """Whether the margins as they are written cover the truths, and what a truth that they have not seen would get."""
    written = yaml.safe_load(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    figures = []
    for kind in ("kin", "all"):
        of = of_kind(kind, judged)
        factors = written.get(kind, {}).get("factors", dict.fromkeys(STEP_NAMES, 1.0))
        n, n_silicon = len(of), sum(pair.target.is_silicon for pair in of)
        figures += [
            Figure(
                name=f"{kind}: coefficients outside their interval, of {n} pairs ({n_silicon} silicon)",
                value=n_outside(of, factors),
                unit="coefficients",
                at_most=0,
            ),
            Figure(
                name=f"{kind}: coefficients covered when their truth is left out",
                value=left_out_covered(of),
                unit="frac",
            ),
        ]
    text = FILE.read_text(encoding="utf-8") if FILE.is_file() else ""
    return [
        *figures,
        Figure(name="margins that differ", value=text != margins_text(), unit="files", at_most=0),
    ]


def overhead_figures() -> list[Figure]:
    """The two constants of the roofline, fitted again on the model that is judged nowhere."""
    times, layer_us, several_us = overheads_us()
    return [
        Figure(name=f"{CALIBRATED_ON}: base over the weights' time", value=times, unit="times"),
        _constant("overhead a layer", layer_us, LAYER_OVERHEAD_S),
        _constant("all-reduces a layer", several_us, ALL_REDUCE_OVERHEAD_S),
    ]


def _constant(what: str, found_us: float, used_s: float) -> Figure:
    name = f"{CALIBRATED_ON}: {what}, {_US * used_s:g} us in the code"
    return Figure(name=name, value=found_us, unit="us")


def _up(value: float) -> float:
    """Rounded up to three digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return significant(math.ceil(value / step) * step)


def main(arguments: Sequence[str] | None = None) -> int:
    """Scale, judge, report; 1 where a truth is outside its interval."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the margins")
    if parser.parse_args(arguments).write:
        FILE.write_text(margins_text(), encoding="utf-8")
    judged = pairs()
    for pair in (same_setup(), *judged):
        print(_line(pair))
    beside = [figure for pair in (same_setup(), *judged) for figure in pair_figures(pair)]
    served = [*own_figures(), *others_figures("llama-3.1-8b-h100"), *floor_figures()]
    for figure in served:
        print(f"{figure.name:112} {figure.value:6.3f}")
    figures = [*coverage_figures(judged), *served]
    return 0 if print_report("scaling", figures, [*overhead_figures(), *beside]) else 1


def _line(pair: Pair) -> str:
    ratios = "  ".join(f"{100.0 * (ratio - 1.0):+6.1f}" for ratio in pair.ratios())
    off = pair.step_ratios(with_bias=False) - 1.0
    kv = pair.kv_error()
    said = "" if kv is None else f"  KV {100.0 * kv:.1f} %"
    return (
        f"{pair.name:44} {ratios} %   step {100.0 * np.median(off):5.1f} % in the median, "
        f"{100.0 * np.quantile(off, 0.95):6.1f} % at p95{said}"
    )


if __name__ == "__main__":
    sys.exit(main())
