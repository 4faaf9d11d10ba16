"""What a VariantAutoscaling refers to must exist and fit."""

from pathlib import Path

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.variant import cost_usd_per_hour, fitting_profile
from llmd_autoscaler.translate.yaml_file import load_resources
from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile
from models.variant_autoscaling import VariantAutoscaling

_, VARIANT, PROFILE, STOCK = load_resources(Path(__file__).parents[1] / "data/api.yaml")
assert isinstance(VARIANT, VariantAutoscaling)
assert isinstance(PROFILE, CapacityProfile)
assert isinstance(STOCK, AcceleratorStock)
PROFILES = {PROFILE.metadata.name: PROFILE}


def variant(**spec):
    changed = {**VARIANT.to_wire()["spec"], **spec}
    wire = VARIANT.to_wire() | {
        "spec": {key: value for key, value in changed.items() if value is not None}
    }
    return VariantAutoscaling.from_wire(wire)


def test_the_named_profile_is_found():
    assert fitting_profile(VARIANT, PROFILES) is PROFILE.spec


def test_an_inline_profile_needs_no_name():
    inline = variant(profileRef=None, profile=PROFILE.spec.to_wire())
    assert fitting_profile(inline, {}) == PROFILE.spec


def test_a_name_that_no_profile_has_is_answered_with_the_nearest():
    with pytest.raises(
        ConfigError,
        match=r'"llama-70b-a100": spec.profileRef.name: no CapacityProfile is named "llama-3.1-70b-a100"; did you mean llama-3.1-70b-a100-tp4\?',
    ):
        fitting_profile(variant(profileRef={"name": "llama-3.1-70b-a100"}), PROFILES)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "modelID",
            "mistral",
            "the profile has model meta-llama/Llama-3.1-70B-Instruct, but spec.modelID is mistral",
        ),
        (
            "accelerator",
            "H100",
            "the profile has accelerator A100-80GB, but spec.accelerator is H100",
        ),
        (
            "acceleratorCount",
            8,
            "the profile has acceleratorCount 4, but spec.acceleratorCount is 8",
        ),
    ],
)
def test_a_profile_of_another_variant_does_not_fit(field, value, said):
    with pytest.raises(
        ConfigError, match=f"spec.profileRef: {said}; name a profile of the same variant"
    ):
        fitting_profile(variant(**{field: value}), PROFILES)


def test_an_instance_costs_what_it_says():
    assert cost_usd_per_hour(VARIANT, {}) == 14.0


def test_an_instance_without_a_price_costs_its_accelerators():
    # 4 x 3.50
    assert cost_usd_per_hour(variant(costPerHour=None), {"A100-80GB": STOCK}) == 14.0


def test_an_instance_without_any_price_is_refused():
    with pytest.raises(
        ConfigError, match="no AcceleratorStock says a price of A100-80GB; write costPerHour"
    ):
        cost_usd_per_hour(variant(costPerHour=None), {})
