"""The HTTP face: discovery, metrics, health. Answers from memory, in JSON, whatever is asked for.

Rules for editors: never a Retry-After (a client of the HPA sleeps on it and blocks a worker), never a
redirect (the aggregator refuses them), never a call to anybody from here.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from adapter.discovery import GROUP, api_group, api_group_list, api_resource_list
from adapter.request_path import ALL, MetricPath, metric_path, segments_of, version_of
from adapter.selector import parse_selector
from adapter.store import METRICS, Key, Served, Store, WithheldError
from adapter.telemetry import Telemetry
from adapter.wire import metric_value_list, status
from llmd_autoscaler.clock import Clock

_LOG = structlog.stdlib.get_logger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Face:
    """Answers every path."""

    store: Store
    telemetry: Telemetry
    clock: Clock

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(middlewares=[self._as_status])
        # one route for all: a router of its own would decode and normalise paths its own way
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Health, our own metrics, discovery or a metric."""
        if request.method != "GET":
            return _failed(
                405, "MethodNotAllowed", f"{request.method} is not supported here: only GET is"
            )
        if (own := self._own_page(request.path)) is not None:
            return own
        segments = segments_of(request.path)
        if (page := _discovered(segments)) is not None:
            return web.json_response(page)
        path = metric_path(segments)
        if path is None:
            return self._withheld(
                WithheldError("unknown_path", "the server could not find the requested resource")
            )
        return self._metric(path, request.query)

    def _own_page(self, path: str) -> web.Response | None:
        match path:
            case "/healthz" | "/livez":
                return web.Response(text="ok")
            case "/readyz":
                if self.store.is_synced:
                    return web.Response(text="ok")
                return web.Response(text="the VariantAutoscalings are not read yet", status=503)
            case "/metrics":
                page = self.telemetry.page(self.store)
                return web.Response(
                    body=page, headers={"Content-Type": self.telemetry.CONTENT_TYPE}
                )
            case _:
                return None

    def _metric(self, path: MetricPath, query: Mapping[str, str]) -> web.Response:
        try:
            _check(path.metric, query)
            found = self._found(path, query.get("labelSelector", ""))
        except WithheldError as error:
            return self._withheld(error)
        except ValueError as error:
            return _failed(400, "BadRequest", str(error))
        self.telemetry.served.inc(len(found))
        return web.json_response(metric_value_list(path.version, found))

    def _found(self, path: MetricPath, selector: str) -> list[Served]:
        now_s, monotonic_s = self.clock.now_s(), time.monotonic()
        if path.name != ALL:
            key = Key(path.namespace, path.name)
            return [self.store.served(key, path.metric, now_s=now_s, monotonic_s=monotonic_s)]
        return self._those_served(
            path,
            self.store.all_served(
                path.namespace,
                path.metric,
                parse_selector(selector),
                now_s=now_s,
                monotonic_s=monotonic_s,
            ),
        )

    def _those_served(
        self, path: MetricPath, results: Iterable[Served | WithheldError]
    ) -> list[Served]:
        found, withheld = [], []
        for result in results:
            if isinstance(result, Served):
                found.append(result)
            else:
                withheld.append(result)
        if found:
            for error in withheld:
                self.telemetry.withheld.labels(error.reason).inc()
            return found
        if withheld:
            raise withheld[0]
        raise WithheldError(
            "unknown_object",
            f"no VariantAutoscaling in namespace {path.namespace} matches the labelSelector",
        )

    def _withheld(self, error: WithheldError) -> web.Response:
        self.telemetry.withheld.labels(error.reason).inc()
        return _failed(404, "NotFound", str(error))

    @web.middleware
    async def _as_status(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The edge of the process: what nobody expected is a Status too, and is counted."""
        try:
            response = await handler(request)
        except Exception:  # noqa: BLE001 (the edge of the process)
            _LOG.exception("request_failed", path=request.path)
            response = _failed(500, "InternalError", "the adapter failed: its log says why")
        self.telemetry.requests.labels(str(response.status)).inc()
        return response


def _check(metric: str, query: Mapping[str, str]) -> None:
    if metric not in METRICS:
        raise WithheldError(
            "unknown_metric",
            f"there is no metric {metric}: those of a VariantAutoscaling are {', '.join(METRICS)}",
        )
    if query.get("metricLabelSelector"):
        raise WithheldError(
            "metric_selector", f"{metric} has no labels: remove metric.selector from the HPA"
        )


def _discovered(segments: tuple[str, ...]) -> object | None:
    if segments == ("apis",):
        return api_group_list()
    if segments == ("apis", GROUP):
        return api_group()
    version = version_of(segments)
    return (
        api_resource_list(version)
        if version and len(segments) == len(("apis", GROUP, version))
        else None
    )


def _failed(code: int, reason: str, message: str) -> web.Response:
    return web.json_response(status(code, reason, message), status=code)
