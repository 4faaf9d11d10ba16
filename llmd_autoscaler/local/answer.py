"""What the load generator reads from an answer: the times of its tokens, and how it ended.

Most blocks are only looked at for the mark of the end: their bytes are kept, and a few searches find the
first and the last stamp when all is there.
"""

import json
from dataclasses import dataclass, field

from llmd_autoscaler.local.ledger import Outcome

_STAMPS = b'"llmd_token_at_s":['
_DONE = b"data: [DONE]"
_DATA = b"data: "
# Marks of events that are parsed. Within a JSON text every quote is escaped: no answer can contain them.
_USAGE, _ERROR, _ABORT = b'"usage":', b'"error":', b'"abort"'

# Names of failures that the client itself finds; others are the router's words.
CUT, ABORTED, UNCOUNTED = "cut", "abort", "no_usage"


class FailedError(Exception):
    """A request that was not answered in full; its text is the one word of the ledger."""


@dataclass(slots=True)
class Stream:
    """One streamed answer as it comes in."""

    _blocks: list[bytes] = field(default_factory=list)
    _first_s: float = 0.0
    _last_s: float = 0.0

    def take(self, block: bytes, now_s: float) -> None:
        """The next bytes; `now_s` stands in for the stamps of a server that writes none."""
        if not self._blocks:
            self._first_s = now_s
        self._blocks.append(block)
        self._last_s = now_s

    def outcome(self) -> Outcome:
        """What the answer came to.

        Raises: FailedError: it is not whole.
        """
        said = b"".join(self._blocks)
        if _ERROR in said:
            raise FailedError(error_reason(_event_with(said, _ERROR)))
        if _ABORT in said:
            raise FailedError(ABORTED)
        if _DONE not in said:
            raise FailedError(CUT)
        isl, osl = _usage(said)
        first_s, last_s = _stamps(said) or (self._first_s, self._last_s)
        return Outcome(first_s, last_s, isl, osl)


def error_reason(body: bytes) -> str:
    """One word for an error object of the OpenAI protocol: the router's own reason, or else its type."""
    try:
        said: object = json.loads(body)
    except ValueError:
        return "no_json"
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return "unknown"
    return str(error.get("reason") or error.get("type") or "unknown")


def _usage(said: bytes) -> tuple[int, int]:
    """(prompt tokens, output tokens) as the server counted them."""
    try:
        event: object = json.loads(_event_with(said, _USAGE))
    except ValueError as error:
        raise FailedError(UNCOUNTED) from error
    usage = event.get("usage") if isinstance(event, dict) else None
    counts = (
        (usage.get("prompt_tokens"), usage.get("completion_tokens"))
        if isinstance(usage, dict)
        else (0, 0)
    )
    match counts:
        case (int(isl), int(osl)) if isl > 0 and osl > 0:
            return isl, osl
        case _:
            raise FailedError(UNCOUNTED)


def _stamps(said: bytes) -> tuple[float, float] | None:
    """The times of the first and the last token; None where the server stamps none."""
    first = said.find(_STAMPS)
    while first >= 0 and said[first + len(_STAMPS) : first + len(_STAMPS) + 1] == b"]":
        first = said.find(_STAMPS, first + 1)
    if first < 0:
        return None
    last = said.rfind(_STAMPS)
    while (
        said[last + len(_STAMPS) : last + len(_STAMPS) + 1] == b"]"
    ):  # the end came after the last token
        last = said.rfind(_STAMPS, 0, last)
    return _listed(said, first)[0], _listed(said, last)[-1]


def _listed(said: bytes, at: int) -> list[float]:
    start = at + len(_STAMPS)
    return [float(stamp) for stamp in said[start : said.index(b"]", start)].split(b",")]


def _event_with(said: bytes, mark: bytes) -> bytes:
    """The JSON of the last event with a mark in it; empty where none has it."""
    at = said.rfind(mark)
    if at < 0:
        return b""
    start = said.rfind(_DATA, 0, at)
    end = said.find(b"\n", at)
    return said[start + len(_DATA) : end if end >= 0 else len(said)]
