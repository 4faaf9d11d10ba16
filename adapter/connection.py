"""One connection of a client: how much it may send, how long it may keep silent, and what garbage is answered."""

import asyncio

from aiohttp import web

from adapter.refusal import bad_request, failed
from adapter.response import refusal
from adapter.telemetry import Telemetry

# Also the bound on a header that never ends: a client that dribbles is closed like one that is silent.
# The aggregator closes its own idle connections after 90 s, and asks again on another one when we are first.
IDLE_S = 75.0
# a long labelSelector and the aggregator's X-Remote-Extra-* need more than the usual 8 KiB
LONGEST_LINE = 64 * 1024
_MOST_HEADERS = 128
_GARBAGE = f"this is no HTTP request, or a line of it is over {LONGEST_LINE} bytes"


class Connection(web.RequestHandler):
    """aiohttp's connection, with our limits and our answer to what is no HTTP."""

    __slots__ = ("_telemetry",)

    def __init__(self, server: web.Server, telemetry: Telemetry, *, idle_s: float = IDLE_S) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=idle_s,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=_MOST_HEADERS,
            lingering_time=0.0,  # a body that nobody asked for is not waited for
            access_log=None,  # type: ignore[arg-type]  # as AppRunner takes it
        )
        self._telemetry = telemetry

    @property
    def is_verified(self) -> bool:
        """Whether the peer has shown a certificate of the front proxy's CA."""
        transport = self.transport
        return transport is not None and bool(transport.get_extra_info("peercert"))

    def retire(self) -> None:
        """End after the request that is being answered, at once where there is none.

        aiohttp's `close` alone leaves an idle connection open and deaf: its client would ask, and wait.
        """
        if self._current_request is None:
            self.force_close()
        else:
            self.close()

    def handle_error(  # type: ignore[explicit-override]  # typing has it from 3.12 on
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A Status and the end of the connection; nothing of what was sent is repeated or logged.

        What cannot be read may be half of a token.
        """
        del exc, message
        if request.writer.output_size > 0:
            raise ConnectionError("half of an answer is out already")
        error = failed() if status >= failed().code else bad_request(_GARBAGE)
        self._telemetry.requests.labels(str(error.code)).inc()
        response = refusal(error)
        response.force_close()
        return response
