"""The adapter as a process: follows the API server and answers until told to stop."""

import asyncio
import gc
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from adapter.acceptor import Acceptor
from adapter.answers import Answers
from adapter.authentication import Authenticator
from adapter.authorization import Authorizer
from adapter.cluster import Reviewer, connected, reviewing
from adapter.external_metrics import API_SERVICE, check_owner
from adapter.gate import Gate
from adapter.handlers import Face
from adapter.refusal import UnansweredError
from adapter.store import BEAT_S, Store
from adapter.telemetry import Telemetry
from adapter.tls import CertificateFiles, Tls
from adapter.trust import Trust
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.listening import bound_socket, stop_signal

_LOG = structlog.stdlib.get_logger(__name__)

_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    clock: Clock
    api: str  # address of the API server; empty: the cluster that the process runs in
    kubeconfig: str = ""  # a file to use instead of the usual ones
    host: str = "127.0.0.1"
    port: int = 8085  # 0 for any
    namespace: str = ""  # the one whose objects are served; empty: all
    certificate: CertificateFiles | None = None  # none: plain HTTP, which tells nobody apart
    is_http_allowed: bool = False  # plain HTTP beyond this machine
    external_service: str = ""  # NAMESPACE/NAME of our Service; empty: no external metrics

    def __post_init__(self) -> None:
        """Refuse to answer everybody by an oversight. Raises: ConfigError."""
        if self.certificate is None and not self.is_http_allowed and not _is_loopback(self.host):
            raise ConfigError(
                f"plain HTTP on {self.host} would answer everybody who reaches it: give --tls-cert-file and"
                " --tls-private-key-file, or say --insecure-http"
            )


async def run_adapter(options: Options) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises: ConfigError: the port is taken, there is no API to speak to, a certificate cannot be used, or the
        external metrics are somebody else's.
    """
    stopped = stop_signal()
    try:
        async with serving(options) as running:
            is_tls = running.tls is not None
            _LOG.info("adapter_listening", address=running.address, is_tls=is_tls)
            async with asyncio.TaskGroup() as group:
                settling = group.create_task(_settle(running.store))
                await stopped.wait()
                settling.cancel()
    except* ConfigError as errors:
        raise _first(errors) from errors


async def _settle(store: Store) -> None:
    """Take what was read at the start out of the garbage collector's rounds.

    It would walk through every object of the store again and again, and answer nobody meanwhile.
    """
    while not store.is_synced:  # noqa: ASYNC110 (a matter of once)
        await asyncio.sleep(_AGAIN_S)
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator["Serving"]:
    """The adapter while the context lasts.

    Raises: ConfigError, within a group where it is found while it serves.
    """
    telemetry, store = Telemetry(), Store()
    tls = Tls(options.certificate, telemetry) if options.certificate else None
    async with AsyncExitStack() as stack:
        api, kubeconfig = options.api, options.kubeconfig
        follower = await stack.enter_async_context(
            connected(api, store, options.clock, options.namespace, kubeconfig=kubeconfig)
        )
        reviewer = await stack.enter_async_context(reviewing(api, telemetry, kubeconfig=kubeconfig))
        gate = _guarded(reviewer, tls, telemetry) if tls else None
        ownership = Ownership(reviewer, options.external_service)
        face = Face(
            Answers(store, telemetry, options.clock),
            not_ready=lambda: _why_not_ready(store, gate, ownership),
            gate=gate.gate if gate else None,
            is_external_served=bool(options.external_service),
        )
        runner = web.AppRunner(face.app(), shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None  # noqa: S101 (set up)
        listening = bound_socket(options.host, options.port, who="adapter")
        stack.callback(listening.close)
        acceptor = Acceptor(
            runner.server, listening, lambda: tls.context if tls else None, telemetry
        )
        if tls is not None:
            tls.call_on_change(acceptor.renewed)
        async with asyncio.TaskGroup() as group:
            tasks = [follower.run(), acceptor.run(), ownership.run(), _beat(store)]
            if gate is not None and tls is not None:
                tasks += [gate.trust.run(), gate.authorizer.run(), tls.run()]
            running = [group.create_task(task) for task in tasks]
            name = listening.getsockname()
            yield Serving((name[0], name[1]), store, tls, gate.trust if gate else None)
            for task in running:
                task.cancel()


async def _beat(store: Store) -> None:
    """Tell the store that time has not stopped, until cancelled."""
    while True:
        store.beat(time.monotonic())
        await asyncio.sleep(BEAT_S)


@dataclass(frozen=True, slots=True)
class Serving:
    """A running adapter: where it listens, and what it looks at again and again."""

    address: tuple[str, int]
    store: Store
    tls: Tls | None
    trust: Trust | None


@dataclass(frozen=True, slots=True)
class Guarded:
    """A gate, and what keeps it up to date."""

    gate: Gate
    trust: Trust
    authorizer: Authorizer


def _guarded(reviewer: Reviewer, tls: Tls, telemetry: Telemetry) -> Guarded:
    authenticator = Authenticator(reviewer.user_of, telemetry)
    authorizer = Authorizer(reviewer.is_allowed, telemetry)
    trust = Trust(reviewer.front_proxy, tls, authenticator)
    return Guarded(Gate(authenticator, authorizer), trust, authorizer)


@dataclass(slots=True)
class Ownership:
    """Whether the external metrics of the cluster are ours to serve."""

    reviewer: Reviewer
    service: str
    why_unknown: str = ""

    def __post_init__(self) -> None:
        """Unknown until asked, where it matters."""
        self.why_unknown = "whose the external metrics are is not read yet" if self.service else ""

    async def run(self) -> None:
        """Asks once, as soon as the API server answers. Raises: ConfigError: they are somebody else's."""
        while self.why_unknown:
            try:
                check_owner(await self.reviewer.api_service(API_SERVICE), self.service)
            except UnansweredError as error:
                self.why_unknown = str(error)
                await asyncio.sleep(_AGAIN_S)
            else:
                self.why_unknown = ""


def _why_not_ready(store: Store, guarded: Guarded | None, ownership: Ownership) -> str:
    """What is missing before the first answer: all of it is read, or nothing is served."""
    if not store.is_synced:
        return "the VariantAutoscalings are not read yet"
    if guarded is not None and guarded.trust.why_none:
        return guarded.trust.why_none
    return ownership.why_unknown


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first(errors: BaseExceptionGroup[ConfigError]) -> ConfigError:
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group is never empty")
