"""The HTTP face of the page: files, a stream of changes, histories, and the whole as one file."""

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import web

from llmd_autoscaler.page.assets import Asset, Assets
from llmd_autoscaler.page.collector import Collector

# Between two events when nothing changes; a reader that hears nothing for three of them is not connected.
BEAT_WALL_S = 10.0
# People who look at one page; each costs a write a second.
_MOST_STREAMS = 100
_YEAR_S = 31_536_000
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_BEAT = b"event: beat\ndata: {}\n\n"
# How soon a browser tries again, in milliseconds.
_RETRY = b"retry: 2000\n\n"


@dataclass(slots=True)
class Face:
    """The handlers."""

    collector: Collector
    assets: Assets
    _n_streams: int = 0
    _event: tuple[tuple[int | None, int], bytes] = ((-1, -1), b"")
    _streams: set[asyncio.Task[None]] = field(default_factory=set)

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application()
        app.router.add_get("/", self.index)
        app.router.add_get("/static/{name}", self.static)
        app.router.add_get("/events", self.events)
        app.router.add_get("/history", self.history)
        app.router.add_get("/save", self.save)
        for path in ("/healthz", "/readyz"):
            app.router.add_get(path, self.health)
        app.on_shutdown.append(self._end_streams)
        return app

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200: the page can be looked at, whoever else is away."""
        return web.Response(text="ok")

    async def index(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """The page itself."""
        headers = {
            **_HEADERS,
            "Content-Security-Policy": f"{self.assets.policy()}; frame-ancestors 'none'",
            "Cache-Control": "no-cache",
        }
        return web.Response(
            body=self.assets.index, content_type="text/html", charset="utf-8", headers=headers
        )

    async def static(self, request: web.Request) -> web.Response:
        """One of its files; its address has its hash, so it may be kept for ever."""
        asset = self.assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="there is no such file")
        headers = {
            **_HEADERS,
            "ETag": f'"{asset.etag}"',
            "Cache-Control": f"public, max-age={_YEAR_S}, immutable",
            "Vary": "Accept-Encoding",
        }
        if asset.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return _packed(asset, request, headers)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What changes, as server-sent events; who comes back is sent what it missed."""
        if self._n_streams >= _MOST_STREAMS:
            text = f"{_MOST_STREAMS} people look at this page already"
            raise web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "10"})
        response = web.StreamResponse(
            headers={
                **_HEADERS,
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        task = asyncio.create_task(self._stream(response, request.headers.get("Last-Event-ID", "")))
        self._n_streams += 1
        self._streams.add(task)
        try:
            await task
        except (asyncio.CancelledError, ConnectionError):
            task.cancel()  # the reader left, or the server stops
        finally:
            self._n_streams -= 1
            self._streams.discard(task)
        return response

    async def history(self, request: web.Request) -> web.Response:
        """The rows of one model after a moment: `?model=NAMESPACE/MODEL&since=UNIX_SECONDS`."""
        try:
            since_s = float(request.query.get("since", "0"))
        except ValueError as error:
            raise web.HTTPBadRequest(text="since is no number of seconds") from error
        found = self.collector.history.since(request.query.get("model", ""), since_s)
        body = json.dumps(found, separators=(",", ":"), allow_nan=False)
        headers = {**_HEADERS, "Cache-Control": "no-store"}
        return web.Response(text=body, content_type="application/json", headers=headers)

    async def save(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Everything that is shown and known now as one HTML file."""
        # a hundred models are some seconds of work: the others go on meanwhile
        body = await asyncio.to_thread(self.assets.saved, await self._data())
        headers = {
            **_HEADERS,
            "Content-Disposition": 'attachment; filename="llmd-autoscaler.html"',
            "Cache-Control": "no-store",
        }
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)

    async def _data(self) -> dict[str, object]:
        parts = self.collector.board.everything()
        histories = {}
        for key in parts.get("models", {}):
            histories[key] = self.collector.history.since(key)
            await asyncio.sleep(0)
        return {**parts, "histories": histories}

    async def _stream(self, response: web.StreamResponse, last_id: str) -> None:
        board = self.collector.board
        since = board.version_of(last_id)
        await response.write(_RETRY)
        while True:
            # taken before the write: what comes during it is not missed
            changed, version = self.collector.pushed, board.version
            if since is None or version > since:
                await response.write(self._event_since(since))
                since = version
            try:
                async with asyncio.timeout(BEAT_WALL_S):
                    await changed.wait()
            except TimeoutError:
                await response.write(_BEAT)

    def _event_since(self, since: int | None) -> bytes:
        """An event, made once for all who wait for the same one."""
        wanted = (since, self.collector.board.version)
        if self._event[0] != wanted:
            self._event = (wanted, self.collector.board.event(since))
        return self._event[1]

    async def _end_streams(self, app: web.Application) -> None:
        del app
        for task in self._streams:
            task.cancel()


def _packed(asset: Asset, request: web.Request, headers: dict[str, str]) -> web.Response:
    body = asset.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers = asset.packed, {**headers, "Content-Encoding": "gzip"}
    return web.Response(
        body=body, content_type=asset.content_type, charset="utf-8", headers=headers
    )
