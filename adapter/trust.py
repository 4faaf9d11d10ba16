"""Keeps whom we believe equal to what the cluster says."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from adapter.authentication import Authenticator
from adapter.front_proxy import FrontProxy, TrustError
from adapter.refusal import UnansweredError
from adapter.tls import Tls

_LOG = structlog.stdlib.get_logger(__name__)

# One small object: a Role gives the right to read exactly it, and a new CA is published long before it is used.
_LOOK_S = 10.0
_FIRST_LOOK_S = 0.5

ReadConfigMap = Callable[[], Awaitable[Mapping[str, object]]]


class Trust:
    """The front proxy, as its ConfigMap describes it now."""

    def __init__(self, read: ReadConfigMap, tls: Tls, authenticator: Authenticator) -> None:
        self._read = read
        self._tls = tls
        self._authenticator = authenticator
        self.why_none = "the front proxy's CA is not read yet"
        """Why nobody's word is taken; empty where somebody's is."""
        self._told = ""

    async def look(self) -> None:
        """Take over what the cluster says; where it cannot be read, what was read last holds."""
        try:
            data = await self._read()
        except UnansweredError as error:
            self._tell(str(error))
            if self._authenticator.front_proxy is None:
                self.why_none = str(error)
            return
        try:
            front_proxy, why_none = FrontProxy.from_config_map(data), ""
        except TrustError as error:
            front_proxy, why_none = None, str(error)
        self._tell(why_none)
        # what the authenticator must not believe any more, it must not believe while the listener is busy
        if front_proxy is None:
            self._authenticator.front_proxy = None
        try:
            self._tls.trust(front_proxy)
        except TrustError as error:
            self._tell(str(error))
            return
        self._authenticator.front_proxy = front_proxy
        self.why_none = why_none

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_FIRST_LOOK_S if self.why_none else _LOOK_S)

    def _tell(self, why: str) -> None:
        if why and why != self._told:
            _LOG.warning("front_proxy_unknown", detail=why)
        self._told = why
