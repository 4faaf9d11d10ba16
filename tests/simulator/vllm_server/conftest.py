"""A simulated server in this process, with round numbers for an engine and a clock that tests move."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.simulator.vllm_server.app import SimulatedServer

# A step takes 10 ms and 0.1 ms more for each prompt token in it: TTFT of ISL 100 is 20 ms, ITL 10 ms.
PROFILE = EngineProfile(
    step=StepModel(
        base_s=0.01,
        per_decode_s=0.0,
        per_prefill_token_s=0.0001,
        per_context_token_s=0.0,
        per_attention_token_sq_s=0.0,
    ),
    front_end=FrontEnd(),
    kv_tokens=100_000,
)


@dataclass(frozen=True)
class HeldClock(Clock):
    """Stands still until a test moves it."""

    moment: list[float] = field(default_factory=lambda: [1000.0])

    def now_s(self) -> float:
        return self.moment[0]

    def move_by(self, seconds: float) -> None:
        self.moment[0] += seconds


@dataclass(frozen=True)
class Running:
    """A server that listens, and where."""

    server: SimulatedServer
    url: str


Serving = Callable[..., AbstractAsyncContextManager[Running]]


@contextlib.asynccontextmanager
async def _serving(clock: Clock, profile: EngineProfile = PROFILE) -> AsyncIterator[Running]:
    server = SimulatedServer(profile, model="org/model", clock=clock)
    runner = web.AppRunner(server.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(server.run())
        try:
            yield Running(server, f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            ticker.cancel()
            await runner.cleanup()


@pytest.fixture
def serving() -> Serving:
    """Starts a server: `async with serving(clock) as running`."""
    return _serving


@pytest.fixture
def profile() -> EngineProfile:
    return PROFILE


@pytest.fixture
def fast_clock() -> Clock:
    """A thousand simulated seconds a second: waiting for answers costs nothing."""
    return Clock.starting_at(1000.0, 1000.0)


@pytest.fixture
def held_clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def events() -> Callable[[bytes], list[dict[str, object] | str]]:
    """Splits the body of a stream into its events; `[DONE]` stays text."""

    def split(body: bytes) -> list[dict[str, object] | str]:
        texts = [event.removeprefix("data: ") for event in body.decode().split("\n\n") if event]
        return [text if text == "[DONE]" else json.loads(text) for text in texts]

    return split
