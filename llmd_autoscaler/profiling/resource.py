"""A fit as a CapacityProfile on disk: what is known of the variant, and the sentence about how it was obtained."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml

from llmd_autoscaler.core.variant import EngineProfile, StepModel
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.fit import Fit, significant
from llmd_autoscaler.profiling.variant import Variant
from llmd_autoscaler.translate.yaml_file import parse_resources

_MS = 1e3
# field of a profile: name of the coefficient, and from its seconds to the field's unit
STEP_FIELDS = {
    "baseMs": ("base", _MS),
    "perDecodeMs": ("per_decode", _MS),
    "perPrefillTokenMs": ("per_prefill_token", _MS),
    "perContextKTokenMs": ("per_context_token", _MS * 1e3),
    "perAttentionMTokenSqMs": ("per_attention_token_sq", _MS * 1e6),
}
_UNKNOWN_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Who measured, when and how."""

    by: str
    at: str  # as the wire writes a time
    command: str
    points_file: str


def profile_text(fit: Fit, variant: Variant, origin: Origin) -> str:
    """The YAML of a profile, read back once: what we write must be what everything else can read.

    Raises: ConfigError: a name or a number of it cannot stand in a CapacityProfile.
    """
    resource = {
        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
        "kind": "CapacityProfile",
        "metadata": {"name": variant.name},
        "spec": _spec(fit, variant, origin),
    }
    header = f"# Made by `{origin.command}`: run it again instead of changing this file.\n"
    text = header + yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=110)
    parse_resources(text, f"profile {variant.name}")
    return text


def write_profile(path: Path, text: str) -> None:
    """Write the file.

    Raises: ConfigError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--out {path}: {reason}; name a file that can be written") from error


def _spec(fit: Fit, variant: Variant, origin: Origin) -> dict[str, object]:
    spec: dict[str, object] = {
        "model": variant.model,
        "accelerator": variant.accelerator,
        "acceleratorCount": variant.accelerator_count,
    }
    if variant.precision:
        spec["precision"] = variant.precision
    provenance: dict[str, object] = {"by": origin.by, "at": origin.at, "command": origin.command}
    if variant.weights:
        provenance["weights"] = variant.weights
    p50_s = variant.startup_p50_s or _UNKNOWN_START_S
    return spec | {
        "engine": _engine(fit.profile, variant),
        "trust": "measured",
        "provenance": provenance | {"source": how_obtained(fit, variant)},
        "step": {
            field: decimal(fit.step[name].value * scale)
            for field, (name, scale) in STEP_FIELDS.items()
        }
        | least_prefill(fit.profile.step),
        "stepError": {
            "medianFrac": decimal(fit.median_frac),
            "p95Frac": decimal(fit.p95_frac),
        },
        "frontEnd": {
            "perRequestMs": decimal(fit.front_end.per_request_s * _MS),
            "perPromptKTokenMs": decimal(fit.front_end.per_prompt_token_s * _MS * 1e3),
            "apiServerPerRequestMs": decimal(fit.front_end.api_server_per_request_s * _MS),
            "apiServerPerTokenMs": decimal(fit.front_end.api_server_per_token_s * _MS),
        },
        "kv": {"tokens": fit.profile.kv_tokens, "blockSize": variant.block_size},
        "startup": {
            "p50": _seconds(p50_s),
            "p90": _seconds(max(p50_s, variant.startup_p90_s or 1.5 * p50_s)),
        },
        "points": {"file": origin.points_file, "count": fit.n_points},
    }


def least_prefill(step: StepModel) -> dict[str, str]:
    """The field of the least time of a prefill, where there is one."""
    least_s = step.least_prefill_s
    return {"leastPrefillMs": decimal(least_s * _MS)} if least_s else {}


def _engine(profile: EngineProfile, variant: Variant) -> dict[str, object]:
    return {
        "name": "vllm",
        "version": variant.engine_version,
        "flags": list(variant.engine_flags),
        "maxNumBatchedTokens": profile.max_num_batched_tokens,
        "maxNumSeqs": profile.max_num_seqs,
        "apiServers": profile.n_api_servers,
    }


def how_obtained(fit: Fit, variant: Variant) -> str:
    """The sentences about the numbers: how firm they are, and which were not measured."""
    held_out = (
        f"Step model from {fit.n_rows} mean steps of {fit.n_points} points; stepError is that of rows whose prompt "
        f"length the fit had not seen (each length left out in turn), the worst {100 * fit.worst_frac:.1f} % off."
    )
    said = [held_out, f"90 % intervals by resampling the rows: {intervals(fit)}."]
    if not fit.is_front_end_measured:
        said.append("perRequestMs is the usual one: no lone prompts of two lengths were measured.")
    if not fit.is_api_server_measured:
        said.append(
            "The API server's times are those of vLLM 0.26.0 on an H100: no point was limited by it."
        )
    if variant.startup_p50_s is None:
        said.append("startup is an assumption.")
    return " ".join(said)


def intervals(fit: Fit) -> str:
    """Each coefficient's interval, as the profile writes the coefficient."""
    return ", ".join(
        f"{field} {decimal(fit.step[name].low * scale)} to {decimal(fit.step[name].high * scale)}"
        for field, (name, scale) in STEP_FIELDS.items()
    )


def rows_of_fit(fit: Fit) -> Sequence[tuple[str, float, float, float]]:
    """(field, value, low, high) in the profile's units, for people."""
    found = []
    for field, (name, scale) in STEP_FIELDS.items():
        each = fit.step[name]
        found.append((field, scale * each.value, scale * each.low, scale * each.high))
    return found


def decimal(value: float) -> str:
    """A number as the wire has it: text in plain digits, four of them significant."""
    return format(Decimal(f"{significant(value):.12g}"), "f")


def _seconds(value: float) -> str:
    return f"{significant(value):g}s"
