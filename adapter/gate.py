"""The gate before every answer: who is asking, and may they?"""

import asyncio
from typing import cast

from aiohttp import web

from adapter.authentication import Authenticator
from adapter.authorization import Attributes, Authorizer
from adapter.front_proxy import Subject
from adapter.identity import Caller
from adapter.refusal import UnansweredError

_DEADLINE_S = 0.9  # for both questions together: whoever asks waits for less than a second


class Gate:
    """Knows callers and asks for their rights; nothing passes that was not allowed."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    async def admit(self, request: web.Request, wanted: Attributes | None) -> None:
        """Nothing where the request may be answered.

        Args:
            request: whose peer and headers say who asks.
            wanted: what it asks for; None where that does not exist, which everybody who is known
                may be told.

        Raises:
            RefusedError: 401 or 403.
            UnansweredError: the API server did not say in time.
        """
        try:
            async with asyncio.timeout(_DEADLINE_S):
                caller = await self._caller(request)
                if wanted is not None:
                    await self._authorizer.check(caller, wanted)
        except TimeoutError as error:
            raise UnansweredError(
                f"the API server did not say within {_DEADLINE_S} s who asks and what they may"
            ) from error

    async def _caller(self, request: web.Request) -> Caller:
        return await self._authenticator.caller(_subject(request), request.headers.items())


def _subject(request: web.Request) -> Subject | None:
    """Of the verified certificate: a listener asks for one of the requestheader CA, and takes no other."""
    transport = request.transport
    shown = transport.get_extra_info("peercert") if transport is not None else None
    return cast("Subject", shown["subject"]) if shown else None
