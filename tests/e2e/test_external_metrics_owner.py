"""Beside KEDA: external.metrics.k8s.io is a cluster's only once, and ours asks whose it is before it serves it."""

import asyncio

import pytest

from tests.controlplane.api import MERGE
from tests.e2e.adapter import loopback_service
from tests.e2e.identity import NAMESPACE

pytestmark = pytest.mark.slow

GROUP = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
KEDA = "keda-operator-metrics-apiserver"


@pytest.fixture
async def keda(site, adapter):
    """The group as KEDA's installation leaves it: it leads to a Service of KEDA's."""
    ours = (await site.api.get(GROUP))["spec"]["service"]
    theirs = {"namespace": site.namespace, "name": KEDA, "port": 443}
    await site.api.call("POST", site.path("v1", "services"), loopback_service(KEDA))
    await site.api.call("PATCH", GROUP, {"spec": {"service": theirs}}, kind=MERGE)
    yield theirs
    await site.api.call("PATCH", GROUP, {"spec": {"service": ours}}, kind=MERGE)
    await asyncio.to_thread(adapter.wait_until_available)


async def test_an_adapter_ends_with_a_sentence_where_the_group_is_kedas_and_takes_nothing(
    site, adapter, keda
):
    _, second = adapter.replicas
    await site.declare("beside")
    await site.publish("beside", 4)
    second.start()
    try:
        async with asyncio.timeout(60):
            while second.alive:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
    finally:
        second.stop()
    assert second.process.returncode == 2
    (said,) = [line for line in second.tail().splitlines() if "leads to" in line]
    assert f"leads to {site.namespace}/{KEDA}, not to {NAMESPACE}/llmd-adapter" in said
    assert "leave out --external-metrics" in said
    assert (await site.api.get(GROUP))["spec"]["service"] == keda
    # what the others serve of custom.metrics.k8s.io goes on
    assert await site.value("beside") == "4"
