"""A measured step model carried to another accelerator, parallelism, precision or model, and how far off that may be.

The intervals are measured: scaling_errors.yaml says how far such predictions were from profiles that were
measured, or computed from timed operators, on the setup that they were made for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.fit import STEP_NAMES, Interval, significant
from llmd_autoscaler.profiling.hardware import Precision
from llmd_autoscaler.profiling.roofline import Setup
from llmd_autoscaler.profiling.step_terms import coefficients

_FILE = "scaling_errors.yaml"
# vLLM's own, 0.26.0, of an accelerator's memory.
GPU_MEMORY_UTILIZATION = 0.92
# However fast a source is, at least this share of its base is taken to be the reading of weights.
_LEAST_READING_FRAC = 0.5


@dataclass(frozen=True, slots=True)
class Margin:
    """How far scaled profiles were off, over all pairs of one kind.

    Args:
        factors: of each coefficient, the largest ratio to the truth, either way.
        median_frac, p95_frac: of whole steps, the larger of both over the smaller, less 1.
        kv_frac: the largest error of the KV cache.
        n_pairs: pairs of setups behind it.
        n_silicon: those whose truth was measured on silicon, n_silicon_truths different ones.
    """

    factors: Mapping[str, float]
    median_frac: float
    p95_frac: float
    kv_frac: float
    n_pairs: int
    n_silicon: int
    n_silicon_truths: int


@dataclass(frozen=True, slots=True)
class Scaled:
    """A predicted engine."""

    step: StepModel
    kv_tokens: int
    intervals: Mapping[str, Interval]
    margin: Margin


def scaled(
    step: StepModel, kv_tokens: int, source: Setup, target: Setup, *, block_size: int = 16
) -> Scaled:
    """What the engine of a target does, from what the source's was measured to do.

    Raises: ConfigError: the target's weights do not fit, or nothing is other than in the source.
    """
    if source == target:
        raise ConfigError(
            "nothing is scaled: write another --accelerator, --accelerator-count, --precision or --model"
        )
    predicted = scaled_step(step, source, target)
    margin = margin_of(source, target)
    return Scaled(
        step=predicted,
        kv_tokens=scaled_kv_tokens(kv_tokens, source, target, block_size=block_size),
        intervals={
            name: Interval(value, value / margin.factors[name], value * margin.factors[name])
            for name, value in zip(STEP_NAMES, coefficients(predicted), strict=True)
        },
        margin=margin,
    )


def scaled_step(step: StepModel, source: Setup, target: Setup) -> StepModel:
    """Each coefficient times the ratio of what bounds it; of the base only what is above the fixed overhead."""
    overhead_s = min(source.overhead_s, (1.0 - _LEAST_READING_FRAC) * step.base_s)
    base_s = (
        overhead_s * target.overhead_s / source.overhead_s
        + (step.base_s - overhead_s) * target.weights_s / source.weights_s
    )
    return StepModel(
        base_s=significant(base_s),
        per_decode_s=significant(step.per_decode_s * target.decode_s / source.decode_s),
        per_prefill_token_s=significant(
            step.per_prefill_token_s * target.prefill_token_s / source.prefill_token_s
        ),
        per_context_token_s=significant(
            step.per_context_token_s * target.context_token_s / source.context_token_s
        ),
        per_attention_token_sq_s=significant(
            step.per_attention_token_sq_s
            * target.attention_token_sq_s
            / source.attention_token_sq_s
        ),
        # the host starts the kernels of each layer, whatever runs them
        least_prefill_s=significant(
            step.least_prefill_s * target.model.n_layers / source.model.n_layers
        ),
    )


def scaled_kv_tokens(kv_tokens: int, source: Setup, target: Setup, *, block_size: int = 16) -> int:
    """Tokens that fit beside the target's weights, in whole blocks, an accelerator's other memory as in the source.

    Raises: ConfigError: not one block fits.
    """
    held = kv_tokens * source.kv_bytes_per_token / source.n_accelerators
    other = _usable_bytes(source) - held
    free = (_usable_bytes(target) - other) * target.n_accelerators
    tokens = int(free / target.kv_bytes_per_token) // block_size * block_size
    if tokens < block_size:
        have = target.n_accelerators * target.accelerator.memory_bytes / 2**30
        takes_fp8 = target.accelerator.fp8_flop_per_s and target.precision is Precision.BF16
        or_fp8 = " or --precision fp8" if takes_fp8 else ""
        raise ConfigError(
            f"{target.n_accelerators} x {target.accelerator.name}: weights of {target.weights_bytes / 2**30:.0f} GiB "
            f"leave no room for a KV cache in {have:.0f} GiB; write a larger --accelerator-count{or_fp8}"
        )
    return tokens


def margin_of(source: Setup, target: Setup) -> Margin:
    """The margin of a pair: of kin where both accelerators run the same kernels, of all pairs else."""
    is_kin = source.accelerator.architecture == target.accelerator.architecture
    return margins()["kin" if is_kin else "all"]


@cache
def margins() -> Mapping[str, Margin]:
    """Every kind's margin, as `python -m benchmarks.scaling --write` found it."""
    text = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    tables = yaml.safe_load(text)
    return {
        kind: Margin(
            factors={name: float(each["factors"][name]) for name in STEP_NAMES},
            median_frac=float(each["medianFrac"]),
            p95_frac=float(each["p95Frac"]),
            kv_frac=float(each["kvFrac"]),
            n_pairs=int(each["pairs"]),
            n_silicon=int(each["siliconPairs"]),
            n_silicon_truths=int(each["siliconTruths"]),
        )
        for kind, each in tables.items()
    }


def _usable_bytes(setup: Setup) -> float:
    """An accelerator's memory that vLLM takes, less its share of the weights."""
    memory = GPU_MEMORY_UTILIZATION * setup.accelerator.memory_bytes
    return memory - setup.weights_bytes / setup.n_accelerators
