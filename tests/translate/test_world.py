"""Resources as the controller reads them."""

import math
from pathlib import Path

import pytest
import yaml

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.limits import Limits
from llmd_autoscaler.translate.world import (
    InstanceCounts,
    catalogued_profiles,
    fitted_profile,
    read_level,
    read_profile,
    read_stock,
    read_variant,
    target_state,
)

LEVEL, VARIANT, PROFILE, STOCK = yaml.safe_load_all(
    (Path(__file__).parents[1] / "data/api.yaml").read_text(encoding="utf-8")
)


def test_a_level_names_its_model_its_classes_and_the_default_one():
    level = read_level(LEVEL)
    assert (level.model_id, level.default_class) == (
        "meta-llama/Llama-3.1-70B-Instruct",
        "relaxed",
    )
    assert [qos.name for qos in level.classes] == ["interactive", "relaxed", "overnight"]


def test_a_status_that_somebody_broke_does_not_take_its_object_away():
    assert read_variant(VARIANT | {"status": {"load": 3}}).name == "llama-70b-a100"


def test_the_first_fault_is_told_and_how_many_more_there_are():
    wrong = VARIANT | {"spec": VARIANT["spec"] | {"maxReplicas": 0, "paused": "no"}}
    with pytest.raises(ConfigError) as caught:
        read_variant(wrong)
    assert str(caught.value) == (
        'VariantAutoscaling "llama-70b-a100": spec.maxReplicas: found 0 (a number); write 1 or more (and 1 more)'
    )


def test_a_stock_without_a_limit_is_infinite():
    spec = {key: value for key, value in STOCK["spec"].items() if key != "limit"}
    stock = read_stock(STOCK | {"spec": spec})
    assert (stock.limit, dict(stock.shares)) == (math.inf, {"llm": 48})


def test_a_target_has_the_variants_limits_and_the_profiles_engine():
    variant, profile = read_variant(VARIANT), read_profile(PROFILE)
    fitted = fitted_profile(variant, {profile.name: profile})
    state = target_state(
        variant, fitted, {}, InstanceCounts(3, 1, 2), desired=4, limits=Limits(1, 10)
    )
    assert (state.min_instances, state.max_instances, state.desired) == (1, 10, 4)
    assert (state.n_ready, state.n_starting, state.n_draining) == (3, 1, 2)
    assert (state.profile.step.base_s, state.lead.p90_s, state.usd_per_hour) == (
        0.0261,
        200.0,
        14.0,
    )


def trust(name):
    profile = catalogued_profiles()[name]
    spec = profile.resource.spec
    named = {
        "profileRef": {"name": name},
        "modelID": spec.model,
        "accelerator": spec.accelerator,
        "acceleratorCount": spec.accelerator_count,
    }
    variant = read_variant(VARIANT | {"spec": VARIANT["spec"] | named})
    return fitted_profile(variant, catalogued_profiles()).trust


def test_a_measured_profile_is_trusted_and_a_predicted_one_is_not_known_to_be():
    found = [trust(name).status for name in ("llama-3.1-8b-h100", "llama-3.1-70b-a100-tp4")]
    assert found == ["True", "Unknown"]
