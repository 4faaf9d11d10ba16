"""Takes connections from a listening socket: a bounded number of them, each met with the newest certificates."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import cast

import structlog
from aiohttp import web

from adapter.connection import Connection
from adapter.telemetry import Telemetry

_LOG = structlog.stdlib.get_logger(__name__)

# An API server keeps up to 25 idle connections to us, and has a hundred requests under way in a storm.
_MOST_CONNECTIONS = 512
_MOST_HANDSHAKES = 128
_HANDSHAKE_S = 10.0
_PAUSE_S = 0.1  # out of file descriptors: others will close

Context = Callable[[], ssl.SSLContext | None]


class Acceptor:
    """An accept loop that meets each connection with the context of that moment.

    asyncio's servers fix theirs once and for all, and a context can learn to trust a CA but not to
    distrust one.
    """

    def __init__(
        self, server: web.Server, listening: socket.socket, context: Context, telemetry: Telemetry
    ) -> None:
        self._server = server
        self._listening = listening
        self._context = context
        self._telemetry = telemetry
        self._handshakes: dict[asyncio.Task[None], None] = {}  # in order of age

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    accepted, _ = await loop.sock_accept(self._listening)
                except OSError as error:
                    _LOG.warning("accept_failed", detail=str(error))
                    await asyncio.sleep(_PAUSE_S)
                    continue
                self._make_room()
                task = asyncio.create_task(self._welcome(accepted))
                self._handshakes[task] = None
                task.add_done_callback(lambda done: self._handshakes.pop(done, None))
        finally:
            for task in self._handshakes:
                task.cancel()
            self._listening.close()

    def renewed(self) -> None:
        """End the connections that were met with older certificates, after the request that each is at.

        Their clients come again: Go's repeats a GET whose idle connection was closed.
        """
        for connection in self._connections():
            connection.retire()

    async def _welcome(self, accepted: socket.socket) -> None:
        context = self._context()
        limit_s = None if context is None else _HANDSHAKE_S
        accepted.setblocking(False)
        try:
            _, protocol = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self._server, self._telemetry),
                accepted,
                ssl=context,
                ssl_handshake_timeout=limit_s,
            )
        except OSError:  # an SSLError is one: no client of ours, a wrong certificate, or too slow
            self._telemetry.handshake_failed()
            accepted.close()
            return
        if context is not self._context():
            protocol.retire()  # shook hands while the certificates changed

    def _connections(self) -> list[Connection]:
        """Oldest first."""
        return cast("list[Connection]", self._server.connections)

    def _make_room(self) -> None:
        """One place, by ending the connection that is least likely the API server's.

        Whoever reaches the port could otherwise fill it with silence and lock the HPA out.
        """
        if len(self._handshakes) >= _MOST_HANDSHAKES:
            next(iter(self._handshakes)).cancel()
        connections = self._connections()
        if len(connections) >= _MOST_CONNECTIONS:
            strangers = (each for each in connections if not each.is_verified)
            next(strangers, connections[0]).force_close()
