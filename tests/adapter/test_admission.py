"""Who is answered over real TLS: the matrix of certificates, headers and tokens."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.adapter.api_server import HPA_USER, ApiServer
from tests.adapter.secured import HPA, PATH, Pki, Secured, secured

MASTER = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}


@pytest.fixture
async def adapter(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(tmp_path) as made:
        made.api.allow_hpa_controller()
        yield made


async def test_the_hpa_controller_is_answered_through_the_front_proxy(adapter: Secured) -> None:
    code, said = await adapter.get(pair=adapter.front_proxy_pair(), headers=HPA)
    assert code == 200
    assert [item["value"] for item in said["items"]] == ["4"]  # type: ignore[attr-defined]


async def test_headers_without_a_certificate_are_nobodys_word(adapter: Secured) -> None:
    code, said = await adapter.get(headers=MASTER)
    assert (code, said["kind"], said["reason"]) == (401, "Status", "Unauthorized")


async def test_headers_do_not_lend_rights_to_a_token(adapter: Secured) -> None:
    adapter.api.tokens["t"] = {"username": "bob", "groups": []}
    code, said = await adapter.get(bearer="t", headers=MASTER)
    assert code == 403
    assert 'user "bob" may not get' in str(said["message"])


async def test_a_clients_certificate_with_the_front_proxys_name_fails_in_the_handshake(
    adapter: Secured,
) -> None:
    forged = adapter.pki.client.client("front-proxy-client")
    with pytest.raises((aiohttp.ClientError, OSError)):
        await adapter.get(pair=forged, headers=MASTER)


async def test_a_serving_certificate_of_the_front_proxys_ca_is_no_clients(adapter: Secured) -> None:
    # extended key usage serverAuth
    forged = adapter.pki.front_proxy.server("front-proxy-client", ["localhost"])
    with pytest.raises((aiohttp.ClientError, OSError)):
        await adapter.get(pair=forged, headers=MASTER)


async def test_another_name_of_the_front_proxys_ca_is_nobodys_word(adapter: Secured) -> None:
    code, _ = await adapter.get(pair=adapter.front_proxy_pair("somebody-else"), headers=MASTER)
    assert code == 401


async def test_a_front_proxy_that_names_nobody_is_nobody(adapter: Secured) -> None:
    assert (await adapter.get(pair=adapter.front_proxy_pair()))[0] == 401
    assert (await adapter.get(pair=adapter.front_proxy_pair(), headers={"X-Remote-User": ""}))[
        0
    ] == 401


async def test_two_users_at_once_are_nobody(adapter: Secured) -> None:
    two = [*MASTER.items(), ("X-Remote-User", "bob")]
    assert (await adapter.get(pair=adapter.front_proxy_pair(), headers=two))[0] == 401


async def test_a_token_that_the_api_server_knows_is_answered_by_its_rights(
    adapter: Secured,
) -> None:
    adapter.api.tokens["t"] = {"username": "bob", "uid": "7", "groups": ["dev"]}
    assert (await adapter.get(bearer="t"))[0] == 403
    # a denial is kept for ten seconds too, so the one with rights is somebody else
    adapter.api.tokens["u"] = {"username": "eve", "groups": ["dev"]}
    adapter.api.allow("eve", group="custom.metrics.k8s.io", verb="get", namespace="llm", name="a")
    assert (await adapter.get(bearer="u"))[0] == 200


@pytest.mark.parametrize(
    "written",
    [
        "Bearer unknown",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        "Bearer a b",
        "unknown",
        f"Bearer {'x' * 20000}",
    ],
)
async def test_what_is_no_known_token_is_a_401(adapter: Secured, written: str) -> None:
    code, said = await adapter.get(headers={"Authorization": written})
    assert (code, said["reason"]) == (401, "Unauthorized")


async def test_a_second_authorization_header_makes_both_worthless(adapter: Secured) -> None:
    adapter.api.tokens["t"] = {"username": "bob", "groups": ["system:masters"]}
    assert (await adapter.get(bearer="t"))[0] == 200
    twice = [("Authorization", "Bearer x")]
    assert (await adapter.get(bearer="t", headers=twice))[0] == 401


async def test_without_any_word_of_who_asks_only_health_is_told(adapter: Secured) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert await adapter.get(path) == (200, {"text": "ok"})
    for path in ("/metrics", "/apis", PATH, "/", "/openapi/v2", "/nothing"):
        assert (await adapter.get(path))[0] == 401


async def test_a_user_without_rights_is_refused_by_name(adapter: Secured) -> None:
    bob = {"X-Remote-User": "bob"}
    code, said = await adapter.get(pair=adapter.front_proxy_pair(), headers=bob)
    assert (code, said["reason"]) == (403, "Forbidden")
    assert said["message"] == (
        'user "bob" may not get variantautoscalings.autoscaling.llmd.ai/desired_replicas'
        ".custom.metrics.k8s.io in namespace llm"
    )


async def test_a_user_without_groups_is_authenticated_and_may_discover(adapter: Secured) -> None:
    # the aggregator names itself without any group, and system:discovery is bound to system:authenticated
    aggregator = {"X-Remote-User": "system:kube-aggregator"}
    pair = adapter.front_proxy_pair()
    assert (await adapter.get("/apis", pair=pair, headers=aggregator))[0] == 200
    assert (await adapter.get("/openapi/v2", pair=pair, headers=aggregator))[0] == 404


async def test_somebody_whom_the_api_server_calls_anonymous_is_not_authenticated(
    adapter: Secured,
) -> None:
    anonymous = {"X-Remote-User": "system:anonymous", "X-Remote-Group": "system:unauthenticated"}
    assert (await adapter.get("/apis", pair=adapter.front_proxy_pair(), headers=anonymous))[
        0
    ] == 403


async def test_masters_are_not_asked_about(adapter: Secured) -> None:
    assert (await adapter.get(pair=adapter.front_proxy_pair(), headers=MASTER))[0] == 200
    assert adapter.api.asked["access"] == 0


async def test_our_own_metrics_need_the_right_to_their_path(adapter: Secured) -> None:
    prometheus = {"X-Remote-User": "prometheus"}
    adapter.api.tokens["p"] = {"username": "prometheus", "groups": []}
    assert (await adapter.get("/metrics", pair=adapter.front_proxy_pair(), headers=prometheus))[
        0
    ] == 403
    adapter.api.allow("scrapers", path="/metrics", verb="get")
    adapter.api.tokens["p"] = {"username": "prometheus", "groups": ["scrapers"]}
    assert (await adapter.get("/metrics", bearer="p"))[0] == 200


async def test_the_whole_identity_is_asked_about(adapter: Secured) -> None:
    headers = [
        ("X-Remote-User", "bob"),
        ("X-Remote-Uid", "7"),
        ("X-Remote-Group", "a"),
        ("X-Remote-Group", "b"),
        ("X-Remote-Extra-Example.com%2fRole", "one"),
        ("X-Remote-Extra-Example.com%2fRole", "two"),
    ]
    await adapter.get(pair=adapter.front_proxy_pair(), headers=headers)
    assert adapter.api.wishes[-1] == {
        "user": "bob",
        "uid": "7",
        "groups": ["a", "b", "system:authenticated"],
        "extra": {"example.com/role": ["one", "two"]},
        "resourceAttributes": {
            "verb": "get",
            "group": "custom.metrics.k8s.io",
            "version": "v1beta2",
            "namespace": "llm",
            "resource": "variantautoscalings.autoscaling.llmd.ai",
            "subresource": "desired_replicas",
            "name": "a",
        },
    }


async def test_what_is_authorised_is_what_is_answered(adapter: Secured) -> None:
    adapter.api.allow("bob", namespace="llm", name="a", subresource="load")
    adapter.api.tokens["t"] = {"username": "bob", "groups": []}
    for written, code in (
        (PATH.replace("desired_replicas", "load"), 200),
        (PATH.replace("desired_replicas", "%6Coad"), 200),  # the same letters
        (PATH.replace("/a/desired_replicas", "/a%2Fload"), 200),  # as the aggregator decodes it
        (PATH.replace("/a/desired_replicas", "/b/load"), 403),
        (PATH.replace("/a/desired_replicas", "/*/load"), 403),
        (PATH.replace("/llm/", "/other/").replace("desired_replicas", "load"), 403),
    ):
        assert (await adapter.get(written, bearer="t"))[0] == code, written


async def test_a_bearer_of_rights_in_one_namespace_sees_no_other(adapter: Secured) -> None:
    adapter.api.tokens["t"] = {"username": "bob", "groups": []}
    adapter.api.allow("bob", namespace="other", resource="*", subresource="*", verb="get")
    assert (await adapter.get(bearer="t"))[0] == 403


async def test_a_forwarded_reader_of_everything_is_asked_about_once(adapter: Secured) -> None:
    pair = adapter.front_proxy_pair()
    async with adapter.session(pair) as session:
        for metric in ("desired_replicas", "load", "utilization"):
            path = PATH.replace("desired_replicas", metric)
            assert (await adapter.ask(session, path, headers=HPA))[0] == 200
    assert adapter.api.asked["access"] == 1
    assert adapter.api.wishes[0]["resourceAttributes"] == {
        "verb": "get",
        "group": "custom.metrics.k8s.io",
        "version": "*",
        "resource": "*",
        "subresource": "*",
    }


async def test_a_token_with_all_rights_is_asked_about_for_each_object(adapter: Secured) -> None:
    # no API server has seen this request before us: only the exact question counts
    adapter.api.tokens["t"] = {"username": HPA_USER, "groups": []}
    for metric in ("desired_replicas", "load"):
        assert (await adapter.get(PATH.replace("desired_replicas", metric), bearer="t"))[0] == 200
    assert adapter.api.asked == {"token": 1, "access": 2}


async def test_a_review_that_hangs_ends_in_a_refusal_within_its_time(adapter: Secured) -> None:
    adapter.api.reviews_hang = True
    code, said = await adapter.get(pair=adapter.front_proxy_pair(), headers=HPA)
    assert (code, said["reason"]) == (503, "ServiceUnavailable")
    code, said = await adapter.get(bearer="t")
    assert (code, said["reason"]) == (503, "ServiceUnavailable")
    # whoever is not asked about is answered meanwhile
    assert (await adapter.get(pair=adapter.front_proxy_pair(), headers=MASTER))[0] == 200


async def test_a_review_that_fails_is_a_refusal_and_is_not_remembered(adapter: Secured) -> None:
    adapter.api.reviews_fail = True
    assert await adapter.as_hpa() == 503
    adapter.api.reviews_fail = False
    assert await adapter.as_hpa() == 200


async def test_decisions_and_reviews_are_counted(adapter: Secured) -> None:
    await adapter.as_hpa()
    await adapter.get(bearer="unknown")
    await adapter.get()
    lines = await adapter.metrics()
    assert 'llmd_adapter_authentications_total{method="front_proxy",result="known"} 2.0' in lines
    assert 'llmd_adapter_authentications_total{method="token",result="refused"} 1.0' in lines
    assert 'llmd_adapter_authentications_total{method="none",result="refused"} 1.0' in lines
    assert 'llmd_adapter_authorizations_total{result="allowed"} 2.0' in lines
    assert 'llmd_adapter_reviews_total{kind="access",result="answered"} 1.0' in lines
    assert 'llmd_adapter_request_seconds_count{what="metric"} 3.0' in lines


async def test_without_a_config_map_nobody_is_believed_and_the_adapter_is_not_ready(
    tmp_path: Path,
) -> None:
    pki = Pki()
    async with secured(tmp_path, pki=pki, api=ApiServer(None), is_ready=False) as adapter:
        adapter.api.allow_hpa_controller()
        assert await adapter.as_hpa() == 401
        code, said = await adapter.get("/readyz")
        assert code == 503
        assert "has no requestheader-client-ca-file" in str(said["text"])
        adapter.api.config = pki.config()
        await adapter.until_ready()
        assert await adapter.as_hpa() == 200
