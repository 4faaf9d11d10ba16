"""The adapter's door to the API server: the VariantAutoscalings, whom to believe, and the two reviews.

Reads objects (list, watch, get) and creates reviews, which are questions in the form of objects.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import structlog

from adapter.authorization import Attributes
from adapter.front_proxy import CONFIG_MAP
from adapter.identity import User
from adapter.refusal import UnansweredError
from adapter.reviewed import DEADLINE_S
from adapter.store import Key, Store
from adapter.telemetry import Telemetry
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Json, Kube, KubeError, NotFound
from llmd_autoscaler.kube.mirror import Follower
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS, Resource

_LOG = structlog.stdlib.get_logger(__name__)

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False
)
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
API_SERVICES = Resource(
    "apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False
)


@asynccontextmanager
async def connected(
    api: str, store: Store, clock: Clock, namespace: str = "", *, kubeconfig: str = ""
) -> AsyncIterator[Follower]:
    """Who keeps a store equal to the VariantAutoscalings of an API server, while the context lasts.

    Args:
        api: its address, empty for the cluster that the process runs in.
        store: where the few numbers of each go; the objects themselves are not kept.
        clock: the process's clock.
        namespace: the one whose objects are followed, empty for all.
        kubeconfig: a file that says where the API server is and who we are; empty for the usual places.

    Raises: ConfigError: there is no API to speak to.
    """
    async with await Kube.connect(api, kubeconfig=kubeconfig) as kube:
        yield Follower(kube, VARIANT_AUTOSCALINGS, namespace or None, Kept(store, clock))


@dataclass(slots=True)
class Kept:
    """A store as the copy of a collection."""

    store: Store
    clock: Clock

    def replace(self, objects: Mapping[tuple[str, str], Json]) -> None:
        """Let go of what is gone, and take the rest anew."""
        self.store.keep_only({Key(*key) for key in objects})
        for key, found in objects.items():
            self.put(key, found)
        self.store.is_synced = self.store.is_connected = True

    def put(self, key: tuple[str, str], found: Json) -> None:
        """Take the numbers of an object."""
        labels = {
            k: v
            for k, v in _mapping(_mapping(found, "metadata"), "labels").items()
            if isinstance(v, str)
        }
        self.store.put(Key(*key), labels, _mapping(found, "status"), now_s=self.clock.now_s())

    def remove(self, key: tuple[str, str]) -> None:
        """Let go of an object."""
        self.store.remove(Key(*key))

    def heard(self) -> None:
        """Remember that the API server was there just now."""
        self.store.heard_at_s = time.monotonic()

    def lost(self, why: str) -> None:
        """Changes do not arrive any more."""
        self.store.is_connected = False
        _LOG.info("watch_lost", detail=why)


@asynccontextmanager
async def reviewing(
    api: str, telemetry: Telemetry, *, kubeconfig: str = ""
) -> AsyncIterator["Reviewer"]:
    """Who asks an API server about callers, on connections of their own: no list holds them up.

    Raises: ConfigError: there is no API to speak to.
    """
    async with await Kube.connect(api, kubeconfig=kubeconfig, timeout_s=DEADLINE_S) as kube:
        yield Reviewer(kube, telemetry)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """The questions that the gate has for the API server.

    Raises, each of its functions: UnansweredError, the API server does not say.
    """

    kube: Kube
    telemetry: Telemetry

    async def front_proxy(self) -> Mapping[str, object]:
        """The data of the ConfigMap that says whom to believe; empty where there is none."""
        namespace, _, name = CONFIG_MAP.partition("/")
        try:
            return _mapping(await self.kube.get(CONFIG_MAPS, namespace, name), "data")
        except NotFound:
            return {}
        except KubeError as error:
            raise UnansweredError(f"ConfigMap {CONFIG_MAP} cannot be read: {error}") from error

    async def api_service(self, name: str) -> Mapping[str, object] | None:
        """An APIService; None where there is none."""
        try:
            return await self.kube.get(API_SERVICES, None, name)
        except NotFound:
            return None
        except KubeError as error:
            raise UnansweredError(f"APIService {name} cannot be read: {error}") from error

    async def user_of(self, token: str) -> User | None:
        """The user of a bearer token; None where it is nobody's, or no longer."""
        try:
            review = await self.kube.create(TOKEN_REVIEWS, None, {"spec": {"token": token}})
        except KubeError as error:
            self.telemetry.reviewed("token", "failed")
            raise UnansweredError(f"whose the bearer token is cannot be asked: {error}") from error
        self.telemetry.reviewed("token", "answered")
        status = _mapping(review, "status")
        user = _mapping(status, "user")
        name = user.get("username")
        if status.get("authenticated") is not True or not isinstance(name, str) or not name:
            return None
        extra = {key: _texts(values) for key, values in _mapping(user, "extra").items()}
        return User.of(name, str(user.get("uid", "")), _texts(user.get("groups")), extra)

    async def is_allowed(self, user: User, wanted: Attributes) -> bool:
        """Whether the API server would let a user do something."""
        spec: Json = {"user": user.name, "groups": list(user.groups)}
        if user.uid:
            spec["uid"] = user.uid
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra}
        spec |= _attributes(wanted)
        try:
            review = await self.kube.create(ACCESS_REVIEWS, None, {"spec": spec})
        except KubeError as error:
            self.telemetry.reviewed("access", "failed")
            raise UnansweredError(f"what {user.name} may do cannot be asked: {error}") from error
        self.telemetry.reviewed("access", "answered")
        return _mapping(review, "status").get("allowed") is True


def _attributes(wanted: Attributes) -> Json:
    if wanted.path:
        return {"nonResourceAttributes": {"path": wanted.path, "verb": wanted.verb}}
    said = {key: value for key, value in wanted._asdict().items() if value and key != "path"}
    return {"resourceAttributes": said}


def _texts(found: object) -> list[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _mapping(parent: Mapping[str, object], key: str) -> Json:
    value = parent.get(key)
    return cast("Json", value) if isinstance(value, dict) else {}
