"""How an answer is written: the chunks of a stream and the whole, with all that repeats encoded once.

A chunk carries every token that came due since the last one and `llmd_token_at_s`, the simulated time
of each: on a compressed clock the arrival of bytes says nothing.
"""

import json
import uuid
from collections.abc import Sequence

from llmd_autoscaler.simulator.vllm_server.prompts import Call

DONE = b"data: [DONE]\n\n"
_WORD = b" word"  # one token of the simulator's tokenizer
_REASONS = {None: b"null", "length": b'"length"', "abort": b'"abort"'}


class Answer:
    """Writes the answer to one request."""

    def __init__(self, call: Call, *, model: str, request_id: str, now_s: float) -> None:
        kind = "chat.completion" if call.is_chat else "text_completion"
        self._call = call
        self._head: dict[str, object] = {
            "id": f"{'chatcmpl' if call.is_chat else 'cmpl'}-{request_id or uuid.uuid4().hex}",
            "object": f"{kind}.chunk" if call.is_chat and call.is_streamed else kind,
            "created": int(now_s),
            "model": model,
        }
        self._prefix = b"data: " + _compact(self._head)[:-1] + b',"choices":['
        if call.is_chat:
            self._open, self._close = b'{"index":0,"delta":{"content":"', b'"}'
            role = b'{"index":0,"delta":{"role":"assistant","content":""}'
            self._lead = self._prefix + role + b',"logprobs":null,"finish_reason":null}]}\n\n'
        else:
            self._open, self._close = b'{"index":0,"text":"', b'"'
            self._lead = b""

    def chunk(self, stamps_s: Sequence[float], reason: str | None) -> bytes:
        """The event of the tokens that came due; the first chunk of a chat is led by one with the role."""
        lead, self._lead = self._lead, b""
        return b"".join((
            lead,
            self._prefix,
            self._open,
            _WORD * len(stamps_s),
            self._close,
            b',"logprobs":null,"finish_reason":',
            _REASONS[reason],
            b',"stop_reason":null}],"llmd_token_at_s":[',
            _times(stamps_s),
            b"]}\n\n",
        ))  # fmt: skip

    def end(self, osl: int) -> bytes:
        """What follows the last token: usage where the client asked for it, and the mark of the end."""
        if not self._call.wants_usage:
            return DONE
        return b'%s],"usage":%s}\n\n%s' % (self._prefix, self._usage(osl), DONE)

    def whole(self, stamps_s: Sequence[float], reason: str) -> bytes:
        """The answer in one piece."""
        text = (_WORD * len(stamps_s)).decode()
        choice: dict[str, object] = {"index": 0, "logprobs": None, "finish_reason": reason}
        if self._call.is_chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        head = _compact({**self._head, "choices": [choice]})[:-1]
        return b'%s,"usage":%s,"llmd_token_at_s":[%s]}' % (
            head,
            self._usage(len(stamps_s)),
            _times(stamps_s),
        )

    def _usage(self, osl: int) -> bytes:
        isl = self._call.isl
        return b'{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d}' % (
            isl,
            isl + osl,
            osl,
        )


def error_event(error: bytes) -> bytes:
    """A whole stream that only says why there is none."""
    return b"data: " + error + b"\n\n" + DONE


def _compact(data: dict[str, object]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _times(stamps_s: Sequence[float]) -> bytes:
    return b",".join([b"%.6f" % at_s for at_s in stamps_s])
