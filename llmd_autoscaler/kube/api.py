"""The one door to a Kubernetes API: list, watch, apply; dicts in, dicts out.

Rules for editors: every call has a wall timeout, no error of the client library passes this module,
and objects are raw JSON (typed models of the library cost ten times the CPU and five times the memory).
"""

import json
import os
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

import aiohttp
from kubernetes.aio import client, config

from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.kube.resources import Resource

Json = dict[str, object]
JsonList = list[Json]

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_PAGE = 500  # objects a request, so that no answer grows without bound
# A stream ends and goes on where it was, without a relist, so that a silent peer is noticed
_WATCH_S = 60


class KubeError(ObservationError):
    """A call that failed; `code` is the HTTP status, 0 where no answer came."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class NotFound(KubeError):  # noqa: N818 (the API's own word, as the two below)
    """404: there is no such object, or no such kind."""


class Conflict(KubeError):  # noqa: N818
    """409: the object has moved on, or the name is taken."""


class Gone(KubeError):  # noqa: N818
    """410: the API no longer remembers that resourceVersion; list again."""


_BY_CODE: Mapping[int, type[KubeError]] = {404: NotFound, 409: Conflict, 410: Gone}


class Kube:
    """A connection to one Kubernetes API."""

    def __init__(self, api: client.ApiClient, timeout_s: float) -> None:
        self._api = api
        self._timeout_s = timeout_s

    @classmethod
    async def connect(
        cls, address: str = "", *, kubeconfig: str = "", timeout_s: float = 5.0
    ) -> Self:
        """A client of an address; the first call speaks to it, this one does not.

        Args:
            address: `http://127.0.0.1:PORT` is a plain API on loopback; empty is the cluster that the
                process runs in, or else the kubeconfig that kubectl would use.
            kubeconfig: a file that is used whatever else there is, where no address is given.
            timeout_s: wall seconds that a call may take.

        Raises: ConfigError: not an address, or neither a cluster nor a readable kubeconfig.
        """
        settings = client.Configuration()
        if address:
            if not urlsplit(address).hostname or not address.startswith(("http://", "https://")):
                raise ConfigError(
                    f'"{address}" is no address of an API server: write one such as http://127.0.0.1:8001'
                )
            settings.host = address.rstrip("/")
            # a proxy of the environment would be asked for loopback too
            settings.client_session_kwargs = {"trust_env": False}
        else:
            await _load_identity(settings, kubeconfig)
        return cls(client.ApiClient(settings), timeout_s)

    async def close(self) -> None:
        """Close all connections; leaving an `async with` block does it too."""
        await self._api.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def list(
        self, resource: Resource, namespace: str | None = None, *, label_selector: str = ""
    ) -> tuple[JsonList, str]:
        """All objects of a collection, and the resourceVersion at which to start a watch."""
        found: JsonList = []
        page_at = ""
        while True:
            query = {"labelSelector": label_selector, "limit": str(_PAGE), "continue": page_at}
            page = await self._call("GET", resource.path(namespace), query)
            items, metadata = page.get("items"), page.get("metadata")
            if not isinstance(metadata, dict) or not isinstance(items, list | None):
                raise KubeError(f"{resource.plural}: the API answered something that is no list")
            found += items or []
            page_at = str(metadata.get("continue") or "")
            if not page_at:
                return found, str(metadata.get("resourceVersion", ""))

    async def get(
        self, resource: Resource, namespace: str | None, name: str, *, subresource: str = ""
    ) -> Json:
        """One object, or a part of it such as its scale."""
        return await self._call("GET", resource.path(namespace, name, subresource))

    async def scalable(self, api_version: str) -> dict[str, Resource]:
        """The kinds of a group and version that have a `/scale`, as the API describes itself.

        Raises: NotFound: it serves no such group or version.
        """
        prefix = "/apis" if "/" in api_version else "/api"
        listed = (await self._call("GET", f"{prefix}/{api_version}")).get("resources")
        entries = [each for each in (listed if isinstance(listed, list) else []) if each]
        names = {str(each.get("name")) for each in entries}
        group, _, version = api_version.rpartition("/")
        return {
            str(each.get("kind")): Resource(
                group,
                version,
                str(each.get("name")),
                str(each.get("kind")),
                namespaced=each.get("namespaced") is True,
            )
            for each in entries
            if f"{each.get('name')}/scale" in names
        }

    async def create(self, resource: Resource, namespace: str | None, body: Json) -> Json:
        """A new object, as stored. Raises: Conflict: the name is taken."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind} | body
        return await self._call("POST", resource.path(namespace), body=body)

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, manager: str
    ) -> Json:
        """An object after a server-side apply that takes over the fields of others; made if missing."""
        given = body.get("metadata")
        metadata = {"name": name, **(given if isinstance(given, dict) else {})}
        body = {**body, "metadata": metadata}
        return await self._apply(resource, resource.path(namespace, name), body, manager)

    async def apply_status(
        self, resource: Resource, namespace: str | None, name: str, status: Json, *, manager: str
    ) -> Json:
        """An object after a server-side apply of its status; an unchanged one wakes no watcher."""
        path = resource.path(namespace, name, "status")
        body: Json = {"metadata": {"name": name}, "status": status}
        return await self._apply(resource, path, body, manager)

    async def merge(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Json,
        *,
        subresource: str = "",
    ) -> Json:
        """An object after a merge patch; null deletes, a resourceVersion in it is a condition."""
        path = resource.path(namespace, name, subresource)
        return await self._call("PATCH", path, body=patch, content_type=_MERGE)

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, grace_s: int | None = None
    ) -> None:
        """Ask for the end of an object; a pod ends after its grace. Raises: NotFound."""
        body: Json = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        await self._call("DELETE", resource.path(namespace, name), body=body)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        resource_version: str,
        *,
        label_selector: str = "",
    ) -> AsyncIterator[Json]:
        """Raw events after a resourceVersion, bookmarks included; ends by itself after a while.

        Raises: Gone: list again. KubeError: the stream broke.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_S),
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
        }
        path = resource.path(namespace)
        response = await self._send("GET", path, query, timeout_s=_WATCH_S + self._timeout_s)
        try:
            if not response.ok:
                raise _failure("GET", path, response.status, await _read(response, path))
            while line := await _line(response, path):
                event = _object(line, path)
                if event.get("type") == "ERROR":
                    status = event.get("object")
                    code = status.get("code", 0) if isinstance(status, dict) else 0
                    raise _failure("watch of", path, code, status)
                yield event
        finally:
            _cut(response)

    async def _apply(self, resource: Resource, path: str, body: Json, manager: str) -> Json:
        body = {"apiVersion": resource.api_version, "kind": resource.kind} | body
        query = {"fieldManager": manager, "force": "true"}
        return await self._call("PATCH", path, query, body=body, content_type=_APPLY)

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        content_type: str = _JSON,
    ) -> Json:
        response = await self._send(method, path, query, body=body, content_type=content_type)
        async with response:
            answer = await _read(response, path)
        if not response.ok:
            raise _failure(method, path, response.status, answer)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        content_type: str = _JSON,
        timeout_s: float = 0.0,
    ) -> aiohttp.ClientResponse:
        given = {key: value for key, value in (query or {}).items() if value}
        path_and_query = f"{path}?{urlencode(given)}" if given else path
        headers = {"Accept": _JSON, "Content-Type": content_type}
        try:
            # body apart: the serialiser of the library would walk through the whole of it
            method, url, headers, _, _ = await self._api.param_serialize(
                method, path_and_query, header_params=headers, auth_settings=["BearerToken"]
            )
            answer = await self._api.call_api(
                method,
                url,
                headers,
                body,
                _request_timeout=aiohttp.ClientTimeout(total=timeout_s or self._timeout_s),
            )
        except (aiohttp.ClientError, client.ApiException, OSError, ValueError) as error:
            raise _no_answer(method, path, error) from error
        response: aiohttp.ClientResponse = answer.response
        return response


async def _load_identity(settings: client.Configuration, kubeconfig: str) -> None:
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and not kubeconfig:
            config.load_incluster_config(client_configuration=settings)
        else:
            await config.load_kube_config(
                kubeconfig or None, client_configuration=settings, persist_config=False
            )
    except (config.ConfigException, OSError) as error:
        raise ConfigError(
            f"no Kubernetes API to speak to ({error}): set KUBECONFIG to a kubeconfig file, or name the address"
        ) from error


def _cut(response: aiohttp.ClientResponse) -> None:
    """End a stream at once: a polite end over TLS waits for the peer, who may have hung."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


async def _read(response: aiohttp.ClientResponse, path: str) -> Json:
    try:
        written = await response.read()
    except (aiohttp.ClientError, OSError) as error:
        raise _no_answer("answer of", path, error) from error
    try:
        return _object(written, path)
    except KubeError:
        if response.ok:
            raise
        return {"message": written[:200].decode(errors="replace")}


async def _line(response: aiohttp.ClientResponse, path: str) -> bytes:
    try:
        return await response.content.readline()
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a line over 2 MiB
        raise _no_answer("watch of", path, error) from error


def _object(written: bytes, path: str) -> Json:
    try:
        found = json.loads(written)
    except ValueError as error:
        raise KubeError(f"{path}: the API answered no JSON ({error})") from error
    if not isinstance(found, dict):
        raise KubeError(f"{path}: the API answered {type(found).__name__}, not an object")
    return found


def _failure(verb: str, path: str, code: int, status: object) -> KubeError:
    message = status.get("message", "") if isinstance(status, dict) else ""
    return _BY_CODE.get(code, KubeError)(f"{verb} {path}: {code} {message}".strip(), code=code)


def _no_answer(verb: str, path: str, error: Exception) -> KubeError:
    return KubeError(f"{verb} {path}: no answer ({type(error).__name__} {error})")
