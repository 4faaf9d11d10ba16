"""The registered adapter, asked at its own port and not through the API server."""

import asyncio
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

from tests.controlplane.api import Json
from tests.controlplane.component import HOST
from tests.controlplane.pki import KeyPair
from tests.e2e.adapter import RegisteredAdapter

PROXY = "front-proxy-client"
_HEADERS = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}
_NO_ANSWER = (OSError, http.client.HTTPException)


class Direct:
    """Whoever reaches the first replica, with a certificate of his own and somebody's name in the headers."""

    def __init__(self, adapter: RegisteredAdapter, folder: Path) -> None:
        self._adapter = adapter
        self._folder = folder

    @contextlib.contextmanager
    def connection(self, pair: KeyPair) -> Iterator[http.client.HTTPSConnection]:
        """A connection that shows a certificate."""
        tls = ssl.create_default_context(cadata=self._adapter.authority.pem.decode())
        tls.load_cert_chain(*pair.write(self._folder, "direct"))
        port = self._adapter.ports[0]
        connection = http.client.HTTPSConnection(HOST, port, context=tls, timeout=20.0)
        try:
            yield connection
        finally:
            connection.close()

    async def get(self, path: str, pair: KeyPair) -> int:
        """A status code; 0 where the handshake is refused."""
        return await asyncio.to_thread(self._get, path, pair)

    async def shown(self) -> str:
        """The certificate that the adapter shows, as PEM."""
        return await asyncio.to_thread(ssl.get_server_certificate, (HOST, self._adapter.ports[0]))

    def _get(self, path: str, pair: KeyPair) -> int:
        with self.connection(pair) as connection:
            try:
                ask(connection, path)
                return answer(connection)[0]
            except _NO_ANSWER:
                return 0


def ask(connection: http.client.HTTPSConnection, path: str) -> None:
    """Send a question, and do not wait for the answer."""
    connection.request("GET", path, headers=_HEADERS)


def answer(connection: http.client.HTTPSConnection) -> tuple[int, Json]:
    """Its status code and its body."""
    found = connection.getresponse()
    return found.status, json.loads(found.read())
