"""Servers on loopback that say what vLLM says, and a proxy in front of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.resources import PODS, SERVICE_LEVELS
from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.router.dispatch import Dispatcher
from llmd_autoscaler.router.fleet import Fleet, Instance
from llmd_autoscaler.router.learnt import Learnt
from llmd_autoscaler.router.pick import LeastWork
from llmd_autoscaler.router.proxy import Proxy
from llmd_autoscaler.router.upstream import upstream_session
from llmd_autoscaler.translate.routing import (
    Match,
    MixEntry,
    Place,
    RequestClass,
    RouteSet,
    RoutingTable,
)

MODEL = "meta-llama/Llama-3.1-70B-Instruct"
STEP = StepModel(
    base_s=0.026,
    per_decode_s=5e-5,
    per_prefill_token_s=1.6e-4,
    per_context_token_s=8e-8,
    per_attention_token_sq_s=2.9e-9,
)
MIXED = Place("a100", "mixed")
FAST = Place("h100", "mixed")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def event(said: object) -> bytes:
    return b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n"


def token(text: str, *, at_s: list[float] | None = None, reason: str | None = None) -> bytes:
    said: dict[str, object] = {
        "id": "cmpl-1",
        "choices": [{"index": 0, "text": text, "finish_reason": reason}],
    }
    return event(said if at_s is None else said | {"llmd_token_at_s": at_s})


def usage(isl: int, osl: int, hit: int = 0) -> bytes:
    count = {
        "prompt_tokens": isl,
        "completion_tokens": osl,
        "total_tokens": isl + osl,
        "prompt_tokens_details": {"cached_tokens": hit},
    }
    return event({"id": "cmpl-1", "choices": [], "usage": count})


DONE = b"data: [DONE]\n\n"


def sse(*parts: bytes) -> Handler:
    """Answers with these writes, one after the other."""

    async def answer(request: web.Request) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await out.prepare(request)
        for part in parts:
            await out.write(part)
        await out.write_eof()
        return out

    return answer


def sse_then_cut(*parts: bytes) -> Handler:
    """Answers with these writes, then drops the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await out.prepare(request)
        for part in parts:
            await out.write(part)
        assert request.transport is not None
        request.transport.close()
        return out

    return answer


def plain(said: object, status: int = 200) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(said, status=status)

    return answer


def completion(
    isl: int, osl: int, *, reason: str = "length", at_s: list[float] | None = None
) -> dict[str, object]:
    said: dict[str, object] = {
        "id": "cmpl-1",
        "choices": [{"index": 0, "text": "hi " * osl, "finish_reason": reason}],
        "usage": {"prompt_tokens": isl, "completion_tokens": osl},
    }
    return said if at_s is None else said | {"llmd_token_at_s": at_s}


@dataclass
class Server:
    """One upstream: what it was asked, and its port."""

    answer: Handler
    port: int = 0
    bodies: list[dict[str, object]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    page: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        return await self.answer(request)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=self.page)


def table(
    *classes: RequestClass, routes: dict[str, tuple[RouteSet, ...]] | None = None
) -> RoutingTable:
    return RoutingTable(
        model=MODEL,
        names=(MODEL, "llama"),
        classes=classes or (request_class("interactive"),),
        mix={},
        route_sets=routes or {},
    )


def request_class(
    name: str, *, match: Match | None = None, bounds: Bounds | None = None
) -> RequestClass:
    return RequestClass(
        QosClass(name, 0, 0.99, bounds or Bounds()), match or Match(is_default=True)
    )


@dataclass
class World:
    """A proxy, its parts, and a client of it."""

    proxy: Proxy
    fleet: Fleet
    counts: Counts
    learnt: Learnt
    client: aiohttp.ClientSession
    url: str
    stack: AsyncExitStack

    async def server(self, answer: Handler, *, place: Place = MIXED, name: str = "") -> Server:
        """Starts an upstream and makes it an instance."""
        server = Server(answer)
        app = web.Application()
        for path in ("/v1/completions", "/v1/chat/completions"):
            app.router.add_post(path, server.handle)
        app.router.add_get("/metrics", server.metrics)
        server.port = await serve(app, self.stack)
        self.instance(server.port, place=place, name=name or f"pod-{server.port}")
        return server

    def instance(self, port: int, *, place: Place = MIXED, name: str = "pod") -> Instance:
        """Makes a port an instance."""
        instance = Instance(name, f"http://127.0.0.1:{port}", place, MixEntry(place, port, STEP))
        self.fleet._by_model.setdefault(MODEL, []).append(instance)
        return instance

    def instances(self) -> list[Instance]:
        return self.fleet.of_model(MODEL)

    def use(self, routing: RoutingTable) -> None:
        self.fleet.tables = dict.fromkeys(routing.names, routing)

    async def ask(
        self,
        path: str = "/v1/completions",
        *,
        headers: dict[str, str] | None = None,
        **body: object,
    ) -> tuple[int, bytes]:
        async with self.client.post(
            self.url + path, json={"model": MODEL, "prompt": "a b c"} | body, headers=headers
        ) as response:
            return response.status, await response.read()


async def serve(app: web.Application, stack: AsyncExitStack) -> int:
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    assert isinstance(port, int)
    return port


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        fleet, learnt, counts = Fleet(is_synced=True), Learnt(), Counts(started_at_s=1000.0)
        # a clock that stands still, so that only stamps make time pass
        clock = Clock(wall_s=0.0, sim_s=1000.0, rate=1e-12)
        session = await stack.enter_async_context(upstream_session())
        dispatcher = Dispatcher(fleet, LeastWork(), learnt)
        proxy = Proxy(fleet, dispatcher, counts, learnt, clock, session)
        port = await serve(proxy.app(), stack)
        client = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        world = World(proxy, fleet, counts, learnt, client, f"http://127.0.0.1:{port}", stack)
        world.use(table())
        yield world


DATA = Path(__file__).parent.parent / "data"


def level() -> Json:
    documents: list[Json] = list(yaml.safe_load_all((DATA / "api.yaml").read_text()))
    return documents[0]


def pod(name: str, ip: str = "127.64.0.1", *, ready: str = "True", group: str = "mixed") -> Json:
    labels = {"autoscaling.llmd.ai/target": "llama-70b-a100", "autoscaling.llmd.ai/group": group}
    return {
        "metadata": {"name": name, "namespace": "llm", "labels": labels},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
    }


@dataclass
class Cell:
    """A namespace of the API server and the fleet that follows it."""

    kube: Kube
    fleet: Fleet

    async def create_level(self, wire: Json) -> None:
        name = str(wire["metadata"]["name"])  # type: ignore[index]
        body = {key: wire[key] for key in ("metadata", "spec")}
        await self.kube.create(SERVICE_LEVELS, "llm", body)
        if "status" in wire:
            await self.kube.apply_status(SERVICE_LEVELS, "llm", name, wire["status"], manager="t")  # type: ignore[arg-type]

    async def create_pod(self, wire: Json) -> None:
        await self.kube.create(PODS, "llm", wire)
        name = str(wire["metadata"]["name"])  # type: ignore[index]
        await self.kube.apply_status(PODS, "llm", name, wire["status"], manager="t")  # type: ignore[arg-type]

    async def until(self, claim: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not claim():  # noqa: ASYNC110 (what is waited for has no event of its own)
                await asyncio.sleep(0.005)

    def names(self) -> list[str]:
        return sorted(instance.name for instance in self.fleet.instances())
