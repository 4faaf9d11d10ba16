"""The real HPA on our metric: it lands on the number that was published, and on no other (checks 4, 7, 8, 9, 11)."""

import itertools

import pytest

from tests.controlplane.api import ApiError
from tests.e2e.site import object_metric

# up and down, by one at more than ten, and back: what the default tolerance would swallow is in it
STEPS = (3, 20, 21, 19, 20, 11, 10, 11, 1)

NO_WINDOWS = {
    direction: {"stabilizationWindowSeconds": 0} for direction in ("scaleUp", "scaleDown")
}


async def test_the_hpa_lands_on_exactly_the_published_number_every_time(site):
    await site.declare("exact")
    await site.publish("exact", 1)
    await site.autoscale("exact")
    for counter, desired in enumerate(STEPS, start=2):
        await site.publish("exact", desired, decision=f"1-{counter}")
        await site.reaches("exact", desired)
    await site.stays("exact", STEPS[-1])


@pytest.mark.parametrize(("start", "desired"), [(10, 11), (10, 9), (20, 22)])
async def test_with_the_default_tolerance_a_small_step_at_ten_or_more_is_swallowed(
    site, start, desired
):
    """Why our documentation asks for a tolerance of 0: 10 % of the number is nothing to the HPA."""
    await site.declare("deaf", replicas=start)
    await site.settled("deaf", start)
    await site.publish("deaf", start)
    await site.autoscale("deaf", behavior=NO_WINDOWS)
    await site.publish("deaf", desired, decision="1-2")
    await site.until(lambda: is_value(site, "deaf", str(desired)))
    await site.stays("deaf", start)


async def is_value(site, name, value):
    return await site.value(name) == value


async def test_a_decision_past_its_time_is_withheld_and_the_hpa_holds(site):
    await site.declare("stale", replicas=3)
    await site.publish("stale", 3)
    await site.autoscale("stale")
    await site.reaches("stale", 3)
    await site.publish("stale", 9, decision="1-2", valid_s=-1.0)
    with pytest.raises(ApiError) as failure:
        await site.value("stale")
    assert failure.value.code == 404
    await site.stays("stale", 3)
    assert "False FailedGetObjectMetric" in await site.condition("stale", "ScalingActive")
    await site.publish("stale", 5, decision="1-3")
    await site.reaches("stale", 5)


async def test_the_words_of_a_withheld_metric_reach_the_condition_of_the_hpa(site):
    """Who looks at the HPA must learn there why nothing moves."""
    await site.declare("silent", replicas=2)
    await site.autoscale("silent")

    async def says():
        return "silent" in await site.condition("silent", "ScalingActive")

    await site.until(says)
    assert "FailedGetObjectMetric" in await site.condition("silent", "ScalingActive")
    await site.stays("silent", 2)


async def test_a_variant_that_is_deleted_freezes_its_fleet_and_does_not_empty_it(site):
    await site.declare("gone", replicas=4)
    await site.publish("gone", 4)
    await site.autoscale("gone", minReplicas=0)
    await site.reaches("gone", 4)
    await site.api.call("DELETE", site.variant("gone"))
    await site.stays("gone", 4)


async def test_a_limit_of_the_hpa_cuts_the_number_and_says_so(site):
    await site.declare("cut")
    await site.publish("cut", 9)
    await site.autoscale("cut", maxReplicas=5)
    await site.reaches("cut", 5)
    assert "True TooManyReplicas" in await site.condition("cut", "ScalingLimited")


def external_metric(**labels):
    """The way for those who may not name an object."""
    metric = {"name": "desired_replicas", "selector": {"matchLabels": labels}}
    target = {"type": "AverageValue", "averageValue": "1"}
    return {"type": "External", "external": {"metric": metric, "target": target}}


async def test_the_external_metric_of_one_variant_lands_on_exactly_the_number_too(site):
    await site.declare("ext")
    await site.declare("neighbour")
    await site.publish("neighbour", 30)
    await site.publish("ext", 3)
    await site.autoscale("ext", metrics=[external_metric(variantautoscaling="ext")])
    for counter, desired in ((2, 20), (3, 21), (4, 1)):
        await site.publish("ext", desired, decision=f"1-{counter}")
        await site.reaches("ext", desired)


async def test_two_series_of_an_external_metric_are_an_error_and_not_their_sum(site):
    await site.declare("one", replicas=2)
    await site.declare("two", replicas=2)
    await site.publish("one", 5)
    await site.publish("two", 6)
    await site.autoscale("one", metrics=[external_metric()])

    async def says():
        return "would add them up" in await site.condition("one", "ScalingActive")

    await site.until(says)
    await site.stays("one", 2)


async def test_a_target_of_the_type_value_runs_away_instead_of_landing(site):
    """It multiplies by the ready pods: 2 x 2 = 4 pods, then 2 x 4, until the limit; ours is AverageValue."""
    await site.declare("value", replicas=2)
    await site.publish("value", 2)
    target = {"type": "Value", "value": "1"}
    metrics = [object_metric("value", target)]
    await site.autoscale("value", metrics=metrics, maxReplicas=12)
    await site.reaches("value", 12)


async def test_without_rules_of_behavior_a_fleet_only_doubles_at_each_look(site):
    """And falls after five minutes: both stand in the way of a number that is right at once."""
    await site.declare("default", replicas=2)
    await site.publish("default", 2)
    await site.autoscale("default", behavior=None)
    seen = [await site.replicas("default")]
    await site.publish("default", 20, decision="1-2")

    async def there():
        found = await site.replicas("default")
        if found != seen[-1]:
            seen.append(found)
        return found == 20

    await site.until(there)
    # never more than double, or four
    assert all(later <= max(2 * before, 4) for before, later in itertools.pairwise(seen))
    await site.publish("default", 3, decision="1-3")
    await site.stays("default", 20)


async def test_a_number_beyond_int32_never_reaches_the_hpa(site):
    """Measured: 2^31 and above overflow in the HPA and empty the fleet. The CRD has the limit."""
    await site.declare("huge", replicas=2)
    with pytest.raises(ApiError, match="2147483647"):
        await site.publish("huge", 2**31)


class TestScaleToZero:
    """What the HPA of 1.37 remembers: it wakes what it has put to sleep, and nothing else."""

    @pytest.fixture
    async def asleep(self, site):
        """A fleet that the HPA has put to sleep."""
        await site.declare("zero", replicas=2)
        await site.publish("zero", 2)
        await site.autoscale("zero", minReplicas=0)
        await site.publish("zero", 0, decision="1-2")
        await site.reaches("zero", 0)

        async def remembers():
            return (await site.condition("zero", "ScaledToZero")).startswith("True")

        await site.until(remembers)
        return site

    async def test_it_wakes_what_it_has_put_to_sleep(self, asleep):
        await asleep.publish("zero", 3, decision="1-3")
        await asleep.reaches("zero", 3)

        async def has_forgotten():
            return (await asleep.condition("zero", "ScaledToZero")).startswith("False")

        await asleep.until(has_forgotten)

    async def test_it_does_not_wake_what_somebody_else_has_put_to_sleep(self, site):
        await site.declare("manual", replicas=2)
        await site.publish("manual", 2)
        await site.autoscale("manual", minReplicas=0)
        await site.reaches("manual", 2)
        await site.scale("manual", 0)

        async def is_seen():
            return "ScalingDisabled" in await site.condition("manual", "ScalingActive")

        # an HPA that is just now acting on two replicas would write once more
        await site.until(is_seen)
        await site.publish("manual", 4, decision="1-2")
        await site.stays("manual", 0)
        assert "False ScalingDisabled" in await site.condition("manual", "ScalingActive")
        # and it goes on as soon as somebody wakes it
        await site.scale("manual", 1)
        await site.reaches("manual", 4)

    async def test_it_does_not_wake_what_was_made_asleep(self, site):
        await site.declare("born", replicas=0)
        await site.publish("born", 3)
        await site.autoscale("born", minReplicas=0)
        await site.stays("born", 0)

    async def test_a_withheld_metric_never_puts_to_sleep(self, site):
        await site.declare("awake", replicas=2)
        await site.publish("awake", 0, valid_s=-1.0)
        await site.autoscale("awake", minReplicas=0)
        await site.stays("awake", 2)
