"""What stands in the way of a number is said in a condition of ours, and never becomes a wrong number (checks 8, 9, 18)."""

import pytest

from tests.controlplane.api import MERGE, ApiError
from tests.e2e.site import object_metric

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("controller")]

VARIANT, LEVEL = "VariantAutoscaling", "ServiceLevel"
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}


async def replace_in_hpa(model, name, **changes):
    path = model.site.autoscaler(name)
    await model.site.api.call("PATCH", path, {"spec": changes}, kind=MERGE)


async def test_a_second_hpa_on_a_target_is_named_with_the_first_and_over_once_it_is_gone(model):
    await model.run("shared", 2)
    await model.says(VARIANT, "shared", "HPAHealthy", "True Follows")
    rival = {"scaleTargetRef": DEPLOYMENT | {"name": "shared"}}
    await model.site.autoscale("rival", metrics=[object_metric("shared")], **rival)
    await model.says(
        VARIANT, "shared", "HPAHealthy", "False AmbiguousSelector", 'HPAs "rival" and "shared"'
    )
    await model.hold("shared", 9)
    await model.site.stays("shared", 2)
    await model.site.api.call("DELETE", model.site.autoscaler("rival"))
    await model.site.reaches("shared", 9)
    await model.says(VARIANT, "shared", "HPAHealthy", "True Follows")


async def test_of_two_variants_on_one_target_the_older_acts_and_the_younger_says_whose_it_is(model):
    await model.run("first", 2)
    await model.variant("second", hold=7, scaleTargetRef=DEPLOYMENT | {"name": "first"})
    await model.says(VARIANT, "second", "TargetResolved", "False TargetTaken", '"first" already')
    assert "desiredReplicas" not in await model.status(VARIANT, "second")
    with pytest.raises(ApiError) as failure:
        await model.site.value("second")
    assert failure.value.code == 404
    assert await model.site.value("first") == "2"
    await model.hold("first", 3)
    await model.site.reaches("first", 3)
    # whoever is left takes over
    await model.site.api.call("DELETE", model.site.variant("first"))
    await model.says(VARIANT, "second", "TargetResolved", "True Resolved", "3 ready")
    assert await model.site.value("second") == "7"


async def test_of_two_service_levels_of_one_model_both_say_so_and_the_older_acts(model):
    await model.run("a100", 2)
    await model.level("another")
    for name, other in (("llama-70b", "another"), ("another", "llama-70b")):
        await model.says(
            LEVEL, name, "Conflict", "True SecondServiceLevel", f'"{other}" is', '"llama-70b" acts'
        )
    assert "decisionID" in await model.status(LEVEL, "llama-70b")
    assert "decisionID" not in await model.status(LEVEL, "another")
    await model.hold("a100", 3)
    await model.site.reaches("a100", 3)
    await model.site.api.call("DELETE", model.path(LEVEL, "another"))
    await model.says(LEVEL, "llama-70b", "Conflict", "False OnlyOne")


async def test_a_limit_of_the_hpa_below_ours_is_said_and_over_once_it_is_raised(model):
    await model.run("cut", 2, maxReplicas=5)
    await model.hold("cut", 8)
    await model.says(VARIANT, "cut", "HPAHealthy", "False Clamped", "maxReplicas 5, below ours, 8")
    await model.site.reaches("cut", 5)
    await replace_in_hpa(model, "cut", maxReplicas=20)
    await model.site.reaches("cut", 8)
    await model.says(VARIANT, "cut", "HPAHealthy", "True Follows")


async def test_a_target_that_no_hpa_scales_is_told_which_one_to_write(model):
    await model.deployment("alone", 2)
    await model.variant("alone", hold=4)
    said = await model.says(VARIANT, "alone", "HPAHealthy", "False NoHPA", "nobody follows")
    assert "VariantAutoscaling, name: alone}, metric: {name: desired_replicas}" in said
    await model.site.stays("alone", 2)
    await model.site.autoscale("alone")
    await model.site.reaches("alone", 4)
    await model.says(VARIANT, "alone", "HPAHealthy", "True Follows")


VALUE = {"type": "Value", "value": "1"}


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("value", {"metrics": [object_metric("value", VALUE)]}, ("ValueTarget", "AverageValue")),
        ("lax", {"behavior": None}, ("Tolerance", "scaleUp and behavior.scaleDown")),
        ("mute", {"metrics": [object_metric("another")]}, ("NoMetric", 'VariantAutoscaling "mute"')),
    ],
    ids=["target of the type Value", "default tolerance above ten", "another's metric"],
)  # fmt: skip
async def test_an_hpa_that_cannot_land_on_the_number_is_told_what_to_write(
    model, name, changes, said
):
    await model.deployment(name, 2)
    await model.variant(name, hold=2 if name == "value" else 12)
    await model.site.autoscale(name, maxReplicas=20, **changes)
    await model.says(VARIANT, name, "HPAHealthy", "False", *said)


async def test_a_zero_by_hand_stays_and_is_told_what_wakes_it(model):
    await model.run("zero", 3)
    await model.site.scale("zero", 0)
    await model.says(
        VARIANT, "zero", "HPAHealthy", "False HPAScalingDisabled", "write 1 replica once"
    )
    await model.site.stays("zero", 0)
    assert await model.site.value("zero") == "3"
    await model.site.scale("zero", 1)
    await model.site.reaches("zero", 3)
    await model.says(VARIANT, "zero", "HPAHealthy", "True Follows")


async def test_an_hpa_that_stops_at_one_keeps_awake_what_may_sleep_and_is_named(model):
    await model.deployment("awake", 1)
    await model.variant("awake", minReplicas=0)
    await model.site.autoscale("awake")
    await model.says(VARIANT, "awake", "HPAHealthy", "False Clamped", "minReplicas 1, above ours")
    assert await model.site.value("awake") == "1"
    await model.site.stays("awake", 1)


async def test_pods_that_two_selectors_select_are_counted_once_and_the_overlap_is_said(model):
    """The real controllers of Deployments tell such pods apart by owner; the HPA does not."""
    await model.run("wide", 2)
    await model.deployment("narrow", 3, {"app": "wide", "tier": "narrow"})
    await model.variant("narrow", hold=3)
    for name in ("wide", "narrow"):
        await model.says(VARIANT, name, "Conflict", "True OverlappingSelectors", "such as narrow-")
    await model.says(VARIANT, "narrow", "TargetResolved", "3 ready")
    await model.says(VARIANT, "wide", "TargetResolved", "2 ready")
    assert await model.site.value("wide") == "2"
    # a second HPA whose pods are these too stops both, and ours says which ones
    await model.site.autoscale("narrow")
    for name in ("wide", "narrow"):
        await model.says(VARIANT, name, "HPAHealthy", "False HPAAmbiguousSelector", "narrow")
    await model.hold("narrow", 5)
    await model.hold("wide", 5)
    await model.site.stays("narrow", 3)
    await model.site.stays("wide", 2)


async def test_a_profile_that_is_deleted_in_use_leaves_the_last_number_and_is_named(model):
    await model.profile("own")
    await model.deployment("m", 2)
    await model.variant("m", hold=2, profileRef={"name": "own"})
    await model.site.autoscale("m")
    await model.says(VARIANT, "m", "TargetResolved", "True", "2 ready")
    await model.site.api.call("DELETE", model.path("CapacityProfile", "own"))
    said = await model.says(VARIANT, "m", "ProfileTrusted", "False", '"own"')
    assert "the last decision, 2, holds until" in said
    assert await model.site.value("m") == "2"
    await model.site.stays("m", 2)
    await model.profile("own")
    await model.says(VARIANT, "m", "ProfileTrusted", "Predicted")
    await model.hold("m", 4)
    await model.site.reaches("m", 4)
