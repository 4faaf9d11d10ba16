"""Capacity profiles: from the wire's milliseconds to the engine's seconds and back, and where profiles are found."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, LeadTime, StepModel
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.yaml_file import Resource, load_resources, parse_resources
from models.capacity_profile import CapacityProfile, CapacityProfileSpec, FrontEndSpec, StepSpec
from models.fault import closest

_MS_PER_S = 1e3
_MS_PER_K_TOKEN = _MS_PER_S * 1e3
_MS_PER_M_TOKEN_SQ = _MS_PER_S * 1e6
_CATALOG = "models.catalog"
_YAML = ".yaml"


def engine_profile(spec: CapacityProfileSpec) -> EngineProfile:
    """A profile as the engine model takes it."""
    return EngineProfile(
        step=step_model(spec.step),
        front_end=front_end(spec.front_end),
        kv_tokens=spec.kv.tokens,
        max_num_batched_tokens=spec.engine.max_num_batched_tokens,
        max_num_seqs=spec.engine.max_num_seqs,
        n_api_servers=spec.engine.api_servers,
    )


def lead_time(spec: CapacityProfileSpec) -> LeadTime:
    """The start-up of a profile: what is known of the lead time before a start was seen."""
    return LeadTime(p50_s=spec.startup.p50_s, p90_s=spec.startup.p90_s)


def step_model(spec: StepSpec) -> StepModel:
    """The step time in seconds, tokens and tokens squared."""
    return StepModel(
        base_s=spec.base_ms / _MS_PER_S,
        per_decode_s=spec.per_decode_ms / _MS_PER_S,
        per_prefill_token_s=spec.per_prefill_token_ms / _MS_PER_S,
        per_context_token_s=spec.per_context_k_token_ms / _MS_PER_K_TOKEN,
        per_attention_token_sq_s=spec.per_attention_m_token_sq_ms / _MS_PER_M_TOKEN_SQ,
        least_prefill_s=spec.least_prefill_ms / _MS_PER_S,
    )


def front_end(spec: FrontEndSpec | None) -> FrontEnd:
    """What a request pays outside the engine; nothing where the profile does not say."""
    if spec is None:
        return FrontEnd()
    return FrontEnd(
        per_request_s=spec.per_request_ms / _MS_PER_S,
        per_prompt_token_s=spec.per_prompt_k_token_ms / _MS_PER_K_TOKEN,
        api_server_per_request_s=spec.api_server_per_request_ms / _MS_PER_S,
        api_server_per_token_s=spec.api_server_per_token_ms / _MS_PER_S,
    )


def profile_spec_step(step: StepModel) -> StepSpec:
    """A step model as the wire writes it; a least time only where there is one."""
    least = step.least_prefill_s
    spec = StepSpec(
        base_ms=_scaled(step.base_s, _MS_PER_S),
        per_decode_ms=_scaled(step.per_decode_s, _MS_PER_S),
        per_prefill_token_ms=_scaled(step.per_prefill_token_s, _MS_PER_S),
        per_context_k_token_ms=_scaled(step.per_context_token_s, _MS_PER_K_TOKEN),
        per_attention_m_token_sq_ms=_scaled(step.per_attention_token_sq_s, _MS_PER_M_TOKEN_SQ),
    )
    return (
        spec.model_copy(update={"least_prefill_ms": _scaled(least, _MS_PER_S)}) if least else spec
    )


def profile_spec_front_end(front: FrontEnd) -> FrontEndSpec:
    """A front end as the wire writes it."""
    return FrontEndSpec(
        per_request_ms=_scaled(front.per_request_s, _MS_PER_S),
        per_prompt_k_token_ms=_scaled(front.per_prompt_token_s, _MS_PER_K_TOKEN),
        api_server_per_request_ms=_scaled(front.api_server_per_request_s, _MS_PER_S),
        api_server_per_token_ms=_scaled(front.api_server_per_token_s, _MS_PER_S),
    )


def load_profile(name_or_file: str) -> CapacityProfile:
    """The profile of a file (a path, or a name ending in .yaml or .yml), or else of the catalogue.

    Raises: ConfigError: there is none, or it is wrong.
    """
    path = Path(name_or_file)
    if path.suffix in {_YAML, ".yml"} or len(path.parts) > 1:
        return _only_profile(load_resources(path), str(path))
    return load_catalog(name_or_file)


def load_catalog(name: str, folder: Traversable | None = None) -> CapacityProfile:
    """The profile that the catalogue holds under a name.

    Args:
        name: the file's name without its ending.
        folder: another catalogue than the one that comes with the package.

    Raises: ConfigError: no profile has this name, or its file is wrong.
    """
    names = catalog_names(folder)
    if name not in names:
        raise ConfigError(f'profile "{name}": not in the catalogue; {closest(name, names)}')
    file = name + _YAML
    text = (folder or files(_CATALOG)).joinpath(file).read_text(encoding="utf-8")
    return _only_profile(parse_resources(text, f"catalogue {file}"), f"catalogue {file}")


def catalog_names(folder: Traversable | None = None) -> list[str]:
    """The names of the catalogue's profiles, sorted."""
    entries = (folder or files(_CATALOG)).iterdir()
    return sorted(entry.name.removesuffix(_YAML) for entry in entries if entry.name.endswith(_YAML))


def _only_profile(resources: Iterable[Resource], source: str) -> CapacityProfile:
    profiles = [each for each in resources if isinstance(each, CapacityProfile)]
    if len(profiles) != 1:
        raise ConfigError(
            f"{source}: holds {len(profiles)} resources of kind CapacityProfile; write exactly one"
        )
    return profiles[0]


def _scaled(value: float, scale: float) -> float:
    # fifteen digits take back what the two roundings of /scale and *scale did, so that a status which
    # repeats a profile repeats its text; more digits than that no measurement has
    return float(f"{value * scale:.15g}")
