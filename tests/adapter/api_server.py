"""What a kube-apiserver is to the adapter: our kinds, the ConfigMap that says whom to believe, and the reviews.

The kinds are those of the small API server; what is added here answers as a real one does, counts
what it was asked, and can be told to hang or to fail.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.kubeapi.proxy import AdapterProxy
from llmd_autoscaler.simulator.kubeapi.server import Face
from llmd_autoscaler.simulator.kubeapi.status import ApiError, no_such_path
from llmd_autoscaler.simulator.kubeapi.store import Store
from llmd_autoscaler.simulator.kubeapi.verbs import Verbs

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices/{name}"

HPA_USER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"

Json = dict[str, object]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Rule = Callable[[Json], bool]


def authentication_config(
    front_proxy_ca: bytes, client_ca: bytes, **changes: str
) -> dict[str, str]:
    """The ConfigMap's data as kube-apiserver 1.37 writes it; underscores stand for hyphens."""
    data = {
        "client-ca-file": client_ca.decode(),
        "requestheader-client-ca-file": front_proxy_ca.decode(),
        "requestheader-allowed-names": '["front-proxy-client"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        "requestheader-uid-headers": '["X-Remote-Uid"]',
    }
    return data | {key.replace("_", "-"): value for key, value in changes.items()}


@dataclass
class ApiServer:
    """Its state, as a test sets it up, and what it was asked."""

    config: dict[str, str] | None
    tokens: dict[str, Json] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    api_services: dict[str, Json] = field(default_factory=dict)
    reviews_hang: bool = False
    reviews_fail: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    wishes: list[Json] = field(default_factory=list)
    store: Store = field(default_factory=lambda: Store(Clock()))

    def allow(self, user: str, **wanted: str) -> None:
        """A role: rights on everything whose attributes are these, `*` in the role being all, as RBAC reads it."""

        def rule(spec: Json) -> bool:
            said = spec.get("resourceAttributes") or spec.get("nonResourceAttributes")
            assert isinstance(said, dict)
            is_user = spec["user"] == user or user in spec.get("groups", [])  # type: ignore[operator]
            return is_user and all(
                value in {"*", said.get(key, "")} for key, value in wanted.items()
            )

        self.rules.append(rule)

    def allow_hpa_controller(self) -> None:
        """What system:controller:horizontal-pod-autoscaler says, and system:discovery."""
        for group in ("custom.metrics.k8s.io", "external.metrics.k8s.io"):
            for verb in ("get", "list"):
                self.allow(HPA_USER, group=group, verb=verb, resource="*", subresource="*")
        self.allow_discovery()

    def allow_discovery(self) -> None:
        """What system:discovery says, to everybody who is known."""
        self.rules.append(
            lambda spec: (
                "system:authenticated" in spec["groups"]  # type: ignore[operator]
                and str(spec.get("nonResourceAttributes", {}).get("path", "")).startswith("/apis")  # type: ignore[attr-defined]
            )
        )

    async def _config_map(self, _: web.Request) -> web.Response:
        if self.config is None:
            raise ApiError(404, "NotFound", "configmaps not found")
        return web.json_response({"kind": "ConfigMap", "data": self.config})

    async def _api_service(self, request: web.Request) -> web.Response:
        if self.reviews_fail:
            raise ApiError(500, "InternalError", "etcd is away")
        if (found := self.api_services.get(request.match_info["name"])) is None:
            raise ApiError(404, "NotFound", "apiservices not found")
        return web.json_response(found)

    async def _token_review(self, request: web.Request) -> web.Response:
        spec = await self._spec("token", request)
        user = self.tokens.get(spec["token"])  # type: ignore[arg-type]
        status = (
            {"authenticated": True, "user": user} if user else {"error": "invalid bearer token"}
        )
        return web.json_response({"kind": "TokenReview", "status": status}, status=201)

    async def _access_review(self, request: web.Request) -> web.Response:
        spec = await self._spec("access", request)
        self.wishes.append(spec)
        status = {"allowed": any(rule(spec) for rule in self.rules)}
        return web.json_response({"kind": "SubjectAccessReview", "status": status}, status=201)

    async def _spec(self, kind: str, request: web.Request) -> Json:
        self.asked[kind] += 1
        if self.reviews_hang:
            await asyncio.Event().wait()  # until who asks is gone
        if self.reviews_fail:
            raise ApiError(500, "InternalError", "etcd is away")
        spec = json.loads(await request.read())["spec"]
        assert isinstance(spec, dict)
        return spec

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its address while the context lasts."""
        proxy = AdapterProxy("")
        face = Face(Verbs(self.store), proxy)
        app = web.Application(middlewares=[_as_status])
        app.router.add_get(CONFIG_MAP, self._config_map)
        app.router.add_get(API_SERVICES, self._api_service)
        app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", self._token_review)
        app.router.add_post(ACCESS_REVIEWS, self._access_review)
        app.router.add_route("*", "/{path:.*}", face.handle)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            face.end_watches()
            await runner.cleanup()
            await proxy.close()


@web.middleware
async def _as_status(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        error = no_such_path()
    except ApiError as caught:
        error = caught
    return web.json_response(error.status(), status=error.code)
