"""Profiles: milliseconds on the wire, seconds in the engine, and the same text back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.variant import FrontEnd, LeadTime
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.profile import (
    catalog_names,
    engine_profile,
    front_end,
    lead_time,
    load_catalog,
    load_profile,
    profile_spec_front_end,
    profile_spec_step,
    step_model,
)
from llmd_autoscaler.translate.yaml_file import load_resources
from models.capacity_profile import CapacityProfile, FrontEndSpec, StepSpec

EXAMPLE = Path(__file__).parents[1] / "data/api.yaml"
PROFILE_TEXT = EXAMPLE.read_text().split("---\n")[2]

# what a measurement can say: up to 15 digits, a ten-millionth of a millisecond at the finest
milliseconds = st.decimals(min_value=0, max_value=10**6, places=7).map(float)


def example():
    return next(each for each in load_resources(EXAMPLE) if isinstance(each, CapacityProfile)).spec


def test_a_profile_is_read_in_seconds_and_single_tokens():
    engine = engine_profile(example())
    # 26.1 ms; 0.08 ms a thousand tokens of context; 2.9 ms a million token²
    assert engine.step.base_s == pytest.approx(0.0261)
    assert engine.step.per_context_token_s == pytest.approx(8e-8)
    assert engine.step.per_attention_token_sq_s == pytest.approx(2.9e-9)
    # 1.0 ms a thousand prompt tokens
    assert engine.front_end.per_prompt_token_s == pytest.approx(1e-6)
    assert engine.front_end.api_server_per_token_s == pytest.approx(8.5e-5)
    assert (
        engine.kv_tokens,
        engine.max_num_batched_tokens,
        engine.max_num_seqs,
        engine.n_api_servers,
    ) == (310000, 8192, 256, 1)


def test_the_lead_time_before_any_start_is_the_profiles_start_up():
    assert lead_time(example()) == LeadTime(p50_s=120.0, p90_s=200.0)


def test_a_profile_without_a_front_end_adds_nothing():
    assert front_end(None) == FrontEnd()


@given(milliseconds.filter(bool), milliseconds, milliseconds, milliseconds, milliseconds)
def test_a_step_model_comes_back_as_the_text_that_it_was(base, decode, prefill, context, attention):
    spec = StepSpec(
        base_ms=base,
        per_decode_ms=decode,
        per_prefill_token_ms=prefill,
        per_context_k_token_ms=context,
        per_attention_m_token_sq_ms=attention,
    )
    assert profile_spec_step(step_model(spec)).to_wire() == spec.to_wire()


@given(milliseconds)
def test_a_least_time_comes_back_and_none_is_not_written(least):
    spec = StepSpec(
        base_ms=1.0,
        per_decode_ms=0.0,
        per_prefill_token_ms=0.0,
        per_context_k_token_ms=0.0,
        per_attention_m_token_sq_ms=0.0,
        least_prefill_ms=least,
    )
    written = profile_spec_step(step_model(spec)).to_wire()
    assert written.get("leastPrefillMs", "0") == spec.to_wire()["leastPrefillMs"]
    assert ("leastPrefillMs" in written) == (spec.least_prefill_ms > 0)


@given(milliseconds, milliseconds, milliseconds, milliseconds)
def test_a_front_end_comes_back_as_the_text_that_it_was(request, prompt, api_request, api_token):
    spec = FrontEndSpec(
        per_request_ms=request,
        per_prompt_k_token_ms=prompt,
        api_server_per_request_ms=api_request,
        api_server_per_token_ms=api_token,
    )
    assert profile_spec_front_end(front_end(spec)).to_wire() == spec.to_wire()


def test_a_catalogue_is_its_yaml_files(tmp_path):
    (tmp_path / "llama-70b.yaml").write_text(PROFILE_TEXT)
    (tmp_path / "README.md").write_text("about it")
    assert catalog_names(tmp_path) == ["llama-70b"]
    assert load_catalog("llama-70b", tmp_path).metadata.name == "llama-3.1-70b-a100-tp4"


def test_a_profile_that_the_catalogue_lacks_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "llama-70b.yaml").write_text(PROFILE_TEXT)
    with pytest.raises(
        ConfigError, match=r'profile "llama-70": not in the catalogue; did you mean llama-70b\?'
    ):
        load_catalog("llama-70", tmp_path)


def test_a_name_does_not_lead_out_of_the_catalogue(tmp_path):
    (tmp_path / "outside.yaml").write_text(PROFILE_TEXT)
    inside = tmp_path / "catalog"
    inside.mkdir()
    with pytest.raises(ConfigError, match="not in the catalogue"):
        load_catalog("../outside", inside)


def test_every_profile_that_comes_with_the_package_is_read():
    assert [load_catalog(name).kind for name in catalog_names()] == ["CapacityProfile"] * len(
        catalog_names()
    )


def test_a_path_is_read_as_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(PROFILE_TEXT)
    assert load_profile(str(file)).spec == example()


def test_a_file_without_a_profile_is_refused(tmp_path):
    file = tmp_path / "stock.yaml"
    file.write_text(EXAMPLE.read_text().split("---\n")[3])
    with pytest.raises(
        ConfigError,
        match=r"stock\.yaml: holds 0 resources of kind CapacityProfile; write exactly one",
    ):
        load_profile(str(file))


def test_a_bare_name_is_looked_up_in_the_catalogue():
    with pytest.raises(ConfigError, match='profile "no-such-profile": not in the catalogue'):
        load_profile("no-such-profile")
