"""A simulated vLLM server: the engine model behind the HTTP face of vLLM 0.26.0."""

import asyncio
import contextlib

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.simulator.vllm_server.completions import Completions, model_list
from llmd_autoscaler.simulator.vllm_server.metrics_page import CONTENT_TYPE, MetricsPage
from llmd_autoscaler.simulator.vllm_server.prompts import ServedModel
from llmd_autoscaler.simulator.vllm_server.streams import Streams
from llmd_autoscaler.simulator.vllm_server.tally import Tally

VERSION = "0.26.0"
# The longest that Llama 3.1 takes; a smaller KV cache allows less.
MAX_MODEL_TOKENS = 131_072
# A prompt of that many token ids is 1 MB of JSON, a chat may quote it many times over.
MAX_BODY_BYTES = 16 * 1024 * 1024


class SimulatedServer:
    """One server: its engine, its counters, its routes."""

    def __init__(
        self,
        profile: EngineProfile,
        *,
        model: str,
        clock: Clock,
        max_model_len: int = MAX_MODEL_TOKENS,
    ) -> None:
        self._clock = clock
        self._served = ServedModel(name=model, max_model_len=min(max_model_len, profile.kv_tokens))
        self._tally = Tally(self._served.max_model_len)
        self._streams = Streams(profile, clock=clock, tally=self._tally)
        self._completions = Completions(self._streams, served=self._served, clock=clock)
        self._page = MetricsPage(
            model=model,
            max_model_len=self._served.max_model_len,
            kv_tokens=profile.kv_tokens,
            started_s=clock.now_s(),
        )

    def app(self) -> web.Application:
        """The routes; they answer while `run` runs."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.post("/v1/completions", self._completions.complete),
                web.post("/v1/chat/completions", self._completions.chat),
                web.get("/v1/models", self._models),
                web.get("/health", self._health),
                web.get("/version", self._version),
                web.get("/metrics", self._metrics),
            ]
        )
        return app

    async def run(self) -> None:
        """Move the engine and hand out its tokens, until cancelled."""
        await self._streams.run()

    async def drain(self, timeout_s: float) -> None:
        """What vLLM does on SIGTERM: let open requests end for so many (simulated) seconds, abort the rest.

        Meanwhile /health stays 200 and new requests are answered with `abort` and no token.
        """
        self._completions.drain()
        if timeout_s > 0:
            wall_s = self._clock.wall_until_s(self._clock.now_s() + timeout_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wall_s):
                    await self._streams.until_idle()
        self._streams.abort_all()

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response(model_list(self._served, now_s=self._clock.now_s()))

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def _metrics(self, _: web.Request) -> web.Response:
        engine = self._streams.snapshot()
        body = self._page.render(self._tally, engine, n_in_front=self._streams.n_in_front())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})
