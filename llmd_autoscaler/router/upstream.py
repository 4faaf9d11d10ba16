"""Sends one request to one server and holds its answer back until it is known to be one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.router.stream import (
    EventCutter,
    Opening,
    choices_of,
    error_code,
    events,
    is_client_error,
    json_object,
    opening_of,
    payload,
)

_OK = 200
_TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = 500
# every answer of both endpoints has it; a sign-in page or another program's words have not
_CHOICES = b'"choices"'
_CONNECT_TIMEOUT_S = 2.0
# A draining vLLM was seen to hold an open stream for ten minutes without a byte. A long prompt in a
# deep queue, or an answer that is not streamed, can be silent for minutes as well.
_SILENCE_TIMEOUT_S = 300.0
# vLLM closes a silent connection after 5 s: a request must not be written to one that is closing
_KEEPALIVE_S = 4.0
_LOST = (aiohttp.ClientError, TimeoutError, OSError)


class RefusalError(ObservationError):
    """An instance did not take the request; nothing of an answer has reached the client."""

    def __init__(self, reason: str, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.reason = reason  # a label: one of a few words
        self.status = status


@dataclass(slots=True)
class Answer:
    """An answer that has begun: its head, and the stream behind it where there is one."""

    response: aiohttp.ClientResponse
    head: bytes
    is_stream: bool
    cutter: EventCutter = field(default_factory=EventCutter)

    async def next_block(self) -> bytes:
        """The events that came since, whole ones only; empty at the end of the stream.

        Raises: ObservationError: the server stopped in the middle.
        """
        try:
            while data := await self.response.content.readany():
                if block := self.cutter.feed(data):
                    return block
        except _LOST as error:
            raise ObservationError(
                f"the server stopped in the middle of its answer: {error}"
            ) from error
        return self.cutter.last()


def upstream_session() -> aiohttp.ClientSession:
    """The client side of the proxy: many connections, no cookies, no proxies, no patience for a dead port."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_SILENCE_TIMEOUT_S
        ),
        auto_decompress=False,
        trust_env=False,
    )


@asynccontextmanager
async def answer_of(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> AsyncIterator[Answer]:
    """The answer to one request. Leaving the block early closes the connection, which aborts the request.

    Raises: RefusalError: on entry, when this server does not take the request.
    """
    try:
        response = await session.post(url, data=body, headers=headers, allow_redirects=False)
    except aiohttp.ClientConnectorError as error:
        raise RefusalError("connect", f"no connection: {error}") from error
    except _LOST as error:
        raise RefusalError("reset", f"the connection ended before an answer: {error}") from error
    async with response:
        try:
            answer = await _begun(response)
        except _LOST as error:
            raise RefusalError(
                "reset", f"the connection ended before an answer: {error}"
            ) from error
        yield answer


async def _begun(response: aiohttp.ClientResponse) -> Answer:
    if response.status == _OK and response.content_type == "text/event-stream":
        answer = Answer(response, b"", is_stream=True)
        answer.head = await _head(answer)
        return answer
    body = await response.read()
    if response.status != _OK and not is_client_error(response.status):
        raise RefusalError(
            _status_kind(response.status),
            f"the server answered {response.status}",
            status=response.status,
        )
    if response.status == _OK and _CHOICES not in body:
        raise RefusalError("no_answer", "the server answered 200 with something that is no answer")
    if response.status == _OK and _is_aborted(body):
        # whatever it had written, nothing of it has reached the client
        raise RefusalError("abort", "the server aborted the request: it is about to stop")
    return Answer(response, body, is_stream=False)


def _status_kind(status: int) -> str:
    if status == _TOO_MANY_REQUESTS:
        return "status_429"
    return "status_5xx" if status >= _SERVER_ERRORS else "status_other"


async def _head(answer: Answer) -> bytes:
    """Reads until the first event that tells an answer from a refusal."""
    head = b""
    try:
        while block := await answer.next_block():
            head += block
            for event in events(block):
                opening = opening_of(event)
                if opening is not Opening.UNDECIDED:
                    _raise_if_refused(opening, event)
                    return head
    except RefusalError:
        raise
    except ObservationError as error:
        raise RefusalError("reset", str(error)) from error
    raise RefusalError("empty", "the stream ended before its first token")


def _raise_if_refused(opening: Opening, event: bytes) -> None:
    if opening is Opening.ERROR:
        status = error_code(payload(event))
        raise RefusalError("error_event", f"the stream began with error {status}", status=status)
    if opening is Opening.ABORT:
        raise RefusalError(
            "abort", "the server aborted the request before its first token: it is about to stop"
        )
    if opening is Opening.EMPTY:
        raise RefusalError("empty", "the stream ended before its first token")


def _is_aborted(body: bytes) -> bool:
    if b'"abort"' not in body:
        return False
    return any(choice.get("finish_reason") == "abort" for choice in choices_of(json_object(body)))
