"""What the HPA makes of a metric of pods, measured (check 6): why our number is one of an object.

A target of 10 a pod throughout. The HPA takes the average of the pods that have the metric, and before it acts it
supposes of every other pod what speaks against acting: nothing on the way up, the whole target on the way down.
"""

import asyncio
import contextlib
import math
from base64 import b64encode

import pytest

from tests.controlplane.api import MERGE, ApiError
from tests.controlplane.fake_kubelet import FakeKubelet
from tests.controlplane.pki import Authority
from tests.e2e.adapter import loopback_service
from tests.e2e.model import workload
from tests.e2e.pod_metrics import METRIC, PodMetrics, serving
from tests.e2e.site import Site

pytestmark = pytest.mark.slow

SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io"
TARGET = 10


@pytest.fixture
async def metrics(api, namespace, adapter, tmp_path):
    """Metrics of pods in the place of ours, in the version that the HPA asks for, while a test lasts."""
    found, authority = PodMetrics(namespace), Authority("pod-metrics-ca")
    await api.call("POST", f"/api/v1/namespaces/{namespace}/services", loopback_service("double"))
    async with serving(found, authority, f"double.{namespace}.svc", tmp_path) as port:
        await asyncio.to_thread(adapter.wait_until_available)
        ours = (await api.get(SERVICE))["spec"]
        theirs = {"namespace": namespace, "name": "double", "port": port}
        await lead_to(api, theirs, b64encode(authority.pem).decode(), serves="pods/")
        try:
            yield found
        finally:
            await Site(api, namespace).remove_autoscalers()
            await lead_to(api, ours["service"], ours["caBundle"], serves="variantautoscalings")


async def lead_to(api, service, bundle, *, serves):
    """Put a server behind the version, and wait until it is the one that answers."""
    spec = {"service": service, "caBundle": bundle}
    await api.call("PATCH", SERVICE, {"spec": spec}, kind=MERGE)

    async def answers():
        with contextlib.suppress(ApiError):
            listed = (await api.get("/apis/custom.metrics.k8s.io/v1beta2"))["resources"]
            return all(each["name"].startswith(serves) for each in listed)
        return False

    await Site(api, "").until(answers)


async def pods(site, *phases):
    """Phase of each pod by its name, once there are as many as these."""
    found = {}

    async def are_there():
        items = (await site.api.get(site.path("v1", "pods")))["items"]
        found.clear()
        found.update({each["metadata"]["name"]: each["status"]["phase"] for each in items})
        return sorted(found.values()) == sorted(phases)

    await site.until(are_there)
    return found


async def fleet(site, n):
    await site.api.call("POST", site.deployment(), workload("m", n))


async def autoscale(site):
    average = {"type": "AverageValue", "averageValue": str(TARGET)}
    metric = {"type": "Pods", "pods": {"metric": {"name": METRIC}, "target": average}}
    await site.autoscale("m", metrics=[metric])


async def first_landing(site):
    """The number that the HPA went to first."""
    found = []

    async def has_acted():
        events = (await site.api.get(site.path("v1", "events")))["items"]
        found[:] = sorted(
            (int(e["metadata"]["resourceVersion"]), e["message"])
            for e in events
            if e["reason"] == "SuccessfulRescale"
        )
        return bool(found)

    await site.until(has_acted)
    return int(found[0][1].removeprefix("New size: ").partition(";")[0])


@pytest.mark.parametrize("start_s", [0.0, 3600.0], ids=["ready", "running and never ready"])
async def test_the_average_over_running_pods_sets_the_number_ready_or_not(
    api, namespace, metrics, start_s
):
    site, used = Site(api, namespace), (10, 20, 30, 40)
    async with FakeKubelet(api, namespace=namespace, start_delay=lambda _: start_s):
        await fleet(site, 4)
        names = await pods(site, *["Running"] * 4)
        metrics.values = dict(zip(names, used, strict=True))
        await autoscale(site)
        # an average of 25 is 2.5 times the target: ceil(2.5 * 4) = 10
        await site.reaches("m", math.ceil(sum(used) / len(used) / TARGET * 4))
        # and there it stays: the six new pods have no metric, nothing is supposed of them, and 100 / 10 is the target
        await site.stays("m", 10)


async def test_pods_without_the_metric_count_as_idle_on_the_way_up_so_that_nothing_moves(
    api, namespace, metrics
):
    site = Site(api, namespace)
    async with FakeKubelet(api, namespace=namespace):
        await fleet(site, 4)
        first, *_ = await pods(site, *["Running"] * 4)
        metrics.values = {first: 2 * TARGET}
        await autoscale(site)

        async def is_read():
            return "True ValidMetricFound" in await site.condition("m", "ScalingActive")

        await site.until(is_read)
        # twice the target where it is known, 20 / 4 = 5 with nothing for the others: up by one, down by the other
        await site.stays("m", 4)


async def test_pods_without_the_metric_count_as_busy_on_the_way_down(api, namespace, metrics):
    site = Site(api, namespace)
    async with FakeKubelet(api, namespace=namespace):
        await fleet(site, 4)
        first, second, *_ = await pods(site, *["Running"] * 4)
        metrics.values = {first: 2, second: 2}
        await autoscale(site)
        # (2 + 2 + 10 + 10) / 4 = 6 of 10: ceil(0.6 * 4) = 3, where the known average of 2 would say ceil(0.2 * 4) = 1
        assert await first_landing(site) == 3


async def test_a_pod_that_waits_for_a_node_counts_as_idle_whatever_is_said_of_it(
    api, namespace, metrics
):
    site = Site(api, namespace)
    async with FakeKubelet(api, namespace=namespace, capacity=3):
        await fleet(site, 4)
        found = await pods(site, "Pending", *["Running"] * 3)
        metrics.values = {name: 20 if phase == "Running" else 1000 for name, phase in found.items()}
        await autoscale(site)
        # (20 + 20 + 20 + 0) / 4 = 15: ceil(1.5 * 4) = 6; three of the six wait for a node, and 60 / 6 is the target
        await site.reaches("m", 6)
        await site.stays("m", 6)
