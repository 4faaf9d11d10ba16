"""The variant that is profiled: from flags, a profile that it is like, and what its server says, in this order."""

from dataclasses import dataclass

from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.given import Given
from llmd_autoscaler.translate.profile import engine_profile, load_profile

# vLLM's own, since 0.9, for a server; no page and no endpoint tells them.
MAX_NUM_BATCHED_TOKENS = 8192
MAX_NUM_SEQS = 256


@dataclass(frozen=True, slots=True)
class Variant:
    """What was measured, in words."""

    name: str
    model: str
    accelerator: str
    accelerator_count: int = 1
    engine_version: str = "unknown"
    engine_flags: tuple[str, ...] = ()
    precision: str | None = None
    weights: str | None = None
    block_size: int = 16
    startup_p50_s: float | None = None
    startup_p90_s: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a server says of itself."""

    model: str = ""
    engine_version: str = ""
    kv_tokens: int | None = None


_NOTHING = Told()


def resolved(given: Given, told: Told = _NOTHING) -> tuple[Variant, EngineProfile]:
    """The variant, and an engine with its memory and flags, whose times are still to be fitted.

    Raises: ConfigError: something must be said, and neither flag, profile nor server says it.
    """
    spec = load_profile(given.like).spec if given.like else None
    like = engine_profile(spec) if spec else None
    model = given.model or told.model or (spec.model if spec else "")
    accelerator = given.accelerator or (spec.accelerator if spec else "")
    kv_tokens = given.kv_tokens or told.kv_tokens or (like.kv_tokens if like else None)
    for flag, value in (
        ("--model", model),
        ("--accelerator", accelerator),
        ("--kv-tokens", kv_tokens),
    ):
        if not value:
            raise ConfigError(f"{flag} is missing: say it, or name a profile with --like that does")
    variant = Variant(
        name=given.name,
        model=model,
        accelerator=accelerator,
        accelerator_count=given.accelerator_count or (spec.accelerator_count if spec else 1),
        engine_version=given.engine_version
        or told.engine_version
        or (spec.engine.version if spec else "unknown"),
        engine_flags=spec.engine.flags if spec else (),
        precision=given.precision or (spec.precision if spec else None),
        weights=given.weights or (spec.provenance.weights if spec else None),
        block_size=spec.kv.block_size if spec else 16,
        startup_p50_s=given.startup_s or (spec.startup.p50_s if spec else None),
        startup_p90_s=spec.startup.p90_s if spec and not given.startup_s else None,
    )
    engine = EngineProfile(
        step=StepModel(0.0, 0.0, 0.0, 0.0, 0.0),
        front_end=FrontEnd(),
        kv_tokens=kv_tokens or 0,
        max_num_batched_tokens=given.max_num_batched_tokens
        or (like.max_num_batched_tokens if like else MAX_NUM_BATCHED_TOKENS),
        max_num_seqs=given.max_num_seqs or (like.max_num_seqs if like else MAX_NUM_SEQS),
        n_api_servers=given.api_servers or (like.n_api_servers if like else 1),
    )
    return variant, engine
