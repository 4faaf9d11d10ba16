"""external.metrics.k8s.io: one series an answer, and never in somebody else's place."""

import asyncio
from pathlib import Path

import pytest

from adapter.external_metrics import API_SERVICE, check_owner
from adapter.process import Options, run_adapter, serving
from adapter.store import METRICS
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from tests.adapter.api_server import ApiServer
from tests.adapter.conftest import World, status
from tests.adapter.secured import HPA, Pki, secured

E1 = "/apis/external.metrics.k8s.io/v1beta1"
OURS = "llmd-system/llmd-adapter"
KEDA = {"spec": {"service": {"namespace": "keda", "name": "keda-operator-metrics-apiserver"}}}


async def test_a_series_answers_in_its_shape(external_world: World) -> None:
    external_world.put("a", status(decidedAt="2026-11-24T09:29:58Z"), team="x")
    external_world.put("b", status(7), team="y")
    path = f"{E1}/namespaces/llm/desired_replicas?labelSelector=variantautoscaling%3Da"
    assert await external_world.get(path) == (
        200,
        {
            "kind": "ExternalMetricValueList",
            "apiVersion": "external.metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": [
                {
                    "metricName": "desired_replicas",
                    "metricLabels": {"variantautoscaling": "a"},
                    "timestamp": "2026-11-24T09:29:58Z",
                    "window": 0,
                    "value": "4",
                }
            ],
        },
    )
    _, said = await external_world.get(f"{E1}/namespaces/llm/load?labelSelector=team%3Dy")
    assert said["items"][0]["metricLabels"] == {"variantautoscaling": "b"}  # type: ignore[index]


async def test_two_series_are_an_error_and_never_a_sum(external_world: World) -> None:
    external_world.put("a", status(3))
    external_world.put("b", status(4))
    said = await external_world.refusal(f"{E1}/namespaces/llm/desired_replicas")
    assert "2 VariantAutoscalings in namespace llm match" in said
    assert "variantautoscaling: NAME" in said


async def test_one_of_two_that_is_withheld_is_not_replaced_by_the_other(
    external_world: World,
) -> None:
    external_world.put("a", status(3))
    external_world.put("b", {})
    assert "2 VariantAutoscalings" in await external_world.refusal(f"{E1}/namespaces/llm/load")


async def test_what_is_withheld_says_why(external_world: World) -> None:
    external_world.put("a", status(validUntil="2026-11-24T09:20:00Z"))
    assert "has not renewed it" in await external_world.refusal(f"{E1}/namespaces/llm/load")
    assert "namespace other" in await external_world.refusal(f"{E1}/namespaces/other/load")
    assert "no metric cpu" in await external_world.refusal(f"{E1}/namespaces/llm/cpu")
    code, _ = await external_world.get(f"{E1}/namespaces/llm/load?labelSelector=a%3D%3D%3Db")
    assert code == 400


async def test_discovery_lists_the_group_only_where_it_is_served(
    world: World, external_world: World
) -> None:
    _, page = await external_world.get(E1)
    assert [each["name"] for each in page["resources"]] == list(METRICS)  # type: ignore[attr-defined]
    _, groups = await external_world.get("/apis")
    names = [each["name"] for each in groups["groups"]]  # type: ignore[attr-defined]
    assert names == ["custom.metrics.k8s.io", "external.metrics.k8s.io"]
    assert (await external_world.get("/apis/external.metrics.k8s.io"))[0] == 200
    await world.refusal("/apis/external.metrics.k8s.io")
    await world.refusal(f"{E1}/namespaces/llm/load")


async def test_a_list_of_series_is_what_is_authorised(tmp_path: Path) -> None:
    async with secured(tmp_path, external_service=OURS) as adapter:
        pair = adapter.front_proxy_pair()
        code, _ = await adapter.get(f"{E1}/namespaces/llm/load", pair=pair, headers=HPA)
        assert code == 403
        assert adapter.api.wishes[-1]["resourceAttributes"] == {
            "verb": "list",
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "namespace": "llm",
            "resource": "load",
        }


@pytest.mark.parametrize(
    "found", [None, {"spec": {"service": {"namespace": "llmd-system", "name": "llmd-adapter"}}}]
)
def test_a_group_that_is_free_or_ours_is_served(found: dict[str, object] | None) -> None:
    check_owner(found, OURS)


@pytest.mark.parametrize("found", [KEDA, {"spec": {}}, {"spec": {"service": None}}, {}])
def test_a_group_that_is_somebody_elses_is_not_taken(found: dict[str, object]) -> None:
    with pytest.raises(
        ConfigError, match=r"APIService v1beta1\.external\.metrics\.k8s\.io leads to"
    ):
        check_owner(found, OURS)


async def test_an_adapter_ends_where_keda_serves_the_group() -> None:
    api = ApiServer(None)
    api.api_services[API_SERVICE] = KEDA
    async with api.serving() as address, asyncio.timeout(20):
        with pytest.raises(ConfigError, match="leads to keda/keda-operator-metrics-apiserver"):
            await run_adapter(Options(clock=Clock(), api=address, port=0, external_service=OURS))


async def test_an_adapter_that_does_not_know_whose_the_group_is_is_not_ready(
    tmp_path: Path,
) -> None:
    pki = Pki()
    api = ApiServer(pki.config())
    api.reviews_fail = True  # APIServices too
    async with secured(
        tmp_path, pki=pki, api=api, is_ready=False, external_service=OURS
    ) as adapter:
        async with asyncio.timeout(20):
            while "APIService" not in str((await adapter.get("/readyz"))[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        api.reviews_fail = False
        await adapter.until_ready()


async def test_without_external_metrics_nobody_is_asked_whose_they_are() -> None:
    api = ApiServer(None)
    api.api_services[API_SERVICE] = KEDA
    async with (
        api.serving() as address,
        serving(Options(clock=Clock(), api=address, port=0)) as running,
    ):
        assert running.address[1]
