"""The HTTP face of the small API server, on loopback."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import yaml
from aiohttp import web

from llmd_autoscaler.listening import listen
from llmd_autoscaler.simulator.kubeapi import paths, status
from llmd_autoscaler.simulator.kubeapi.discovery import discovered
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.kubeapi.paths import Target
from llmd_autoscaler.simulator.kubeapi.proxy import PREFIX, AdapterProxy
from llmd_autoscaler.simulator.kubeapi.selectors import parse_selector
from llmd_autoscaler.simulator.kubeapi.store import Store, encoded
from llmd_autoscaler.simulator.kubeapi.verbs import Verbs
from llmd_autoscaler.simulator.kubeapi.watch import Watch, lines
from llmd_autoscaler.translate.json_object import text

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_DEFAULT_WATCH_S = 1800.0
_MAX_BODY_BYTES = 3 * 1024 * 1024  # as kube-apiserver

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(
    store: Store, *, host: str = "127.0.0.1", port: int = 0, adapter_url: str = ""
) -> AsyncIterator[str]:
    """Serve a store while the context lasts; gives the address, such as `http://127.0.0.1:8001`.

    Raises: ConfigError: the port is taken.
    """
    proxy = AdapterProxy(adapter_url)
    face = Face(Verbs(store), proxy)
    app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_failures_as_status])
    app.router.add_route("*", "/{path:.*}", face.handle)
    # a client that leaves cancels its watch; without this a silent watch would outlive its reader
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = await listen(runner, host, port, who="API server")
        name = runner.addresses[0]
        yield f"http://{name[0]}:{name[1]}"
        # the door first: a reader whose watch ends comes back at once, and must not slip in
        await site.stop()
        await asyncio.sleep(0)
    finally:
        face.end_watches()
        await runner.cleanup()
        await proxy.close()


class Face:
    """Turns HTTP requests into verbs and their results into answers."""

    def __init__(self, verbs: Verbs, proxy: AdapterProxy) -> None:
        self._verbs = verbs
        self._proxy = proxy
        self._watches: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Every path, every method."""
        path = request.path
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if path.startswith(PREFIX):
            return await self._proxy.answer(request)
        found = discovered(path, aggregated=self._proxy.group_versions)
        if found is not None:
            return _answer(found)
        target = paths.parsed(path)
        return await (self._object if target.name else self._collection)(request, target)

    def end_watches(self) -> None:
        """End every stream, so that the server can stop."""
        for task in self._watches:
            task.cancel()

    async def _collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        match request.method:
            case "GET" if request.query.get("watch", "").lower() in ("1", "true"):
                return await self._watch(request, target)
            case "GET":
                return self._list(request, target)
            case "POST" if target.namespace or not target.kind.is_namespaced:
                return _answer(self._verbs.create(target, await _body(request)), code=201)
            case _:
                raise status.method_not_allowed()

    async def _object(self, request: web.Request, target: Target) -> web.StreamResponse:
        match request.method:
            case "GET":
                return _answer(self._verbs.get(target))
            case "PUT":
                return _answer(self._verbs.update(target, await _body(request)))
            case "PATCH":
                return await self._patch(request, target)
            case "DELETE" if not target.subresource:
                return await self._delete(request, target)
            case _:
                raise status.method_not_allowed()

    def _list(self, request: web.Request, target: Target) -> web.Response:
        query, store = request.query, self._verbs.store
        selector = parse_selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        return _answer(
            {
                "kind": f"{target.kind.name}List",
                "apiVersion": target.kind.api_version,
                "metadata": {"resourceVersion": str(store.revision)},
                "items": self._verbs.listed(target, selector),
            }
        )

    async def _patch(self, request: web.Request, target: Target) -> web.Response:
        body = await _body(request)
        if request.content_type == MERGE:
            return _answer(self._verbs.merge(target, body))
        if request.content_type != APPLY or target.subresource == "scale":
            raise status.unsupported_media_type(request.content_type, f"{MERGE}, {APPLY}")
        is_new = target.key not in self._verbs.store.collection(target.kind).objects
        kept = self._verbs.apply(
            target,
            body,
            manager=request.query.get("fieldManager", ""),
            force=request.query.get("force", "").lower() in ("1", "true"),
        )
        return _answer(kept, code=201 if is_new else 200)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        options = await _body(request) if request.can_read_body else {}
        grace = request.query.get("gracePeriodSeconds", options.get("gracePeriodSeconds"))
        ending = self._verbs.delete(
            target,
            grace_s=None if grace is None else _natural("gracePeriodSeconds", str(grace)),
            uid=text(options, "preconditions", "uid"),
        )
        if ending is not None:
            return _answer(ending)
        details = {"name": target.name, "group": target.kind.group, "kind": target.kind.plural}
        success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return _answer({**success, "details": details})

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        query, store = request.query, self._verbs.store
        watch = Watch(
            kind=target.kind,
            namespace=target.namespace,
            selector=parse_selector(query.get("labelSelector", ""), query.get("fieldSelector", "")),
            revision=_natural("resourceVersion", query.get("resourceVersion", "0") or "0"),
            timeout_s=_natural("timeoutSeconds", query.get("timeoutSeconds", "0"))
            or _DEFAULT_WATCH_S,
            has_bookmarks=query.get("allowWatchBookmarks", "").lower() in ("1", "true"),
        )
        store.check_not_ahead(watch.revision)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)

        async def write() -> None:
            async for block in lines(store, watch):
                await response.write(block)

        task = asyncio.create_task(write())
        self._watches.add(task)
        try:
            await task
        except (asyncio.CancelledError, ConnectionResetError):
            task.cancel()  # the reader left, or the server stops
        finally:
            self._watches.discard(task)
        return response


@web.middleware
async def _failures_as_status(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except status.ApiError as error:
        return _answer(error.status(), code=error.code)
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {_MAX_BODY_BYTES}"
        too_large = status.ApiError(413, "RequestEntityTooLarge", message)
        return _answer(too_large.status(), code=413)


def _answer(body: Json, *, code: int = 200) -> web.Response:
    return web.Response(status=code, body=encoded(body), content_type="application/json")


async def _body(request: web.Request) -> Json:
    """The object in the body. JSON is YAML too, but reading it as JSON costs a hundredth."""
    written = await request.read()
    try:
        found = json.loads(written)
    except ValueError:
        try:
            found = yaml.safe_load(written)
        except yaml.YAMLError as error:
            raise status.bad_request(f"the body is neither JSON nor YAML: {error}") from error
    if not isinstance(found, dict):
        raise status.bad_request(f"the body is not an object but {type(found).__name__}")
    return found


def _natural(name: str, written: str) -> int:
    if not written.isdecimal():
        raise status.bad_request(f"{name}={written!r} is not a whole number of 0 or more")
    return int(written)
