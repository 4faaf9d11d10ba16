"""`scale`: from a measured profile to a predicted one on disk, and what is said about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import yaml

from llmd_autoscaler.core.variant import EngineProfile, LeadTime
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.hardware import accelerator, model_shape, precision
from llmd_autoscaler.profiling.offline import wire_time
from llmd_autoscaler.profiling.resource import STEP_FIELDS, decimal, least_prefill, write_profile
from llmd_autoscaler.profiling.roofline import Setup
from llmd_autoscaler.profiling.scaling import Scaled, scaled
from llmd_autoscaler.translate.profile import engine_profile, lead_time, load_profile
from llmd_autoscaler.translate.yaml_file import parse_resources

_BY = "llmd-autoscaler scale"
_MEASURED = "measured"
# Flags that say how the weights lie: the scaled profile has its own.
_OWN_FLAGS = ("--tensor-parallel-size", "-tp", "--quantization", "-q")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The setup that was asked for; None and "" where it is the source's."""

    model: str = ""
    accelerator: str = ""
    accelerator_count: int | None = None
    precision: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A measured profile: its names, its setup and its engine."""

    given: str  # as the command line named it; of a file without its folder, which is of this machine only
    name: str
    setup: Setup
    engine: EngineProfile
    engine_name: str
    engine_version: str
    flags: tuple[str, ...]
    block_size: int
    lead: LeadTime


def read_source(name_or_file: str) -> Source:
    """A profile that may be scaled.

    Raises: ConfigError: there is none, it is itself predicted, or nothing is known of its model or accelerator.
    """
    resource = load_profile(name_or_file)
    spec, name = resource.spec, resource.metadata.name
    if spec.trust.value != _MEASURED:
        raise ConfigError(
            f"profile {name} is itself {spec.trust.value}: its errors would multiply; name a measured one"
        )
    if spec.precision is None:
        raise ConfigError(f"profile {name} says no precision; write spec.precision, such as bf16")
    return Source(
        given=Path(name_or_file).name,
        name=name,
        setup=Setup(
            model_shape(spec.model),
            accelerator(spec.accelerator),
            spec.accelerator_count,
            precision(spec.precision),
        ),
        engine=engine_profile(spec),
        engine_name=spec.engine.name,
        engine_version=spec.engine.version,
        flags=spec.engine.flags,
        block_size=spec.kv.block_size,
        lead=lead_time(spec),
    )


def wanted_setup(source: Setup, wanted: Wanted) -> Setup:
    """The setup that is predicted: the source's where nothing else was asked for."""
    return Setup(
        model_shape(wanted.model) if wanted.model else source.model,
        accelerator(wanted.accelerator) if wanted.accelerator else source.accelerator,
        wanted.accelerator_count or source.n_accelerators,
        precision(wanted.precision) if wanted.precision else source.precision,
    )


def scale_file(name_or_file: str, wanted: Wanted, out: Path, *, now_s: float, to: TextIO) -> None:
    """Scale a profile, write the prediction and say how wide it is.

    Raises: ConfigError: it cannot be scaled, or not be written.
    """
    source = read_source(name_or_file)
    target = wanted_setup(source.setup, wanted)
    found = _scaled(source, target)
    write_profile(out, profile_text(source, target, out.name, at=wire_time(now_s)))
    margin = found.margin
    to.write(
        f"{_words(target)}, predicted from {source.name}: steps off by {100 * margin.median_frac:.0f} % in the median "
        f"and {100 * margin.p95_frac:.0f} % at p95 of {margin.n_pairs} such predictions\n"
    )
    for field, (name, scale) in STEP_FIELDS.items():
        each = found.intervals[name]
        to.write(
            f"  {field:23} {scale * each.value:.4g} ({scale * each.low:.4g} to {scale * each.high:.4g})\n"
        )
    to.write(f"  {'kv.tokens':23} {found.kv_tokens}\nwrote {out}\n")


def profile_text(source: Source, target: Setup, file: str, *, at: str) -> str:
    """The YAML of a predicted profile, read back once: what we write must be what everything else can read.

    Args:
        file: its name, which names the profile, too.
        at: when, as the wire writes a time.
    """
    name = file.removesuffix(".yaml").lower().replace("_", "-")
    command = _command(source, target, file)
    found = _scaled(source, target)
    resource = {
        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
        "kind": "CapacityProfile",
        "metadata": {"name": name},
        "spec": {
            "model": target.model.name,
            "accelerator": target.accelerator.name,
            "acceleratorCount": target.n_accelerators,
            "precision": target.precision.value,
            "engine": _engine(source, target),
            "trust": "predicted",
            "provenance": {
                "by": _BY,
                "at": at,
                "command": command,
                "source": _how_obtained(source, target, found),
            },
            **_figures(source, target, found),
        },
    }
    header = f"# Made by `{command}`: run it again instead of changing this file.\n"
    text = header + yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=110)
    parse_resources(text, f"profile {name}")
    return text


def _scaled(source: Source, target: Setup) -> Scaled:
    engine = source.engine
    return scaled(engine.step, engine.kv_tokens, source.setup, target, block_size=source.block_size)


def _figures(source: Source, target: Setup, found: Scaled) -> dict[str, object]:
    front, lead = source.engine.front_end, source.lead
    return {
        "step": {
            field: decimal(scale * found.intervals[name].value)
            for field, (name, scale) in STEP_FIELDS.items()
        }
        | least_prefill(found.step),
        "stepError": {
            "medianFrac": decimal(found.margin.median_frac),
            "p95Frac": decimal(found.margin.p95_frac),
        },
        "frontEnd": {
            "perRequestMs": decimal(1e3 * front.per_request_s),
            "perPromptKTokenMs": decimal(1e6 * front.per_prompt_token_s),
            "apiServerPerRequestMs": decimal(1e3 * front.api_server_per_request_s),
            "apiServerPerTokenMs": decimal(1e3 * front.api_server_per_token_s),
        },
        "kv": {
            "tokens": found.kv_tokens,
            "blockSize": source.block_size,
            "bytesPerToken": round(target.kv_bytes_per_token),
        },
        # starting later than was promised costs SLOs, starting earlier costs nothing
        "startup": {"p50": f"{lead.p50_s:g}s", "p90": f"{2 * lead.p90_s:g}s"},
    }


def _engine(source: Source, target: Setup) -> dict[str, object]:
    flags = [
        flag for flag in source.flags if flag.replace("=", " ").split(" ", 1)[0] not in _OWN_FLAGS
    ]
    if target.n_accelerators > 1:
        flags.append(f"--tensor-parallel-size={target.n_accelerators}")
    if target.precision.n_bytes == 1:
        flags.append(f"--quantization={target.precision}")
    return {
        "name": source.engine_name,
        "version": source.engine_version,
        "flags": flags,
        "maxNumBatchedTokens": source.engine.max_num_batched_tokens,
        "maxNumSeqs": source.engine.max_num_seqs,
        "apiServers": source.engine.n_api_servers,
    }


def _how_obtained(source: Source, target: Setup, found: Scaled) -> str:
    margin, card = found.margin, target.accelerator
    intervals = ", ".join(
        f"{field} {decimal(scale * found.intervals[name].low)} to {decimal(scale * found.intervals[name].high)}"
        for field, (name, scale) in STEP_FIELDS.items()
    )
    how = (
        f"Scaled from {source.name} ({_words(source.setup)}, measured) by the ratio of rooflines. stepError and the "
        f"intervals are those of {margin.n_pairs} such predictions whose truth is known, {margin.n_silicon} of them on "
        f"silicon ({margin.n_silicon_truths} setups), the others by operator tables: {intervals}. kv.tokens was off "
        f"by at most {100 * margin.kv_frac:.1f} % there."
    )
    said = [
        how,
        f"{card.name}: {card.source}.",
        "frontEnd is that of the source, and startup an assumption: the source's, its p90 doubled.",
    ]
    if card.maker != source.setup.accelerator.maker:
        said.insert(
            1,
            f"No truth is known of an accelerator by {card.maker}: how much of its peak its kernels reach may be "
            "outside of every interval.",
        )
    return " ".join(said)


def _command(source: Source, target: Setup, file: str) -> str:
    before, words = source.setup, [f"{_BY} --profile {source.given}"]
    if target.model != before.model:
        words.append(f"--model {target.model.name}")
    if target.accelerator != before.accelerator:
        words.append(f"--accelerator {target.accelerator.name}")
    if target.n_accelerators != before.n_accelerators:
        words.append(f"--accelerator-count {target.n_accelerators}")
    if target.precision != before.precision:
        words.append(f"--precision {target.precision}")
    return " ".join([*words, f"--out {file}"])


def _words(setup: Setup) -> str:
    model = setup.model.name.rpartition("/")[2]
    return f"{model} in {setup.precision} on {setup.n_accelerators} x {setup.accelerator.name}"
