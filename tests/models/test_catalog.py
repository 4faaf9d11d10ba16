"""The catalogue of profiles as it ships: every file is read by the one reader, and says where it is from."""

from pathlib import Path

import pytest

from llmd_autoscaler.profiling.step_terms import coefficients
from llmd_autoscaler.translate.profile import engine_profile
from llmd_autoscaler.translate.yaml_file import load_resources
from models.capacity_profile import CapacityProfile, Trust

CATALOG = Path(__file__).parents[2] / "models" / "catalog"
FILES = sorted(CATALOG.glob("*.yaml"))


def profile(path):
    (resource,) = load_resources(path)
    assert isinstance(resource, CapacityProfile)
    return resource


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestProfile:
    def test_it_is_named_as_its_file(self, path):
        assert profile(path).metadata.name == path.stem

    def test_it_says_its_source_and_its_error(self, path):
        spec = profile(path).spec
        assert (bool(spec.provenance.source), spec.step_error is not None) == (True, True)

    def test_its_kv_cache_is_whole_blocks(self, path):
        kv = profile(path).spec.kv
        assert kv.tokens % kv.block_size == 0

    def test_its_engine_holds_one_prompt_of_the_longest_that_was_fitted(self, path):
        assert engine_profile(profile(path).spec).kv_tokens >= 32_768

    def test_a_longer_batch_takes_a_longer_step(self, path):
        step = engine_profile(profile(path).spec).step
        assert min(step.per_decode_s, step.per_prefill_token_s, step.per_context_token_s) > 0


def test_only_what_was_measured_is_called_measured():
    trust = {path.stem: profile(path).spec.trust for path in FILES}
    assert {name for name, each in trust.items() if each is Trust.MEASURED} == {
        "llama-3.1-8b-h100",
        "llama-3.1-8b-h200",
        "llama-3.1-70b-fp8-h200",
    }


def test_an_h100_is_faster_than_an_a100_at_everything():
    a100, h100 = (
        engine_profile(profile(CATALOG / f"llama-3.1-70b-{card}-tp4.yaml").spec).step
        for card in ("a100", "h100")
    )
    slower = [
        of_h100 >= of_a100
        for of_h100, of_a100 in zip(coefficients(h100), coefficients(a100), strict=True)
    ]
    assert not any(slower)
