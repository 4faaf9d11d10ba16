"""`predict`: a question about a profile, and its answer as text or JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.point import Load, Shape
from llmd_autoscaler.profiling.points_file import read_points
from llmd_autoscaler.profiling.prediction import Prediction, predict
from llmd_autoscaler.profiling.scores import judge, report, spreads
from llmd_autoscaler.translate.profile import engine_profile, load_profile

# (field, words, scale to what people read, its unit)
_FIGURES = (
    ("ttft_p50_s", "TTFT p50", 1e3, "ms"),
    ("ttft_p95_s", "TTFT p95", 1e3, "ms"),
    ("itl_mean_s", "ITL mean", 1e3, "ms"),
    ("itl_p95_s", "ITL p95", 1e3, "ms"),
    ("tpot_p95_s", "TPOT p95", 1e3, "ms"),
    ("out_tps", "output tokens/s", 1.0, ""),
    ("rps", "requests/s", 1.0, ""),
    ("kv_mean_frac", "KV cache, mean", 100.0, "%"),
    ("kv_max_frac", "KV cache, most", 100.0, "%"),
)
_WORDS = {
    "none": "nothing: the engine has time to spare",
    "engine": "the engine: it is never idle",
    "kv_full": "the KV cache: requests wait for room",
    "max_num_seqs": "max_num_seqs: as many requests run as may",
    "api_server": "the API server: more of them, not more instances",
}
# What a profile without a stated error is taken to be off by.
_UNSTATED_FRAC = 0.15
_N_SHAPE_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """The load that was asked for."""

    isl: int | None = None
    osl: int | None = None
    mix: Path | None = None
    concurrency: int | None = None
    rate_qps: float | None = None
    prefix_frac: float = 0.0
    engine_version: str = ""

    def load(self) -> Load:
        """The load.

        Raises: ConfigError: part of it is missing.
        """
        if (self.concurrency is None) == (self.rate_qps is None):
            raise ConfigError("the load is missing: write --concurrency N or --rate QPS")
        if not self.prefix_frac < 1.0:
            raise ConfigError(
                f"--prefix-hit is {self.prefix_frac:g}: write a fraction, 0 to below 1"
            )
        return Load(self._shapes(), self.concurrency, self.rate_qps, self.prefix_frac)

    def _shapes(self) -> tuple[Shape, ...]:
        if self.mix is not None:
            if self.osl is not None:
                raise ConfigError("--mix holds the output tokens; leave out --osl")
            return read_mix(self.mix)
        if self.isl is None or self.osl is None:
            raise ConfigError("the shape is missing: write --isl and --osl, --mix or --points")
        return (Shape(self.isl, self.osl),)


def read_mix(path: Path) -> tuple[Shape, ...]:
    """The shapes of a file: `isl osl weight` a line, the weight 1 where it is not there.

    Raises: ConfigError: it cannot be read, or a line is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--mix {path}: {error}; name a file of shapes") from error
    lines = [
        (number, line.split("#", 1)[0].replace(",", " ").split())
        for number, line in enumerate(text.splitlines(), start=1)
    ]
    shapes = tuple(_shape(words, f"{path}:{number}") for number, words in lines if words)
    if not shapes:
        raise ConfigError(f"--mix {path}: no shapes; write `isl osl weight` a line")
    return shapes


def _shape(words: Sequence[str], where: str) -> Shape:
    try:
        isl, osl = int(words[0]), int(words[1])
        weight = float(words[2]) if len(words) == _N_SHAPE_FIELDS else 1.0
    except (ValueError, IndexError) as error:
        raise ConfigError(
            f"{where}: found {' '.join(words)!r}; write `isl osl weight`, such as 1024 128 0.7"
        ) from error
    if min(isl, osl) < 1 or not 0.0 < weight < float("inf"):
        raise ConfigError(
            f"{where}: found {' '.join(words)!r}; write whole tokens and a weight above 0"
        )
    return Shape(isl, osl, weight)


def answer_load(
    profile: str, question: Question, *, is_json: bool, to: TextIO, warn: TextIO
) -> None:
    """Print the figures of a load, with the range that the profile's own error leaves.

    Raises: ConfigError: no such profile, or no such load. PlanError: a request does not fit the KV cache.
    """
    resource = load_profile(profile)
    spec, load = resource.spec, question.load()
    if question.engine_version and question.engine_version != spec.engine.version:
        warn.write(
            f"warning: profile {resource.metadata.name} is of vLLM {spec.engine.version}, and "
            f"{question.engine_version} may be faster or slower: profile it again\n"
        )
    prediction = predict(engine_profile(spec), load)
    error_frac = spec.step_error.p95_frac if spec.step_error else _UNSTATED_FRAC
    if is_json:
        to.write(json.dumps(_to_json(prediction, load, error_frac)) + "\n")
        return
    to.write(f"{load.name} on {resource.metadata.name} ({spec.trust.value})\n")
    to.writelines(f"  {line}\n" for line in _lines(prediction, error_frac))


def _lines(prediction: Prediction, error_frac: float) -> list[str]:
    """A prediction for people."""
    lines = []
    for name, words, scale, unit in _FIGURES:
        value = getattr(prediction, name)
        if value is not None:
            low, high = _range(name, value, error_frac)
            lines.append(
                f"{words:16} {scale * value:10.4g} {unit:2} ({scale * low:.4g} to {scale * high:.4g})"
            )
    return [*lines, f"limited by       {_WORDS[prediction.limit]}"]


def answer_points(profile: str, files: Sequence[Path], *, is_json: bool, to: TextIO) -> None:
    """Print how far a profile is from measured points.

    Raises: ConfigError: no such profile, or a file is wrong.
    """
    engine: EngineProfile = engine_profile(load_profile(profile).spec)
    points = read_points(files)
    judged = judge(engine, points)
    left_out = [p for p in points if p.left_out]
    if is_json:
        to.write(json.dumps(report(judged, left_out)) + "\n")
        return
    to.write(f"{len(judged)} points, {len(left_out)} of other servers left out\n")
    for regime in (None, *sorted({j.regime for j in judged})):
        of_regime = [j for j in judged if regime in {None, j.regime}]
        to.write(f"{regime or 'all'}: {len(of_regime)} points\n")
        to.writelines(
            f"  {figure:9} median {100 * spread.median_frac:6.1f} %  p95 {100 * spread.p95_frac:6.1f} %  "
            f"worst {100 * spread.worst_frac:6.1f} %  {spread.worst_point}\n"
            for figure, spread in spreads(of_regime).items()
        )


def _to_json(prediction: Prediction, load: Load, error_frac: float) -> dict[str, object]:
    figures: dict[str, object] = {"load": load.name}
    for name, *_ in _FIGURES:
        value = getattr(prediction, name)
        figures[name] = None if value is None else float(f"{value:.6g}")
    figures["limit"] = prediction.limit
    figures["intervals"] = {
        name: [float(f"{edge:.6g}") for edge in _range(name, getattr(prediction, name), error_frac)]
        for name, *_ in _FIGURES
        if getattr(prediction, name) is not None
    }
    return figures


def _range(name: str, value: float, error_frac: float) -> tuple[float, float]:
    """What the profile's own error at its 95th percentile leaves; a fraction ends at 1."""
    high = value * (1.0 + error_frac)
    return value / (1.0 + error_frac), min(1.0, high) if name.endswith("_frac") else high
