"""Reads a server-sent event stream while it passes through: stamps, usage, and how it began and ended.

The path of an ordinary chunk is a few byte searches; JSON is parsed only at the first event, at the
usage event and at errors. Inside a JSON text every quote is escaped, so `"usage"` with plain quotes
cannot be part of what a model wrote.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import cast

from llmd_autoscaler.errors import ObservationError

_TOKEN_AT = b'"llmd_token_at_s"'
_MARKS = (b'"usage"', b'"error"', b'"abort"')
_DONE = b"data: [DONE]"
# an event carries a few tokens, with log probabilities some kilobytes
_MAX_EVENT_BYTES = 16 * 2**20
# how a stream failed that a server refused as malformed: nobody's SLO was missed
CLIENT_ERROR = "client_error"
_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429


class Opening(Enum):
    """What the first events of an answer say."""

    UNDECIDED = "nothing but the role yet"
    ANSWER = "a token, or the end of an answer without tokens"
    ERROR = "the server's fault: another may answer"
    CLIENT_ERROR = "the client's fault: no other would answer"
    ABORT = "abort with 0 tokens: the mark of a draining server"
    EMPTY = "the end, and nothing before it"


@dataclass(frozen=True, slots=True)
class Usage:
    """The server's own count of a request's tokens."""

    isl: int
    osl: int
    n_hit: int


class EventCutter:
    """Hands on whole events only, as the bytes that they came in."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """All events that are complete now.

        Raises: ObservationError: an event without end.
        """
        if self._rest:
            data = self._rest + data
        if data.endswith(b"\n\n"):
            self._rest = b""
            return data
        end = _last_boundary(data)
        self._rest = data[end:]
        if len(self._rest) > _MAX_EVENT_BYTES:
            raise ObservationError(
                f"the server sent {len(self._rest)} bytes without the blank line that ends an event"
            )
        return data[:end]

    def last(self) -> bytes:
        """At the end of the stream: a `[DONE]` without its blank line; half an event goes to nobody."""
        rest, self._rest = self._rest, b""
        return rest if rest.startswith(_DONE) else b""


def _last_boundary(data: bytes) -> int:
    unix, web = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(unix + 2 if unix >= 0 else 0, web + 4 if web >= 0 else 0)


def events(block: bytes) -> Iterator[bytes]:
    """Each event of a block of whole events, its blank line included."""
    start = 0
    while start < len(block):
        unix, web = block.find(b"\n\n", start), block.find(b"\r\n\r\n", start)
        ends = [end for end in (unix + 2 if unix >= 0 else 0, web + 4 if web >= 0 else 0) if end]
        end = min(ends, default=len(block))
        yield block[start:end]
        start = end


def payload(event: bytes) -> dict[str, object]:
    """The JSON object of an event; empty where it carries none (`[DONE]`, a comment)."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return json_object(b"\n".join(lines)) if lines else {}


def json_object(text: bytes) -> dict[str, object]:
    """The JSON object that a text is; empty where it is none."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}


def opening_of(event: bytes) -> Opening:
    """What one event at the head of a stream says about the answer."""
    if event.startswith(_DONE):
        return Opening.EMPTY
    said = payload(event)
    if "error" in said:
        return Opening.CLIENT_ERROR if is_client_error(error_code(said)) else Opening.ERROR
    choices = choices_of(said)
    if not choices:
        return Opening.UNDECIDED
    has_tokens = bool(said.get("llmd_token_at_s")) or any(_has_text(choice) for choice in choices)
    reasons = {choice.get("finish_reason") for choice in choices}
    if "abort" in reasons and not has_tokens:
        return Opening.ABORT
    is_role_only = (
        all("delta" in choice for choice in choices) and not has_tokens and reasons == {None}
    )
    return Opening.UNDECIDED if is_role_only else Opening.ANSWER


def error_code(said: dict[str, object]) -> int:
    """The code in an error object, 500 where it names none."""
    error = said.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 500


def is_client_error(status: int) -> bool:
    """A 4xx that another server would answer alike; 408 and 429 are about this one's load."""
    return 400 <= status < 500 and status not in {_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS}  # noqa: PLR2004


def usage_of(said: dict[str, object]) -> Usage | None:
    """The `usage` of an answer or event, None where it has none."""
    usage = said.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    return Usage(
        isl=_count(usage.get("prompt_tokens")),
        osl=_count(usage.get("completion_tokens")),
        n_hit=_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
    )


def stamps_of(said: dict[str, object]) -> list[float]:
    """The simulated times of the tokens of an event or answer; empty where there are none."""
    stamps = said.get("llmd_token_at_s")
    return (
        [float(s) for s in stamps if isinstance(s, (int, float))]
        if isinstance(stamps, list)
        else []
    )


class Tap:
    """What is learnt from one stream as it passes."""

    __slots__ = ("_first_s", "_is_done", "_last_s", "_stamped", "_strips_usage", "failure", "usage")

    def __init__(self, *, strips_usage: bool) -> None:
        self._strips_usage = strips_usage
        self._first_s: float | None = None
        self._last_s = 0.0
        self._stamped = b""
        self._is_done = False
        self.usage: Usage | None = None
        self.failure = ""

    def passes(self, block: bytes, now_s: float) -> bytes:
        """What of a block of whole events goes on to the client: all but the usage event that we asked for."""
        if _TOKEN_AT in block:
            if self._first_s is None:
                self._first_s = _first_stamp(block)
            self._stamped = block
        elif self._first_s is None:
            self._first_s = self._last_s = now_s
        elif not self._stamped:
            self._last_s = now_s
        if _DONE in block:
            self._is_done = True
        if any(mark in block for mark in _MARKS):
            return b"".join(event for event in events(block) if self._goes_on(event))
        return block

    def _goes_on(self, event: bytes) -> bool:
        if not any(mark in event for mark in _MARKS):
            return True
        said = payload(event)
        choices = choices_of(said)
        if "error" in said:
            self.failure = CLIENT_ERROR if is_client_error(error_code(said)) else "error_event"
        elif any(choice.get("finish_reason") == "abort" for choice in choices):
            self.failure = "abort"
        usage = usage_of(said)
        self.usage = usage or self.usage
        return not (self._strips_usage and usage is not None and not choices)

    @property
    def is_done(self) -> bool:
        """Whether the stream ended as a stream ends, with `[DONE]`."""
        return self._is_done

    def first_token_s(self) -> float:
        """Time of the first token: its stamp, or when its event came."""
        return self._first_s if self._first_s is not None else 0.0

    def last_token_s(self) -> float:
        """Time of the last token."""
        if not self._stamped:
            return self._last_s
        stamps = [s for event in events(self._stamped) for s in stamps_of(payload(event))]
        return stamps[-1] if stamps else self.first_token_s()


def _first_stamp(block: bytes) -> float | None:
    return next((s for event in events(block) for s in stamps_of(payload(event))), None)


def choices_of(said: dict[str, object]) -> list[dict[str, object]]:
    """The choices of an answer or event."""
    choices = said.get("choices")
    if not isinstance(choices, list):
        return []
    return [cast("dict[str, object]", choice) for choice in choices if isinstance(choice, dict)]


def _has_text(choice: dict[str, object]) -> bool:
    if choice.get("text"):
        return True
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    return any(value for name, value in delta.items() if name != "role")


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
