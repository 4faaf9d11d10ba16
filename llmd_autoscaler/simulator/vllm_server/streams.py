"""The open requests of a server, and the ticker that moves the engine under them.

Theory of operation. While requests are open, the ticker wakes every 20 ms of wall time, advances the
engine to the clock and hands each request the tokens that came due; its handler writes them in one
piece. A client that does not read blocks its own handler only: its tokens pile up as stamps.
"""

import asyncio
from collections.abc import Sequence

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.engine.instance import Engine, EngineSnapshot
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.simulator.vllm_server.tally import Tally

# On a compressed clock: a write costs client, proxy and server 95 us together (2 cores, November 2026),
# so tokens due within this time share one. In real time a client may time the tokens by their arrival.
TICK_WALL_S = 0.020
REAL_TIME_TICK_WALL_S = 0.005


class OpenRequest:
    """One request in the engine, as its handler sees it."""

    def __init__(self, number: int, *, arrival_s: float, isl: int, max_tokens: int) -> None:
        self.number = number
        self.arrival_s = arrival_s
        self.isl = isl
        self.max_tokens = max_tokens
        self.n_tokens = 0
        self.last_token_s: float | None = None
        self.finish_reason: str | None = None
        self._due_s: list[float] = []
        self._news = asyncio.Event()

    async def news(self) -> tuple[Sequence[float], str | None]:
        """Wait for tokens or the end: the times of the tokens since the last call, and why it ended if it has."""
        await self._news.wait()
        self._news.clear()
        due_s, self._due_s = self._due_s, []
        return due_s, self.finish_reason

    def take(self, stamps_s: Sequence[float]) -> None:
        """Tokens came due."""
        self._due_s.extend(stamps_s)
        self.n_tokens += len(stamps_s)
        self.last_token_s = stamps_s[-1]
        self._news.set()

    def finish(self, reason: str) -> None:
        """No more will come."""
        self.finish_reason = reason
        self._news.set()


class Streams:
    """The engine of a server and all its open requests."""

    def __init__(self, profile: EngineProfile, *, clock: Clock, tally: Tally) -> None:
        self._clock = clock
        self._now_s = clock.now_s()
        self._engine = Engine(profile, now_s=self._now_s)
        self._tally = tally
        self._open: dict[int, OpenRequest] = {}
        # Aborted, but in the batch until its next step ends: the number must not be used again before.
        self._leaving: set[int] = set()
        self._has_work = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def submit(self, *, isl: int, max_tokens: int) -> OpenRequest:
        """Hand a request to the engine now.

        Raises: PlanError: too many wait.
        """
        now_s = self._advance()
        number = self._engine.submit(arrival_s=now_s, isl=isl, osl=max_tokens)
        opened = OpenRequest(number, arrival_s=now_s, isl=isl, max_tokens=max_tokens)
        self._open[number] = opened
        self._is_idle.clear()
        self._has_work.set()
        return opened

    def leave(self, request: OpenRequest) -> None:
        """The client is gone: free what the request holds. One that has finished is left alone."""
        if self._open.get(request.number) is request:
            self._drop(request, self._advance())

    def abort_all(self) -> None:
        """End every open request with the reason `abort`, with the tokens that came out until now."""
        self.tick()
        for request in list(self._open.values()):
            self._tally.finished(
                "abort",
                isl=request.isl,
                osl=request.n_tokens,
                max_tokens=request.max_tokens,
                e2e_s=self._now_s - request.arrival_s,
            )
            self._drop(request, self._now_s)
            request.finish("abort")

    def snapshot(self) -> EngineSnapshot:
        """The engine's gauges now."""
        self._advance()
        snapshot = self._engine.snapshot()
        self._tally.steps(snapshot)
        return snapshot

    def n_in_front(self) -> int:
        """Requests that the API server still has: vLLM counts them neither as running nor as waiting."""
        return sum(
            request.n_tokens == 0 and self._engine.timings(request.number).queued_s > self._now_s
            for request in self._open.values()
        )

    async def until_idle(self) -> None:
        """Wait until no request is open."""
        await self._is_idle.wait()

    async def run(self) -> None:
        """The ticker; ends when it is cancelled."""
        tick_s = TICK_WALL_S if self._clock.rate > 1 else REAL_TIME_TICK_WALL_S
        while True:
            await self._has_work.wait()
            await asyncio.sleep(tick_s)
            self.tick()

    def tick(self) -> None:
        """Advance to now, and hand out what came due."""
        now_s = self._advance()
        for request in list(self._open.values()):
            stamps_s = self._engine.stamps(request.number, request.n_tokens, until_s=now_s)
            if stamps_s:
                self._deliver(request, stamps_s)
        for number in [n for n in self._leaving if self._engine.is_finished(n)]:
            self._leaving.discard(number)
            self._engine.release(number)
        self._tally.steps(self._engine.snapshot())
        if not self._open:
            self._is_idle.set()
            if not self._leaving:
                self._has_work.clear()

    def _deliver(self, request: OpenRequest, stamps_s: Sequence[float]) -> None:
        if request.n_tokens == 0:
            self._tally.first_token(isl=request.isl, ttft_s=stamps_s[0] - request.arrival_s)
        self._tally.tokens(stamps_s, request.last_token_s)
        request.take(stamps_s)
        if request.n_tokens < request.max_tokens:
            return
        self._tally.finished(
            "length",
            isl=request.isl,
            osl=request.n_tokens,
            max_tokens=request.max_tokens,
            e2e_s=stamps_s[-1] - request.arrival_s,
        )
        self._tally.phases(self._engine.timings(request.number), request.n_tokens)
        del self._open[request.number]
        self._engine.release(request.number)
        request.finish("length")

    def _drop(self, request: OpenRequest, now_s: float) -> None:
        del self._open[request.number]
        self._engine.abort(request.number, now_s=now_s)
        self._leaving.add(request.number)
        self._has_work.set()

    def _advance(self) -> float:
        """The engine at the clock's time, which it returns; a clock that stepped back stands still."""
        self._now_s = max(self._now_s, self._clock.now_s())
        self._engine.advance(self._now_s)
        return self._now_s
