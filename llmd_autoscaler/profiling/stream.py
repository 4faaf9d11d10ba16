"""One streamed answer as a profiling client reads it: when each of its tokens came, and whether it is one at all."""

import json
import re
from dataclasses import dataclass, field

_STAMPS = b'"llmd_token_at_s":['
_TEXT, _ERROR, _ABORT = b'"text":', b'"error":', b'"abort"'
_COUNT = re.compile(rb'"completion_tokens":\s*([0-9]+)')
_DONE = b"data: [DONE]"
_EVENT_END = b"\n\n"


class RefusedError(Exception):
    """An answer that is none; its text is what the server said, without anything of the prompt."""


@dataclass(slots=True)
class Stream:
    """Times of tokens; a simulated server stamps them itself, for on its clock arrival says nothing."""

    at_s: list[float] = field(default_factory=list)
    is_done: bool = False
    _rest: bytes = b""

    def take(self, block: bytes, now_s: float) -> None:
        """The next bytes, which came at a time.

        Raises: RefusedError: the server says an error behind HTTP 200, or gives the request up.
        """
        *events, self._rest = (self._rest + block).split(_EVENT_END)
        for event in events:
            self._take_event(event, now_s)

    def _take_event(self, event: bytes, now_s: float) -> None:
        if event.startswith(_DONE):
            self.is_done = True
        elif _ERROR in event:
            raise RefusedError(error_message(event.partition(b"data: ")[2]))
        elif _ABORT in event:
            raise RefusedError(
                "the server gave the request up (finish_reason abort): it is stopping"
            )
        elif (start := event.find(_STAMPS)) >= 0:
            listed = event[start + len(_STAMPS) : event.index(b"]", start)]
            self.at_s += [float(stamp) for stamp in listed.split(b",") if stamp]
        elif _TEXT in event:
            self._take_tokens(_tokens_after(event, len(self.at_s)), now_s)

    def _take_tokens(self, n: int, now_s: float) -> None:
        """So many tokens in one event: a server whose client is slow to read sends several at once.

        They are spread over the time since the last one: the mean gap is right, and none is 0.
        """
        if not self.at_s:
            self.at_s += [now_s] * n
            return
        last_s = self.at_s[-1]
        self.at_s += [last_s + (now_s - last_s) * i / n for i in range(1, n + 1)]


def _tokens_after(event: bytes, n_before: int) -> int:
    """Tokens that an event brings: by its own running count, or one where it has none."""
    count = _COUNT.search(event)
    return max(0, int(count[1]) - n_before) if count else 1


def error_message(body: bytes) -> str:
    """What an error object of the OpenAI protocol says, shortened: it may quote the prompt further on."""
    try:
        said: object = json.loads(body)
    except ValueError:
        return "an error that is no JSON"
    error = said.get("error", said) if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return str(message)[:160] if message else "an error without a message"
