"""The server that is profiled, as seen through its HTTP endpoints: who it is, and its page of metrics."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp

from llmd_autoscaler.engines.exposition import MAX_PAGE_BYTES
from llmd_autoscaler.engines.vllm import VllmPage, read_page
from llmd_autoscaler.errors import ConfigError, ObservationError

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404
# What a loaded server may take for a page or a list: its one process also tokenises and streams.
_TIMEOUT_WALL_S = 10.0
_CONNECT_WALL_S = 5.0
# A stream that says nothing for so long is lost; no prompt that fits is computed longer.
SILENCE_WALL_S = 120.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says of itself."""

    model: str
    max_model_len: int
    version: str
    kv_tokens: int | None


@contextlib.asynccontextmanager
async def session(api_key: str = "") -> AsyncIterator[aiohttp.ClientSession]:
    """Connections to one server, as many as there are clients; no proxies, no cookies."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=_CONNECT_WALL_S, sock_read=SILENCE_WALL_S
    )
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        headers=headers,
        trust_env=False,
    ) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server answers, and where its metrics are."""

    http: aiohttp.ClientSession
    url: str
    metrics_url: str

    async def identity(self, model: str = "") -> Identity:
        """Who is there.

        Args: model: the name that must be served; "" takes the only one.
        Raises: ConfigError: nobody, somebody else, or nobody who lets us in.
        """
        models = await self._models()
        names = sorted(models)
        if model and model not in models:
            raise ConfigError(
                f"--model {model}: {self.url} serves {', '.join(names) or 'nothing'}; name what it serves"
            )
        if not model and len(names) != 1:
            raise ConfigError(
                f"{self.url} serves {', '.join(names) or 'nothing'}; name one with --model"
            )
        name = model or names[0]
        page = await self.page()
        return Identity(name, models[name], await self._version(), page.kv_capacity_tokens)

    async def page(self) -> VllmPage:
        """The server's metrics now.

        Raises: ObservationError: no page, or none of vLLM's.
        """
        try:
            return read_page(await self._get(self.metrics_url))
        except ObservationError as error:
            raise ObservationError(
                f"{self.metrics_url}: {error}; name vLLM's own page with --metrics-url"
            ) from error

    async def _models(self) -> Mapping[str, int]:
        url = f"{self.url}/v1/models"
        try:
            body: object = json.loads(await self._get(url))
        except ObservationError as error:
            raise ConfigError(f"--endpoint {self.url}: {error}") from error
        except ValueError as error:
            raise ConfigError(
                f"--endpoint {self.url}: /v1/models is no JSON; name an OpenAI-compatible server"
            ) from error
        entries = body.get("data") if isinstance(body, dict) else None
        if not isinstance(entries, list):
            raise ConfigError(
                f"--endpoint {self.url}: /v1/models lists no models; name an OpenAI-compatible server"
            )
        return dict(_model(entry) for entry in entries if isinstance(entry, dict))

    async def _version(self) -> str:
        try:
            body: object = json.loads(await self._get(f"{self.url}/version"))
        except (ObservationError, ValueError):
            return ""  # a gateway in front may not pass it on
        version = body.get("version") if isinstance(body, dict) else None
        return version if isinstance(version, str) else ""

    async def _get(self, url: str) -> bytes:
        try:
            async with asyncio.timeout(_TIMEOUT_WALL_S), self.http.get(url) as response:
                if response.status != _OK:
                    raise ObservationError(_refusal(url, response.status))
                limit = MAX_PAGE_BYTES if url == self.metrics_url else _MOST_BYTES
                return await _body(response, limit)
        except TimeoutError as error:
            raise ObservationError(f"no answer within {_TIMEOUT_WALL_S:g} s from {url}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ObservationError(
                f"no answer from {url}: {str(error) or type(error).__name__}; check that the server runs, and the port"
            ) from error


def _refusal(url: str, status: int) -> str:
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return f"HTTP {status} from {url}: it wants a key; name a file that holds it with --api-key-file"
    if status == _NOT_FOUND:
        return f"HTTP 404 from {url}: there is no such page"
    return f"HTTP {status} from {url}"


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    parts: list[bytes] = []
    n_bytes = 0
    async for part in response.content.iter_any():
        n_bytes += len(part)
        if n_bytes > limit:
            raise ObservationError(f"{response.url} sends more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def _model(entry: Mapping[str, object]) -> tuple[str, int]:
    """A model's name and longest request; 0 where it does not say."""
    longest = entry.get("max_model_len")
    return str(entry.get("id", "")), longest if isinstance(longest, int) else 0
