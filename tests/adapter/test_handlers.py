"""The API as the HPA, the aggregator and kubectl see it."""

import asyncio
import json

import pytest

from adapter.store import METRICS, Store
from tests.adapter.conftest import G1, G2, VA, World, status

PATH = f"{G2}/namespaces/llm/{VA}/a/desired_replicas"


async def test_v1beta2_answers_in_its_shape(world: World) -> None:
    world.put("a", status(decidedAt="2026-11-24T09:29:58Z"))
    assert await world.get(PATH) == (
        200,
        {
            "kind": "MetricValueList",
            "apiVersion": "custom.metrics.k8s.io/v1beta2",
            "metadata": {},
            "items": [
                {
                    "describedObject": {
                        "kind": "VariantAutoscaling",
                        "namespace": "llm",
                        "name": "a",
                        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
                    },
                    "metric": {"name": "desired_replicas", "selector": None},
                    "timestamp": "2026-11-24T09:29:58Z",
                    "windowSeconds": 0,
                    "value": "4",
                }
            ],
        },
    )


async def test_v1beta1_answers_in_its_shape(world: World) -> None:
    world.put("a", status(decidedAt="2026-11-24T09:29:58Z"))
    _, said = await world.get(f"{G1}/namespaces/llm/{VA}/a/load")
    assert said["apiVersion"] == "custom.metrics.k8s.io/v1beta1"
    (item,) = said["items"]  # type: ignore[misc]
    assert (item["metricName"], item["window"], item["selector"]) == ("load", 0, None)
    assert (item["timestamp"], item["value"]) == ("2026-11-24T09:29:58Z", "3210m")


async def test_json_is_answered_to_a_client_that_prefers_protobuf(world: World) -> None:
    world.put("a", status())
    code, _ = await world.get(PATH, Accept="application/vnd.kubernetes.protobuf, */*")
    assert code == 200


async def test_a_star_lists_those_whose_labels_match(world: World) -> None:
    world.put("a", status(1), team="x")
    world.put("b", status(2), team="y")
    world.put("c", status(3), team="x")
    for star in ("*", "%2A"):
        _, said = await world.get(f"{G2}/namespaces/llm/{VA}/{star}/load?labelSelector=team%3Dx")
        names = [item["describedObject"]["name"] for item in said["items"]]  # type: ignore[attr-defined]
        assert names == ["a", "c"]


async def test_a_list_leaves_out_what_is_withheld(world: World) -> None:
    world.put("a", status())
    world.put("b", {})
    _, said = await world.get(f"{G2}/namespaces/llm/{VA}/*/load")
    assert len(said["items"]) == 1  # type: ignore[arg-type]


async def test_a_list_of_nothing_says_why(world: World) -> None:
    assert "matches the labelSelector" in await world.refusal(f"{G2}/namespaces/llm/{VA}/*/load")
    world.put("b", {})
    assert "no decision for b" in await world.refusal(f"{G2}/namespaces/llm/{VA}/*/load")


async def test_objects_of_other_namespaces_are_not_seen(world: World) -> None:
    world.put("a", status())
    assert "namespace other" in await world.refusal(f"{G2}/namespaces/other/{VA}/a/load")
    assert "namespace other" in await world.refusal(f"{G2}/namespaces/other/{VA}/*/load")


async def test_a_selector_that_cannot_be_read_is_a_400(world: World) -> None:
    code, said = await world.get(f"{G2}/namespaces/llm/{VA}/*/load?labelSelector=a%3D%3D%3Db")
    assert (code, said["reason"]) == (400, "BadRequest")


async def test_a_metric_selector_matches_nothing_and_the_hpa_is_told_so(world: World) -> None:
    world.put("a", status())
    assert "remove metric.selector" in await world.refusal(PATH + "?metricLabelSelector=a%3Db")


async def test_a_metric_that_does_not_exist_names_those_that_do(world: World) -> None:
    world.put("a", status())
    said = await world.refusal(f"{G2}/namespaces/llm/{VA}/a/replicas")
    assert "there is no metric replicas" in said
    assert "desired_replicas" in said


async def test_an_older_epoch_and_an_expired_value_say_what_is_wrong(world: World) -> None:
    world.put("a", status(decision="8-1"))
    world.put("a", status(decision="7-3"))
    assert "leader epoch 7, but epoch 8 has been seen" in await world.refusal(PATH)
    world.put("b", status(validUntil="2026-11-24T09:20:00Z"))
    said = await world.refusal(PATH.replace("/a/", "/b/"))
    assert "valid until 2026-11-24T09:20:00Z and it is 2026-11-24T09:30:00Z" in said


@pytest.mark.parametrize(
    "path",
    [
        f"/namespaces/llm/{VA}/a/desired_replicas/",
        f"/namespaces/llm/{VA}//desired_replicas",
        f"/namespaces/llm/{VA}/a/desired_replicas%2F",
        f"/namespaces/llm/{VA}/a%252F/desired_replicas",
        f"/namespaces/llm/{VA}/%2E%2E/desired_replicas",
        f"/namespaces/llm/{VA}/./desired_replicas",
        "/namespaces/llm/pods/a/desired_replicas",
        "/namespaces/llm/metrics/desired_replicas",
        f"/{VA}/a/desired_replicas",
        "/namespaces/llm",
    ],
)
async def test_a_path_that_could_be_read_in_two_ways_or_names_nothing_is_a_404(
    world: World, path: str
) -> None:
    world.put("a", status())
    world.put("..", status())
    world.put(".", status())
    # aiohttp's client would tidy the path: write it as it is
    raw = await raw_get(world, G2 + path)
    assert raw.startswith(b"HTTP/1.1 404 ")
    assert b'"kind": "Status"' in raw


async def test_an_encoded_slash_is_read_as_the_slash_that_the_aggregator_makes_of_it(
    world: World,
) -> None:
    world.put("a", status())
    raw = await raw_get(world, f"{G2}/namespaces/llm/{VA}/a%2Fload")
    assert raw.startswith(b"HTTP/1.1 200 ")


async def raw_get(world: World, path: str) -> bytes:
    host, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_discovery_lists_both_versions_and_prefers_the_newer(world: World) -> None:
    _, group = await world.get("/apis/custom.metrics.k8s.io")
    assert group["kind"] == "APIGroup"
    assert group["preferredVersion"]["version"] == "v1beta2"  # type: ignore[index]
    _, groups = await world.get("/apis")
    assert [each["name"] for each in groups["groups"]] == ["custom.metrics.k8s.io"]  # type: ignore[attr-defined]
    for version in ("v1beta1", "v1beta2"):
        _, page = await world.get(f"/apis/custom.metrics.k8s.io/{version}")
        assert page["groupVersion"] == f"custom.metrics.k8s.io/{version}"
        resources = page["resources"]
        assert [each["name"] for each in resources] == [f"{VA}/{metric}" for metric in METRICS]  # type: ignore[attr-defined]
        assert {each["namespaced"] for each in resources} == {True}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", ["/", "/openapi/v2", "/openapi/v3", "/apis/external.metrics.k8s.io/v1beta1", "/apis/"]
)
async def test_what_is_not_served_is_a_clean_404(world: World, path: str) -> None:
    assert await world.refusal(path) == "the server could not find the requested resource"


async def test_only_get_is_answered(world: World) -> None:
    async with world.session.post(world.url + PATH) as answer:
        assert answer.status == 405
        assert (await answer.json())["reason"] == "MethodNotAllowed"


async def page_of(world: World, path: str) -> tuple[int, str]:
    async with world.session.get(world.url + path) as answer:
        return answer.status, await answer.text()


async def test_ready_means_synced_and_healthy_means_alive(world: World) -> None:
    assert await page_of(world, "/readyz") == (200, "ok")
    world.store.is_synced = False
    assert (await page_of(world, "/readyz"))[0] == 503
    assert await page_of(world, "/healthz") == (200, "ok")


async def test_requests_and_values_are_counted(world: World) -> None:
    world.put("a", status())
    await world.value("a", "load")
    await world.refusal(PATH.replace("/a/", "/nobody/"))
    _, page = await page_of(world, "/metrics")
    lines = page.splitlines()
    assert "llmd_adapter_served_total 1.0" in lines
    assert 'llmd_adapter_withheld_total{reason="unknown_object"} 1.0' in lines
    assert 'llmd_adapter_requests_total{code="200"} 1.0' in lines
    assert 'llmd_adapter_requests_total{code="404"} 1.0' in lines
    assert "llmd_adapter_objects 1.0" in lines
    assert "llmd_adapter_watch_connected 1.0" in lines


async def test_what_nobody_expected_is_a_status_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Store, "served", breaks)
    code, said = await world.get(PATH)
    assert (code, said["kind"], said["code"]) == (500, "Status", 500)
    assert "a bug" not in str(said)


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def apis(world: World, accept: str, **headers: str) -> tuple[int, str, str, bytes]:
    async with world.session.get(
        world.url + "/apis", headers={"Accept": accept, **headers}
    ) as answer:
        kind = answer.headers["Content-Type"]
        return answer.status, kind, answer.headers["ETag"], await answer.read()


@pytest.mark.parametrize(
    "accept",
    [
        AGGREGATED,
        # as client-go writes it: newest first, plain last
        f"{AGGREGATED},{AGGREGATED.replace('v=v2', 'v=v2beta1')},application/json",
        f"application/vnd.kubernetes.protobuf, {AGGREGATED.replace(';', '; ')}",
    ],
)
async def test_aggregated_discovery_is_told_in_exactly_its_media_type(
    world: World, accept: str
) -> None:
    code, kind, _, body = await apis(world, accept)
    assert (code, kind) == (200, AGGREGATED)
    page = json.loads(body)
    assert page["kind"] == "APIGroupDiscoveryList"
    (group,) = page["items"]
    assert [version["version"] for version in group["versions"]] == ["v1beta2", "v1beta1"]
    (resource,) = group["versions"][0]["resources"]
    assert (resource["resource"], resource["scope"]) == (VA, "Namespaced")
    assert [each["subresource"] for each in resource["subresources"]] == list(METRICS)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "",
        AGGREGATED.replace("v=v2", "v=v2beta1"),
        "application/vnd.kubernetes.protobuf",
    ],
)
async def test_all_others_are_told_of_groups_in_plain_json(world: World, accept: str) -> None:
    code, kind, _, body = await apis(world, accept)
    assert (code, kind, json.loads(body)["kind"]) == (200, "application/json", "APIGroupList")


async def test_a_page_that_the_client_has_already_is_not_sent_again(world: World) -> None:
    _, _, etag, _ = await apis(world, AGGREGATED)
    assert (await apis(world, AGGREGATED, **{"If-None-Match": etag}))[::3] == (304, b"")
    # the other form of the page is another page
    assert (await apis(world, "*/*", **{"If-None-Match": etag}))[0] == 200
