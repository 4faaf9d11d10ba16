"""Who the adapter answers beside a real API server, with the identity and the rights that it ships with (checks 14, 20)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from adapter.authorization import Attributes
from adapter.process import Options, serving
from adapter.tls import CertificateFiles
from llmd_autoscaler.clock import Clock
from tests.controlplane.api import Api, ApiError, Json
from tests.controlplane.pki import Authority, KeyPair
from tests.controlplane.plane import ControlPlane
from tests.e2e.site import Site

HPA = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
OURS = ("llmd-admission", "adapter")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SUBJECT = {"kind": "ServiceAccount", "namespace": OURS[0], "name": OURS[1]}


@dataclass
class Direct:
    """The adapter, asked without an API server in between."""

    plane: ControlPlane
    authority: Authority
    port: int
    folder: Path

    async def get(
        self,
        path: str,
        *,
        pair: KeyPair | None = None,
        headers: Sequence[tuple[str, str]] = (),
        bearer: str = "",
    ) -> int:
        """A status code."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if pair is not None:
            context.load_cert_chain(*pair.write(self.folder, "client"))
        given = [*headers, *([("Authorization", f"Bearer {bearer}")] if bearer else [])]
        connector = aiohttp.TCPConnector(ssl=context)
        async with (
            aiohttp.ClientSession(connector=connector, trust_env=False) as session,
            session.get(f"https://127.0.0.1:{self.port}{path}", headers=given) as answer,
        ):
            assert "Retry-After" not in answer.headers
            return answer.status

    async def forwarded(self, path: str, user: str, *groups: str) -> int:
        """As the real front proxy would pass it on."""
        pair = self.plane.front_proxy_ca.client("front-proxy-client")
        headers = [("X-Remote-User", user), *(("X-Remote-Group", group) for group in groups)]
        return await self.get(path, pair=pair, headers=headers)


async def bind(api: Api, name: str, rules: list[Json], subject: Json) -> None:
    """A ClusterRole and its binding; those of an earlier test stay."""
    await have(api, f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    await give(api, name, name, subject)


async def give(api: Api, name: str, role: str, subject: Json) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    body = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    await have(api, f"{RBAC}/clusterrolebindings", body)


async def have(api: Api, path: str, body: Json) -> None:
    try:
        await api.call("POST", path, body)
    except ApiError as error:
        if error.code != 409:
            raise


async def grant_what_we_ship(api: Api) -> None:
    """The rights of the adapter's service account, and no others."""
    await have(api, "/api/v1/namespaces", {"metadata": {"name": OURS[0]}})
    objects = {
        "apiGroups": ["autoscaling.llmd.ai"],
        "resources": ["variantautoscalings"],
        "verbs": ["list", "watch"],
    }
    await bind(api, "llmd-admission-adapter", [objects], SUBJECT)
    await give(api, "llmd-admission-delegator", "system:auth-delegator", SUBJECT)
    reader = "extension-apiserver-authentication-reader"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": reader}
    body = {"metadata": {"name": "llmd-admission"}, "roleRef": role, "subjects": [SUBJECT]}
    await have(api, f"{RBAC}/namespaces/kube-system/rolebindings", body)


@asynccontextmanager
async def standing(plane: ControlPlane, kubeconfig: Path, folder: Path) -> AsyncIterator[Direct]:
    authority = Authority("adapter-ca")
    files = CertificateFiles(*authority.server("adapter", ["127.0.0.1"]).write(folder, "serving"))
    given = Options(clock=Clock(), api="", kubeconfig=str(kubeconfig), port=0, certificate=files)
    async with serving(given) as running:
        direct = Direct(plane, authority, running.address[1], folder)
        async with asyncio.timeout(30):
            while await direct.get("/readyz") != 200:  # noqa: ASYNC110 (asked as a kubelet does)
                await asyncio.sleep(0.05)
        yield direct


@pytest.fixture
async def direct(plane: ControlPlane, api: Api, tmp_path: Path) -> AsyncIterator[Direct]:
    """An adapter under its own service account."""
    await grant_what_we_ship(api)
    kubeconfig = await asyncio.to_thread(plane.service_account, *OURS)
    async with standing(plane, kubeconfig, tmp_path) as made:
        yield made


@pytest.fixture
async def metric(api: Api, namespace: str, direct: Direct) -> str:
    """The path of a number that the adapter serves."""
    site = Site(api, namespace)
    await site.declare("v")
    await site.publish("v", 4)
    path = site.metric("v")
    async with asyncio.timeout(20):
        while await direct.forwarded(path, "admin", "system:masters") != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return path


async def test_the_hpa_controller_needs_no_role_but_the_stock_one(direct, metric):
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
    assert await direct.forwarded(metric, HPA, *groups) == 200


@pytest.mark.parametrize(("user", "is_allowed"), [(HPA, True), ("nobody", False)])
async def test_one_question_about_a_whole_group_is_understood_by_the_api_server(
    api, user, is_allowed
):
    wanted = Attributes(group="custom.metrics.k8s.io", subresource="m").whole_group()._asdict()
    wanted = {key: value for key, value in wanted.items() if value}
    spec = {"user": user, "groups": ["system:authenticated"], "resourceAttributes": wanted}
    review = await api.call(
        "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec}
    )
    assert review["status"]["allowed"] is is_allowed


async def test_the_aggregator_may_discover_without_any_group(direct, metric):
    del metric
    for path, code in (
        ("/apis", 200),
        ("/apis/custom.metrics.k8s.io/v1beta2", 200),
        ("/openapi/v2", 404),
    ):
        assert await direct.forwarded(path, "system:kube-aggregator") == code
        assert await direct.forwarded(path, "system:aggregator") == code


async def test_a_user_without_a_role_is_a_403(direct, metric):
    assert await direct.forwarded(metric, "nobody") == 403
    assert await direct.forwarded("/metrics", "nobody") == 403


async def test_headers_without_the_front_proxys_certificate_are_a_401(plane, direct, metric):
    headers = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")]
    assert await direct.get(metric, headers=headers) == 401
    other = plane.front_proxy_ca.client("somebody-else")
    assert await direct.get(metric, pair=other, headers=headers) == 401
    forged = plane.client_ca.client("front-proxy-client")
    with pytest.raises((aiohttp.ClientError, OSError)):
        await direct.get(metric, pair=forged, headers=headers)


async def test_a_service_accounts_token_counts_as_its_rights(plane, api, namespace, direct, metric):
    def token(name: str, **options: object) -> str:
        return plane.token(namespace, name, **options)

    reader = await asyncio.to_thread(token, "reader")
    other = await asyncio.to_thread(token, "other")
    elsewhere = await asyncio.to_thread(token, "reader", audiences=["vault"])
    rule = {
        "apiGroups": ["custom.metrics.k8s.io"],
        "resources": ["variantautoscalings.autoscaling.llmd.ai/desired_replicas"],
        "verbs": ["get"],
    }
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": "reader"}
    await bind(api, f"reader-of-{namespace}", [rule], subject)
    assert await direct.get(metric, bearer=reader) == 200
    assert await direct.get(metric.replace("desired_replicas", "load"), bearer=reader) == 403
    assert await direct.get(metric, bearer=other) == 403
    assert await direct.get(metric, bearer=elsewhere) == 401
    assert await direct.get(metric, bearer="made.up") == 401
    assert await direct.get(metric) == 401


async def test_the_adapter_asks_for_nothing_that_its_roles_do_not_give(plane, direct, metric):
    assert await direct.forwarded(metric, HPA) == 200
    name = f"system:serviceaccount:{OURS[0]}:{OURS[1]}"
    events = await asyncio.to_thread(lambda: list(plane.audit_events()))
    mine = [event for event in events if event["user"]["username"] == name]
    asked_for = {event["objectRef"]["resource"] for event in mine}
    assert asked_for >= {"configmaps", "variantautoscalings", "subjectaccessreviews"}
    assert [event for event in mine if event["responseStatus"]["code"] == 403] == []
