"""The aggregated path: requests for custom metrics go to the adapter, as kube-aggregator passes them on."""

import aiohttp
from aiohttp import web

from llmd_autoscaler.simulator.kubeapi.status import ApiError

GROUP_VERSIONS = ("custom.metrics.k8s.io/v1beta2", "custom.metrics.k8s.io/v1beta1")
PREFIX = "/apis/custom.metrics.k8s.io/"
TIMEOUT_S = 5.0  # wall; the HPA asks again in the next period, so waiting longer gains nothing


class AdapterProxy:
    """Passes GETs to the adapter; without an adapter the group answers 503."""

    def __init__(self, adapter_url: str) -> None:
        self._url = adapter_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @property
    def group_versions(self) -> tuple[str, ...]:
        """What discovery lists."""
        return GROUP_VERSIONS if self._url else ()

    async def answer(self, request: web.Request) -> web.Response:
        """What the adapter answers, unchanged.

        Raises: ApiError: 503, it does not answer.
        """
        if not self._url:
            raise _unavailable("no adapter was named with --adapter-url")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), auto_decompress=False
            )
        headers = {"Accept": request.headers.get("Accept", "application/json")}
        try:
            async with self._session.get(self._url + request.raw_path, headers=headers) as answer:
                body = await answer.read()
                return web.Response(
                    status=answer.status,
                    body=body,
                    headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")},
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(f"{type(error).__name__} {error}".strip()) from error

    async def close(self) -> None:
        """Close the connections to the adapter."""
        if self._session is not None:
            await self._session.close()


def _unavailable(why: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", f"error trying to reach service: {why}")
