"""The OpenAI-compatible proxy: takes a request, finds it an instance, passes the answer through, counts.

Until the first event of an answer a refusal is tried again elsewhere; after it nothing is.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.slo import Timing, missed_bound
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.router.classify import class_of
from llmd_autoscaler.router.count import FAILED, Counts
from llmd_autoscaler.router.dispatch import Case, Dispatcher, is_asleep
from llmd_autoscaler.router.fleet import Carried, Fleet, Instance
from llmd_autoscaler.router.inbound import BadRequestError, Inbound, read_inbound
from llmd_autoscaler.router.learnt import Learnt
from llmd_autoscaler.router.pick import Asked
from llmd_autoscaler.router.replies import error_events, error_response, model_list
from llmd_autoscaler.router.stream import CLIENT_ERROR, Tap, Usage, json_object, stamps_of, usage_of
from llmd_autoscaler.router.upstream import Answer, RefusalError, answer_of

# Enough to get past a target that drains as a whole; a request that nobody takes is told so at once.
_MAX_ATTEMPTS = 4
# images in a chat are sent inside the body
MAX_BODY_BYTES = 64 * 2**20
_OK = 200
# Of a model that sleeps: when to ask again, though weights may take longer. Whoever does not ask again loses nothing.
_WAKES_WITHIN_S = "30"
_PATHS = ("/v1/completions", "/v1/chat/completions")
_REQUEST_ID = "x-request-id"
# RFC 9110 section 7.6.1, and what aiohttp writes itself; an encoding would hide the events from us
_NOT_FORWARDED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_LOG = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Run:
    """One request under way, with the bytes that go on."""

    http: web.Request
    inbound: Inbound
    case: Case
    request_id: str
    headers: dict[str, str]


@dataclass(slots=True)
class Proxy:
    """The handlers of the router's HTTP server."""

    fleet: Fleet
    dispatcher: Dispatcher
    counts: Counts
    learnt: Learnt
    clock: Clock
    session: aiohttp.ClientSession

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for path in _PATHS:
            app.router.add_post(path, self.complete)
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def models(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Every model and alias that a request may name."""
        return model_list(sorted(self.fleet.tables), self.counts.started_at_s)

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200 as soon as the router knows what the API server holds."""
        return web.Response(status=200 if self.fleet.is_synced else 503)

    async def metrics(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Counters and gauges as Prometheus text."""
        return web.Response(
            text=self.counts.page(self.fleet.instances()),
            content_type="text/plain",
            charset="utf-8",
        )

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """One completion or chat completion, streamed or not."""
        request_id = request.headers.get(_REQUEST_ID) or uuid.uuid4().hex
        try:
            inbound = read_inbound(await request.read())
        except BadRequestError as error:
            return self._error(400, str(error), "bad_request", request_id)
        table = self.fleet.tables.get(inbound.model)
        if table is None and not self.fleet.is_synced:
            return self._error(
                503, "the router has not read its models yet", "not_synced", request_id
            )
        if table is None:
            text = f"the model {inbound.model!r} does not exist: GET /v1/models lists those that do"
            return self._error(404, text, "unknown_model", request_id)
        request_class = class_of(table.classes, request.headers)
        isl = inbound.n_prompt_tokens or self.learnt.isl_of(table.model, inbound.n_prompt_bytes)
        asked = Asked(table.model, request_class.qos.name, isl, inbound.max_tokens)
        case = Case(table, request_class, asked, arrival_s=self.clock.now_s())
        self.counts.arrived(case.model, case.class_name, isl=isl, at_s=case.arrival_s)
        headers = _forwarded(request.headers) | {_REQUEST_ID: request_id}
        return await self._counted(_Run(request, inbound, case, request_id, headers))

    async def _counted(self, run: _Run) -> web.StreamResponse:
        """Answers and counts the end, whichever way it comes: a client that leaves cancels this task."""
        case, verdict = run.case, _Verdict()
        try:
            return await self._answered(run, verdict)
        finally:
            if verdict.is_client_error:
                self.counts.client_error(case.model, case.class_name)
            else:
                self.counts.ended(case.model, case.class_name, missed=verdict.missed)

    async def _answered(self, run: _Run, verdict: "_Verdict") -> web.StreamResponse:
        refusal: RefusalError | None = None
        for attempt in range(_MAX_ATTEMPTS):
            choice = self.dispatcher.next_instance(run.case, self.clock.now_s())
            if choice is None:
                break
            if attempt:
                self.counts.retried(run.case.model, run.case.class_name)
            instance, work = choice
            run.case.tried.append(instance)
            try:
                with instance.carrying(work) as carried:
                    return await self._attempt(run, carried, verdict)
            except RefusalError as error:
                refusal = error
                self._note(run, instance, error)
        return self._nobody(run, refusal)

    async def _attempt(
        self, run: _Run, carried: Carried, verdict: "_Verdict"
    ) -> web.StreamResponse:
        url = carried.instance.address + run.http.path
        async with answer_of(self.session, url, run.inbound.body, run.headers) as answer:
            carried.has_begun()
            if answer.is_stream:
                return await self._streamed(run, answer, verdict)
            return self._whole(run, answer, verdict)

    async def _streamed(self, run: _Run, answer: Answer, verdict: "_Verdict") -> web.StreamResponse:
        tap = Tap(strips_usage=run.inbound.strips_usage)
        out = web.StreamResponse(status=answer.response.status, headers=_returned(answer, run))
        await out.prepare(run.http)
        block, cut = answer.head, ""
        while block:
            if kept := tap.passes(block, self.clock.now_s()):
                await out.write(kept)
            try:
                block = await answer.next_block()
            except ObservationError as error:
                block, cut = b"", str(error)
        if not tap.is_done and not tap.failure:
            tap.failure = "cut"
            cut = cut or "the server closed its stream in the middle of an answer"
            await out.write(error_events(cut, reason=tap.failure))
        verdict.is_client_error = tap.failure == CLIENT_ERROR
        if not tap.failure:
            timing = (tap.first_token_s(), tap.last_token_s())
            verdict.missed = self._settled(run, tap.usage, timing)
        await out.write_eof()
        return out

    def _whole(self, run: _Run, answer: Answer, verdict: "_Verdict") -> web.Response:
        if answer.response.status == _OK:
            said, now_s = json_object(answer.head), self.clock.now_s()
            stamps = stamps_of(said) or [now_s]
            verdict.missed = self._settled(run, usage_of(said), (stamps[0], stamps[-1]))
        else:
            verdict.is_client_error = True
        return web.Response(
            status=answer.response.status, body=answer.head, headers=_returned(answer, run)
        )

    def _settled(self, run: _Run, usage: Usage | None, timing: tuple[float, float]) -> str:
        """Counts an answer that is complete; the first bound that it missed, "" for none."""
        case, inbound = run.case, run.inbound
        if usage is None:
            # a server that does not count: its cells stay unknown, its latency does not
            self.counts.uncounted(case.model, case.class_name)
            usage = Usage(isl=case.asked.isl, osl=1, n_hit=0)
        else:
            self.counts.completed(case.model, case.class_name, usage)
            self.learnt.saw_prompt(case.model, prompt_bytes=inbound.n_prompt_bytes, isl=usage.isl)
            self.learnt.saw_answer(case.model, case.class_name, osl=usage.osl)
        measured = Timing(case.arrival_s, *timing, isl=usage.isl, osl=usage.osl)
        self.counts.timed(case.model, case.class_name, measured)
        return missed_bound(case.request_class.qos.bounds, measured)

    def _note(self, run: _Run, instance: Instance, refusal: RefusalError) -> None:
        instance.refuse()
        case = run.case
        self.counts.refused(case.model, case.class_name, reason=refusal.reason)
        _LOG.warning(
            "instance_refused",
            request_id=run.request_id,
            model=case.model,
            target=instance.place.target,
            instance=instance.name,
            reason=refusal.reason,
            detail=str(refusal),
        )

    def _nobody(self, run: _Run, refusal: RefusalError | None) -> web.Response:
        if refusal is None and is_asleep(run.case.table, now_s=self.clock.now_s()):
            text = f"{run.case.model} sleeps, and this request wakes it: try again in a while"
            response = self._error(503, text, "model_asleep", run.request_id)
            response.headers["Retry-After"] = _WAKES_WITHIN_S
            return response
        if refusal is None:
            text = f"no instance of {run.case.model} is ready to serve: try again in a while"
            return self._error(503, text, "no_instance", run.request_id)
        n_tried = len(run.case.tried)
        text = f"{n_tried} instance{'s' if n_tried > 1 else ''} of {run.case.model} refused; the last: {refusal}"
        code = 429 if refusal.status == 429 else 503  # noqa: PLR2004
        return self._error(code, text, f"refused_{refusal.reason}", run.request_id)

    def _error(self, code: int, message: str, reason: str, request_id: str) -> web.Response:
        self.counts.unanswered(reason)
        return error_response(code, message, reason=reason, request_id=request_id)


@dataclass(slots=True)
class _Verdict:
    """How a request ended; a miss until something better is known."""

    missed: str = FAILED
    is_client_error: bool = False


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {k.lower(): v for k, v in headers.items() if k.lower() not in _NOT_FORWARDED}
    return kept | {"accept-encoding": "identity"}


def _returned(answer: Answer, run: _Run) -> dict[str, str]:
    kept = {
        k.lower(): v for k, v in answer.response.headers.items() if k.lower() not in _NOT_FORWARDED
    }
    return kept | {_REQUEST_ID: run.request_id}
