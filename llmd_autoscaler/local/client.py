"""The load generator: replays arrivals on the clock, open loop, and keeps the ledger of what became of them."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.local.answer import FailedError, Stream, error_reason
from llmd_autoscaler.local.ledger import Ledger
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.translate.routing import RequestClass

REQUEST_ID = "x-request-id"
_OBJECTIVE = "x-gateway-inference-objective"
# One token of the simulator's tokenizer a word, of the length that real ones have in bytes.
_WORD = b"tok "
_OK = 200
# Simulated seconds that open requests get after the last arrival; no answer of the traces takes longer.
DRAIN_S = 900.0
# A connection that gives nothing for so long (wall) is lost.
_SILENCE_WALL_S = 120.0


@dataclass(frozen=True, slots=True)
class Asker:
    """What all requests of a run share."""

    url: str
    model: str
    classes: Sequence[RequestClass]
    run_id: str

    def request_id(self, number: int) -> str:
        """The identity of a request, in every process's words."""
        return f"{self.run_id}-{number}"

    def headers(self, number: int, class_index: int) -> Mapping[str, str]:
        """Its id, and what makes it one of its class; the default class has no mark."""
        match = self.classes[class_index].match
        found = {REQUEST_ID: self.request_id(number), "content-type": "application/json"}
        if match.header:
            found[match.header] = match.value
        elif match.objective:
            found[_OBJECTIVE] = match.objective
        return found


@dataclass(slots=True)
class LoadGenerator:
    """The clients of a replay, all in one process."""

    asker: Asker
    replay: Replay
    clock: Clock
    start_s: float  # simulated time of the replay's second 0
    ledger: Ledger
    _prompts: bytes = b""
    _head: bytes = b""
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Write once what all requests share: a long prompt to cut from."""
        self._prompts = _WORD * int(self.replay.isl.max())
        self._head = (
            b'{"model":"%s","stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,"max_tokens":'
            % self.asker.model.encode()
        )

    async def run(self, stopped: asyncio.Event) -> None:
        """Send every request at its time, then wait for the open ones; cancelled, it abandons them.

        Whichever way it ends, the ledger is complete for all that arrived.

        Args:
            stopped: once set, nothing more is sent.
        """
        async with _session() as session:
            try:
                await self._send_all(session, stopped)
                end_s = self.clock.now_s() + DRAIN_S
                if self._open:
                    await asyncio.wait(self._open, timeout=self.clock.wall_until_s(end_s))
            finally:
                # before the session closes, which would look like a server that hung up
                await self._abandon()
                self.ledger.close()

    @property
    def n_open(self) -> int:
        """Requests under way."""
        return len(self._open)

    async def _send_all(self, session: aiohttp.ClientSession, stopped: asyncio.Event) -> None:
        for number, at_s in enumerate(self.replay.at_s.tolist()):
            wait_s = self.clock.wall_until_s(self.start_s + at_s)
            if wait_s > 0:
                await _pause(wait_s, stopped)
            if stopped.is_set():
                return
            task = asyncio.create_task(self._ask(session, number))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _abandon(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        # a task that was cancelled before its first step never arrived
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> None:
        body = self._body(number)
        headers = self.asker.headers(number, int(self.replay.class_of[number]))
        self.ledger.arrived(number, self.clock.now_s() - self.start_s)
        stream = Stream()
        try:
            async with session.post(self.asker.url, data=body, headers=headers) as response:
                await _check(response, headers[REQUEST_ID])
                async for block in response.content.iter_any():
                    stream.take(block, self.clock.now_s())
            self.ledger.answered(number, stream.outcome().since(self.start_s))
        except FailedError as error:
            self.ledger.failed(number, str(error))
        except TimeoutError:
            self.ledger.failed(number, "timeout")
        except (aiohttp.ClientError, OSError) as error:
            self.ledger.failed(number, f"connection_{type(error).__name__}")

    def _body(self, number: int) -> bytes:
        prompt = self._prompts[: int(self.replay.isl[number]) * len(_WORD) - 1]
        return b'%s%d,"prompt":"%s"}' % (self._head, int(self.replay.osl[number]), prompt)


async def _pause(wall_s: float, stopped: asyncio.Event) -> None:
    """Sleep, unless told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wall_s):
            await stopped.wait()


async def _check(response: aiohttp.ClientResponse, request_id: str) -> None:
    if response.status != _OK:
        raise FailedError(error_reason(await response.read()))
    if response.headers.get(REQUEST_ID) != request_id:
        raise FailedError("answer_of_another")


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE_WALL_S),
        auto_decompress=False,
        trust_env=False,
    )
