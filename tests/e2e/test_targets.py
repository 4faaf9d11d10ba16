"""What can be scaled by our metric, and what stands in the way (checks 17 and 18)."""

import uuid

import pytest

from tests.e2e.scalable_kind import ScalableKind, installed
from tests.e2e.site import object_metric


async def test_a_stateful_set_lands_on_the_number(site):
    labels = {"app": "set"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "server", "image": "none"}]},
    }
    spec = {
        "serviceName": "set",
        "replicas": 1,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "template": template,
    }
    sets = site.path("apps/v1", "statefulsets")
    await site.declare("set")
    await site.api.call("DELETE", site.deployment("set"))
    await site.api.call("POST", sets, {"metadata": {"name": "set"}, "spec": spec})
    await site.publish("set", 11)
    await site.autoscale(
        "set", scaleTargetRef={"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "set"}
    )

    async def replicas():
        return (await site.api.get(f"{sets}/set/scale"))["spec"]["replicas"]

    for counter, desired in ((1, 11), (2, 12), (3, 2)):
        await site.publish("set", desired, decision=f"1-{counter}")

        async def there(wanted=desired):
            return await replicas() == wanted

        await site.until(there)


@pytest.fixture
async def stub(request, site, plane):
    """An object of somebody else's kind with a /scale, as LeaderWorkerSet has one; without a selector where asked."""
    end = uuid.uuid4().hex[:6]
    kind = ScalableKind(site, "example.com", f"groups{end}", f"Group{end}")
    async with installed(site, plane, kind, has_selector=request.param):
        await kind.create("lws", 2, selector="app=leaders")
        yield kind


@pytest.mark.parametrize("stub", [True], indirect=True, ids=["with a selector"])
async def test_anything_with_a_scale_and_a_selector_lands_on_the_number(site, stub):
    await site.declare("lws")
    await site.publish("lws", 5)
    await site.autoscale("lws", scaleTargetRef=stub.reference("lws"))

    async def is_five():
        return await stub.replicas("lws") == 5

    await site.until(is_five)


@pytest.mark.parametrize("stub", [False], indirect=True, ids=["without a selector"])
async def test_a_scale_without_a_selector_is_an_error_that_the_hpa_names(site, stub):
    await site.declare("lws")
    await site.publish("lws", 5)
    await site.autoscale("lws", scaleTargetRef=stub.reference("lws"))

    async def says():
        return "False InvalidSelector" in await site.condition("lws", "ScalingActive")

    await site.until(says)
    assert await stub.replicas("lws") == 2


async def test_two_hpas_on_one_deployment_stop_each_other_and_both_are_named(site):
    await site.declare("shared", replicas=2)
    await site.publish("shared", 2)
    await site.autoscale("shared")
    await site.reaches("shared", 2)
    await site.autoscale(
        "rival",
        scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "shared"},
        metrics=[object_metric("shared")],
    )

    async def is_ambiguous():
        found = await site.condition("shared", "ScalingActive")
        return "AmbiguousSelector" in found and "rival" in found

    await site.until(is_ambiguous)
    await site.publish("shared", 9, decision="1-2")
    await site.stays("shared", 2)
    await site.api.call("DELETE", site.autoscaler("rival"))
    await site.reaches("shared", 9)
