"""The adapter as `llmd-adapter` runs it, but for two things: `python -m tests.e2e.recording_adapter FILE [FLAG ...]`.

It looks for new certificates every second and not every ten, and remembers who may what for four and not ten. And it writes
each answer about `desired_replicas` to FILE before it is sent, so that a kill loses none. Here, because TLS ends here: the
audit log of the API server has no bodies of what it passes on, and a proxy before the adapter would need the keys that the
tests of certificates exchange. What is written is what goes out, after all that the adapter does.
"""

import json
import os
import sys
from typing import Final

from aiohttp import web

from adapter import __main__ as program
from adapter import authorization, process, reviewed, tls, trust
from adapter.handlers import Face
from llmd_autoscaler.clock import Clock

METRIC: Final = "/desired_replicas"
_ASKED_S: Final = web.RequestKey("asked_s", float)


class RecordingFace(Face):
    """A face that remembers what it said."""

    __slots__ = ()
    file = -1

    def app(self) -> web.Application:
        """The application, with a hand at its way out."""
        app = Face.app(self)
        app.on_response_prepare.append(self._note)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The adapter's answer; the time is that of the question, before anything was looked up."""
        request[_ASKED_S] = Clock().now_s()
        return await Face.answer(self, request)

    async def _note(self, request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.endswith(METRIC) or not isinstance(response, web.Response):
            return
        said = {
            "asked_s": request[_ASKED_S],
            "path": request.path,
            "code": response.status,
            "body": response.text,
        }
        # one write: what two processes append, or a kill cuts off, is never half of a line
        os.write(self.file, (json.dumps(said) + "\n").encode())


if __name__ == "__main__":
    tls._LOOK_S = trust._LOOK_S = 1.0
    reviewed.KEPT_S, authorization._RENEWED_AT_S = 4.0, 2.0
    RecordingFace.file = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    process.Face = RecordingFace  # type: ignore[misc]
    sys.exit(program.main())
