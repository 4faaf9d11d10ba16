"""Reads a client's request: its model, its prompt's size, and whether a `usage` event must be asked for."""

import json
from dataclasses import dataclass
from typing import cast

_ASK_USAGE = b'"stream_options":{"include_usage":true},'


class BadRequestError(ValueError):
    """A request that no server could answer; its text is for the client."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One request as it goes on to a server."""

    body: bytes
    model: str
    is_stream: bool
    strips_usage: bool  # we asked for the usage event, so the client must not get it
    n_prompt_bytes: int
    n_prompt_tokens: int | None  # known only where the prompt is token ids
    max_tokens: int | None


def read_inbound(raw: bytes) -> Inbound:
    """The request in a body.

    The body goes on byte for byte; the question for `usage` is spliced in behind the first brace,
    since writing a long prompt anew costs more than everything else here together.
    Raises: BadRequestError: not a JSON object with a model.
    """
    try:
        # as text: json would else guess UTF-16 too, where our splice would be garbage
        parsed: object = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadRequestError('the body is not a JSON object: send {"model": ..., ...}')
    asked = cast("dict[str, object]", parsed)
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequestError(
            'the body names no model: add "model": "NAME" (GET /v1/models lists them)'
        )
    is_stream = asked.get("stream") is True
    body, strips_usage = _asking_for_usage(raw, asked) if is_stream else (raw, False)
    n_bytes, n_tokens = _prompt_size(asked)
    return Inbound(
        body=body,
        model=model,
        is_stream=is_stream,
        strips_usage=strips_usage,
        n_prompt_bytes=n_bytes,
        n_prompt_tokens=n_tokens,
        max_tokens=_max_tokens(asked),
    )


def _asking_for_usage(raw: bytes, asked: dict[str, object]) -> tuple[bytes, bool]:
    options = asked.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        return raw, False
    if "stream_options" not in asked:
        brace = raw.index(b"{") + 1
        return raw[:brace] + _ASK_USAGE + raw[brace:], True
    kept = options if isinstance(options, dict) else {}
    return json.dumps(asked | {"stream_options": kept | {"include_usage": True}}).encode(), True


def _max_tokens(asked: dict[str, object]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = asked.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _prompt_size(asked: dict[str, object]) -> tuple[int, int | None]:
    """(bytes of text, tokens where the prompt is token ids)."""
    prompt = asked.get("prompt")
    if isinstance(prompt, list) and prompt and not isinstance(prompt[0], str):
        n_tokens = sum(len(part) if isinstance(part, list) else 1 for part in prompt)
        return 0, n_tokens
    if isinstance(prompt, list):
        return sum(_n_bytes(part) for part in prompt), None
    if prompt is not None:
        return _n_bytes(prompt), None
    messages = asked.get("messages")
    return sum(_message_bytes(m) for m in messages) if isinstance(messages, list) else 0, None


def _message_bytes(message: object) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return sum(_n_bytes(part.get("text")) for part in content if isinstance(part, dict))
    return _n_bytes(content)


def _n_bytes(text: object) -> int:
    if not isinstance(text, str):
        return 0
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
