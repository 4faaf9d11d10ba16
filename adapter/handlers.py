"""The HTTP face: the gate before every answer, and every answer in JSON, whatever is asked for.

Rules for editors: never a Retry-After (a client of the HPA sleeps on it and blocks a worker), never a
redirect (the aggregator refuses them), and the only call to anybody is the gate's, which has an end.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from adapter.answers import Answers
from adapter.discovery import Discovery
from adapter.gate import Gate
from adapter.refusal import (
    RefusedError,
    UnansweredError,
    bad_request,
    failed,
    method_not_allowed,
    too_many,
    unanswered,
)
from adapter.request_path import MetricPath, PagePath, SeriesPath, Target, segments_of, target_of
from adapter.response import document, page, refusal, text
from adapter.store import WithheldError
from adapter.telemetry import What

_LOG = structlog.stdlib.get_logger(__name__)

# as upstream: more than this at once is no HPA controller's doing
_MOST_UNDER_WAY = 400
# for the gate, the answer and its way out: a reader that stops reading does not hold a task for ever
_DEADLINE_S = 5.0
_TOO_LATE = 504  # counted, not sent


@dataclass(slots=True)
class Face:
    """Answers every path."""

    answers: Answers
    not_ready: Callable[[], str]  # why not, empty when ready
    gate: Gate | None = None  # none where plain HTTP cannot tell callers apart
    is_external_served: bool = False
    _n_under_way: int = 0
    _discovery: Discovery = field(init=False)

    def __post_init__(self) -> None:
        """Write the static pages."""
        self._discovery = Discovery(is_external_served=self.is_external_served)

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application()
        # one route for all: a router of its own would decode and normalise paths its own way
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer on its way, within the deadline; or the connection is over."""
        began_s = time.perf_counter()
        self._n_under_way += 1
        what: What = "unknown"
        response: web.Response | None = None
        try:
            async with asyncio.timeout(_DEADLINE_S):
                what, response = await self._answer(request)
                # here and not by the server, so that a slow reader falls under the deadline
                await response.prepare(request)
                await response.write_eof()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._n_under_way -= 1
            telemetry = self.answers.telemetry
            telemetry.requests.labels(str(response.status if response else _TOO_LATE)).inc()
            telemetry.took(what, time.perf_counter() - began_s)
        # of the connection that is over, aiohttp wants an answer all the same
        return response or refusal(failed())

    async def _answer(self, request: web.Request) -> tuple[What, web.Response]:
        path = request.path
        if path in {"/healthz", "/livez", "/readyz"}:
            return "health", self._health(path)
        segments = segments_of(path)
        target = target_of(segments, is_external_served=self.is_external_served)
        try:
            self._check_form(request)
            if self.gate is not None:
                await self.gate.admit(request, target.attributes() if target else None)
            return _what(target), self._found(target, request)
        except RefusedError as error:
            return _what(target), refusal(error)
        except UnansweredError as error:
            return _what(target), refusal(unanswered(error))
        except WithheldError as error:
            self.answers.telemetry.withheld.labels(error.reason).inc()
            return _what(target), refusal(RefusedError(404, "NotFound", str(error)))
        except Exception:  # noqa: BLE001 (the edge of the process)
            _LOG.exception(
                "request_failed", path=path, audit_id=request.headers.get("Audit-ID", "")
            )
            return _what(target), refusal(failed())

    def _check_form(self, request: web.Request) -> None:
        """Refuse what no client of ours sends, before anybody is asked about it."""
        if self._n_under_way > _MOST_UNDER_WAY:
            raise too_many(_MOST_UNDER_WAY)
        if request.method != "GET":
            raise method_not_allowed(request.method)
        if request.body_exists:
            raise bad_request("a GET has no body here: send none")

    def _found(self, target: Target | None, request: web.Request) -> web.Response:
        match target:
            case MetricPath():
                return document(self.answers.custom(target, request.query))
            case SeriesPath():
                return document(self.answers.external(target, request.query))
            case PagePath(segments=("metrics",)):
                telemetry = self.answers.telemetry
                return text(telemetry.page(self.answers.store), telemetry.CONTENT_TYPE)
            case PagePath():
                found = self._discovery.page(target.segments, request.headers.get("Accept", ""))
                if found is not None:
                    return page(found, request.headers.get("If-None-Match", ""))
            case None:
                pass
        raise WithheldError("unknown_path", "the server could not find the requested resource")

    def _health(self, path: str) -> web.Response:
        """Open to everybody, as upstream: a kubelet has no identity here."""
        why_not = self.not_ready() if path == "/readyz" else ""
        return text(why_not.encode(), code=503) if why_not else text(b"ok")


def _what(target: Target | None) -> What:
    match target:
        case None:
            return "unknown"
        case PagePath(segments=("metrics",)):
            return "own"
        case PagePath():
            return "discovery"
        case _:
            return "metric"
