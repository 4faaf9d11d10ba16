"""The kubelet of the simulated cluster: a process for each pod, from start over Ready to drained and gone."""

import asyncio
import os
from dataclasses import dataclass

import aiohttp
import structlog

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.kubeapi.kinds import POD
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.simulator.kubeapi.paths import Target
from llmd_autoscaler.simulator.kubeapi.store import Key
from llmd_autoscaler.simulator.kubeapi.verbs import Verbs
from llmd_autoscaler.simulator.loopback import Addresses
from llmd_autoscaler.simulator.pod_process import PodProcess, command_of, environment_of, started
from llmd_autoscaler.simulator.pod_status import (
    failed,
    is_ending,
    is_failed,
    ready_at_s,
    running,
)
from llmd_autoscaler.translate.json_object import child, items, text, whole

_PROBE_EVERY_S = 0.1  # wall
_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2.0)  # wall
_DEFAULT_PORT = 8000

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Life:
    """One pod as the kubelet runs it."""

    key: Key
    uid: str
    pod: Json
    """As first seen; its spec does not change."""
    address: str
    ending: asyncio.Event
    """Set once the pod has a deletionTimestamp."""


class Kubelet:
    """The lives of all pods."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._clock = verbs.store.clock
        self._addresses = Addresses(os.getpid())
        self._lives: dict[str, _Life] = {}  # by pod uid, of every pod in the store

    async def run(self) -> None:
        """Start and end pods until cancelled, which ends all their processes."""
        pods = self._verbs.store.collection(POD)
        async with (
            aiohttp.ClientSession(timeout=_PROBE_TIMEOUT) as session,
            asyncio.TaskGroup() as tasks,
        ):
            while True:
                changed = pods.changed
                for key, pod in list(pods.objects.items()):
                    self._see(tasks, session, key, pod)
                seen = {text(pod, "metadata", "uid") for pod in pods.objects.values()}
                self._lives = {uid: life for uid, life in self._lives.items() if uid in seen}
                await changed.wait()

    def _see(
        self, tasks: asyncio.TaskGroup, session: aiohttp.ClientSession, key: Key, pod: Json
    ) -> None:
        uid = text(pod, "metadata", "uid")
        if is_ending(pod) and (is_failed(pod) or uid not in self._lives):
            self._let_go(key, uid)
        elif is_ending(pod):
            self._lives[uid].ending.set()
        elif uid not in self._lives and text(pod, "spec", "nodeName"):
            life = _Life(key, uid, pod, self._addresses.take(), asyncio.Event())
            self._lives[uid] = life
            tasks.create_task(self._live(session, life))

    async def _live(self, session: aiohttp.ClientSession, life: _Life) -> None:
        try:
            environment = environment_of(life.pod, life.address)
            async with started(command_of(life.pod, environment), environment) as process:
                self._show(life, is_ready=False)
                why = await self._serve(session, life, process)
        except ConfigError as error:
            why = str(error)
        self._addresses.give_back(life.address)
        if life.ending.is_set():
            self._let_go(life.key, life.uid)
        elif (pod := self._current(life.key, life.uid)) is not None:
            log.warning("pod_failed", pod="/".join(life.key), why=why)
            self._write(life.key, failed(pod, self._clock.now_s(), why))

    async def _serve(self, session: aiohttp.ClientSession, life: _Life, process: PodProcess) -> str:
        """Until the process has ended; returns how."""
        exited = asyncio.create_task(process.exited())
        asked = asyncio.create_task(life.ending.wait())
        ready = asyncio.create_task(self._until_ready(session, life))
        try:
            await asyncio.wait({exited, asked, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done() and not asked.done():
                await ready
                self._show(life, is_ready=True)
                await asyncio.wait({exited, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                self._show(life, is_ready=False)
                process.terminate()
                await asyncio.wait({exited}, timeout=self._grace_wall_s(life))
                if not exited.done():
                    process.kill()
            return await exited
        finally:
            for task in (exited, asked, ready):
                task.cancel()
            await asyncio.gather(exited, asked, ready, return_exceptions=True)

    async def _until_ready(self, session: aiohttp.ClientSession, life: _Life) -> None:
        """Until the drawn lead time is over and the server answers its probe."""
        await asyncio.sleep(self._clock.wall_until_s(ready_at_s(life.pod)))
        url = _probe_url(life.pod, life.address)
        while not await _answers(session, url):  # noqa: ASYNC110 (a server tells nobody)
            await asyncio.sleep(_PROBE_EVERY_S)

    def _grace_wall_s(self, life: _Life) -> float:
        pod = self._current(life.key, life.uid) or life.pod
        return whole(pod, "metadata", "deletionGracePeriodSeconds") / self._clock.rate

    def _show(self, life: _Life, *, is_ready: bool) -> None:
        if (pod := self._current(life.key, life.uid)) is not None:
            self._write(
                life.key, running(pod, life.address, self._clock.now_s(), is_ready=is_ready)
            )

    def _current(self, key: Key, uid: str) -> Json | None:
        """The pod as it is now; None where it is gone, or another has its name."""
        pod = self._verbs.store.collection(POD).objects.get(key)
        return pod if pod is not None and text(pod, "metadata", "uid") == uid else None

    def _write(self, key: Key, status: Json) -> None:
        self._verbs.merge(Target(POD, *key, "status"), {"status": status})

    def _let_go(self, key: Key, uid: str) -> None:
        if self._current(key, uid) is not None:
            self._verbs.delete(Target(POD, *key), grace_s=0)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.ok
    except (aiohttp.ClientError, TimeoutError):
        return False


def _probe_url(pod: Json, address: str) -> str:
    """Where the readiness probe of the container asks; `/health` on its first port by default."""
    container = next(items(pod, "spec", "containers"), {})
    probe = child(container, "readinessProbe", "httpGet")
    port = next(items(container, "ports"), {})
    number = whole(probe, "port", default=whole(port, "containerPort", default=_DEFAULT_PORT))
    return f"http://{address}:{number}{text(probe, 'path') or '/health'}"
