"""The one door to a Kubernetes API: list, watch, relist, apply; dicts in, dicts out.

Rules for editors: every call has a wall timeout, no error of the client library passes this module,
and objects are raw JSON (typed models of the library cost ten times the CPU and five times the memory).
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config

from llmd_autoscaler.errors import ConfigError, ObservationError

Json = dict[str, object]
JsonList = list[Json]

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_PAGE = 500  # objects a request, so that no answer grows without bound
# A stream ends and goes on where it was, without a relist, so that a silent peer is noticed
_WATCH_S = 60
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before a relist after a failure


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object and where the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What `apiVersion` says, such as `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path of a collection, an object or a part of one; no namespace = all of them."""
        prefix = "/apis" if self.group else "/api"
        scope = f"namespaces/{quote(namespace)}" if namespace and self.namespaced else ""
        parts = (prefix, self.api_version, scope, self.plural, quote(name, safe=""), subresource)
        return "/".join(part for part in parts if part)


_OURS = ("autoscaling.llmd.ai", "v1alpha1")
VARIANT_AUTOSCALINGS = Resource(*_OURS, "variantautoscalings", "VariantAutoscaling")
SERVICE_LEVELS = Resource(*_OURS, "servicelevels", "ServiceLevel")
CAPACITY_PROFILES = Resource(*_OURS, "capacityprofiles", "CapacityProfile")
ACCELERATOR_STOCKS = Resource(*_OURS, "acceleratorstocks", "AcceleratorStock", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


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
    async def connect(cls, address: str = "", *, timeout_s: float = 5.0) -> Self:
        """A client of an address; the first call speaks to it, this one does not.

        Args:
            address: `http://127.0.0.1:PORT` is a plain API on loopback; empty is the cluster that the
                process runs in, or else the kubeconfig that kubectl would use.
            timeout_s: wall seconds that a call may take.

        Raises: ConfigError: neither a cluster nor a readable kubeconfig.
        """
        settings = client.Configuration()
        if address:
            settings.host = address.rstrip("/")
            # a proxy of the environment would be asked for loopback too
            settings.client_session_kwargs = {"trust_env": False}
        else:
            await _load_identity(settings)
        return cls(client.ApiClient(settings), timeout_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

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

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        """One object."""
        return await self._call("GET", resource.path(namespace, name))

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
        self, resource: Resource, namespace: str | None, name: str, patch: Json
    ) -> Json:
        """An object after a merge patch; null deletes, a resourceVersion in it is a condition."""
        return await self._call(
            "PATCH", resource.path(namespace, name), body=patch, content_type=_MERGE
        )

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
            response.close()

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


class Mirror:
    """A copy of one collection, kept by list and watch; lists again after any failure."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        *,
        label_selector: str = "",
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        """(namespace, name) -> object. Objects are replaced whole; do not iterate across an await."""
        self.synced = asyncio.Event()  # set once the first list is in
        self.is_connected = False
        """Whether changes arrive now; `objects` stays as last seen while it is False."""
        self._kube = kube
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._on_change = on_change or (lambda: None)

    async def run(self) -> None:
        """Keep the copy until cancelled."""
        n_failures = 0
        try:
            while True:
                try:
                    version = await self._relist()
                    n_failures = 0
                    while True:
                        version = await self._follow(version)
                except KubeError:
                    self.is_connected = False
                pause_s = min(_FIRST_PAUSE_S * 2.0**n_failures, _LONGEST_PAUSE_S)
                n_failures = min(n_failures + 1, 16)
                # spread, or all replicas would list at once when the API comes back
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311
        finally:
            self.is_connected = False

    async def _relist(self) -> str:
        where, selector = self._namespace, self._label_selector
        items, version = await self._kube.list(self._resource, where, label_selector=selector)
        self.objects = {_key(item): _trimmed(item) for item in items}
        self.is_connected = True
        self.synced.set()
        self._on_change()
        return version

    async def _follow(self, version: str) -> str:
        """Take over the events of one stream; returns where the next one starts."""
        async for event in self._kube.watch(
            self._resource, self._namespace, version, label_selector=self._label_selector
        ):
            found = event.get("object")
            if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
                raise KubeError(f"{self._resource.plural}: an event of the watch has no object")
            version = str(found["metadata"].get("resourceVersion", version))
            match event.get("type"):
                case "ADDED" | "MODIFIED":
                    self.objects[_key(found)] = _trimmed(found)
                case "DELETED":
                    self.objects.pop(_key(found), None)
                case _:
                    continue
            self._on_change()
        return version


async def _load_identity(settings: client.Configuration) -> None:
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=settings)
        else:
            await config.load_kube_config(client_configuration=settings, persist_config=False)
    except (config.ConfigException, OSError) as error:
        raise ConfigError(
            f"no Kubernetes API to speak to ({error}): set KUBECONFIG to a kubeconfig file, or name the address"
        ) from error


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


def _key(item: Json) -> tuple[str, str]:
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        return "", ""
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _trimmed(item: Json) -> Json:
    """Without managedFields: often half of an object, and nobody here reads them."""
    metadata = item.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return item
