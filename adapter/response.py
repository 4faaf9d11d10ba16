"""HTTP responses: JSON documents, Statuses, texts; with nothing in their headers that need not be there."""

import json

from aiohttp import web

from adapter.discovery import Page
from adapter.refusal import RefusedError
from adapter.wire import status

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
# which program and version answers is nobody's business; aiohttp would write its own
_SERVER = {"Server": "llmd-adapter"}


def document(found: object) -> web.Response:
    """JSON, also to a client that would rather have protobuf: it takes what the header says."""
    return _response(json.dumps(found).encode(), _JSON)


def page(found: Page, known_etag: str) -> web.Response:
    """A static page, or that the client has it already."""
    is_known = known_etag == found.etag
    response = _response(b"" if is_known else found.body, found.content_type)
    response.headers["ETag"] = found.etag
    # the same path has two forms
    response.headers["Vary"] = "Accept"
    if is_known:
        response.set_status(304)
    return response


def text(body: bytes, content_type: str = _TEXT, *, code: int = 200) -> web.Response:
    """A text of our own."""
    return _response(body, content_type, code)


def refusal(error: RefusedError) -> web.Response:
    """A Status; a text would reach an HPA's condition as "unknown"."""
    body = json.dumps(status(error.code, error.reason, str(error))).encode()
    return _response(body, _JSON, error.code)


def _response(body: bytes, content_type: str, code: int = 200) -> web.Response:
    return web.Response(status=code, body=body, headers={"Content-Type": content_type, **_SERVER})
