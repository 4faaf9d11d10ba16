"""Our controller puts a model to sleep behind the real HPA, and its first request wakes it (check 8)."""

import asyncio

import aiohttp
import pytest

from llmd_autoscaler.kube.resources import DEPLOYMENTS
from tests.e2e.fleet import loop
from tests.e2e.identity import refused
from tests.e2e.model import Model
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def ask(it):
    """One request of a client: the status, and the reason of a refusal."""
    body = {"model": it.blueprint.model, "prompt": "Hello", "max_tokens": 4}
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{it.router_url}/v1/completions", json=body) as answer,
    ):
        said = await answer.json()
        return answer.status, said.get("error", {}).get("reason")


async def until_asked_for(it, n):
    """Wait until the controller and the Deployment have a number."""
    async with asyncio.timeout(120):
        while True:
            found = await it.kube.get(DEPLOYMENTS, it.namespace, it.target.deployment)
            status = await it.status()
            if (status.get("desiredReplicas"), found["spec"]["replicas"]) == (n, n):
                return
            await asyncio.sleep(0.1)


@pytest.mark.usefixtures("adapter")
async def test_a_model_sleeps_when_it_is_idle_and_its_first_request_wakes_it(
    plane, api, namespace, tmp_path
):
    async with loop(plane, api, namespace, tmp_path, most=3, sleeps=True) as it:
        name, site = it.target.state.name, Site(api, namespace)
        await until_asked_for(it, 0)
        assert await site.value(name) == "0"
        assert (await site.condition(it.target.deployment, "ScaledToZero")).startswith("True")
        await Model(site).says("VariantAutoscaling", name, "HPAHealthy", "True Follows")
        # its last pod was still there when 0 was decided; the routers are told when it is gone
        level = Model(site).path("ServiceLevel", it.blueprint.service_level)

        async def serves_nothing():
            return (await api.get(level))["status"]["mix"] == []

        await site.until(serves_nothing)
        assert await ask(it) == (503, "model_asleep")
        await until_asked_for(it, 1)
        async with asyncio.timeout(60):
            while (await ask(it))[0] != 200:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.2)
        # its HPA has forgotten that it slept
        assert (await site.condition(it.target.deployment, "ScaledToZero")).startswith("False")
        assert refused(plane) == set()
        await site.remove_autoscalers()
