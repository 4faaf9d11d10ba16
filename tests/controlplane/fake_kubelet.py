"""Pods without machines: binds them, makes them Ready after a delay, drains and deletes them.

No scheduler runs, so this also plays the scheduler. It sets spec.nodeName through the binding subresource, because the
API server deletes a pod WITHOUT a node at once whatever its grace period is; only a bound pod gets a deletionTimestamp
and stays until the "kubelet" confirms with gracePeriodSeconds=0. Binding also gives an Unschedulable state for tests of
missing accelerators (`capacity`). The Node objects are created for readers of nodes; the API server does not need them.

    async with FakeKubelet(api, start_delay=lambda pod: 90.0, drain=lambda pod: 5.0, capacity=8) as kubelet: ...

`on_start(pod, ip)` runs after binding and before Ready, `on_stop(pod, ip)` when the drain begins: start and stop the
simulated server of the pod there. Each pod has its own address in 127.64.0.0/10; Linux lets any process bind to it
without configuration, so every simulated server can use the same real port number.
"""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

from llmd_autoscaler.clock import Clock
from tests.controlplane.api import MERGE, Api, ApiError, Json

Seconds = Callable[[Json], float]
Hook = Callable[[Json, str], Awaitable[None]]


class FakeKubelet:
    """Runs the life of all pods of the cluster, or of one namespace; an async context manager."""

    def __init__(
        self,
        api: Api,
        *,
        start_delay: Seconds = lambda _: 0.2,
        drain: Seconds = lambda _: 0.0,
        capacity: int | None = None,
        nodes: int = 1,
        on_start: Hook | None = None,
        on_stop: Hook | None = None,
        network: str = "127.64.0.0/10",
        namespace: str = "",
    ) -> None:
        self._api = api
        self._start_delay = start_delay
        self._drain = drain
        self.capacity = capacity
        self._nodes = [f"fake-node-{i}" for i in range(nodes)]
        self._on_start = on_start
        self._on_stop = on_stop
        self._network = ipaddress.ip_network(network)
        # somewhere else in each run: nobody must meet a server that another test left behind
        self._next_address = random.randrange(self._network.num_addresses - 2)
        self._pods = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        self._addresses: dict[str, str] = {}  # uid -> address, of bound pods
        self._waiting: dict[str, Json] = {}  # uid -> pod, no capacity yet
        self._deleting: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}  # uid -> what is under way for the pod
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for name in self._nodes:
            with contextlib.suppress(ApiError):
                await self._api.call("POST", "/api/v1/nodes", {"metadata": {"name": name}})
        self._watch = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._watch, *self._tasks.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> dict[str, str]:
        """Bound pods: uid -> address."""
        return dict(self._addresses)

    def set_capacity(self, capacity: int | None) -> None:
        """Change the number of pods that fit; waiting pods are bound when there is room."""
        self.capacity = capacity
        self._fill()

    async def _run(self) -> None:
        async for kind, pod in self._api.watch(self._pods):
            uid = pod["metadata"]["uid"]
            if kind == "DELETED":
                self._forget(uid)
            elif "deletionTimestamp" in pod["metadata"]:
                if uid not in self._deleting:
                    self._deleting.add(uid)
                    self._begin(uid, self._end(pod))
            elif uid not in self._addresses and uid not in self._waiting:
                if address := pod["status"].get("podIP"):  # started by an earlier instance
                    self._addresses[uid] = address
                else:
                    self._waiting[uid] = pod
                    self._fill()

    def _forget(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        self._addresses.pop(uid, None)
        self._deleting.discard(uid)
        if task := self._tasks.pop(uid, None):
            task.cancel()
        self._fill()

    def _begin(self, uid: str, work: Coroutine[Any, Any, None]) -> None:
        if previous := self._tasks.pop(uid, None):
            previous.cancel()
        self._tasks[uid] = asyncio.create_task(work)

    def _fill(self) -> None:
        for uid, pod in list(self._waiting.items()):
            if self.capacity is not None and len(self._addresses) >= self.capacity:
                if uid not in self._tasks:
                    self._begin(uid, self._unschedulable(pod))
                continue
            del self._waiting[uid]
            self._addresses[uid] = self._free_address()
            self._begin(uid, self._start(pod))

    def _free_address(self) -> str:
        used = set(self._addresses.values())
        while True:  # never reused soon: a late client of a deleted pod must not reach a new one
            self._next_address = self._next_address % (self._network.num_addresses - 2) + 1
            if (address := str(self._network[self._next_address])) not in used:
                return address

    async def _unschedulable(self, pod: Json) -> None:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "no capacity",
        }
        await self._status(
            pod, {"phase": "Pending", "conditions": [condition | {"lastTransitionTime": _now()}]}
        )

    async def _start(self, pod: Json) -> None:
        meta, address = pod["metadata"], self._addresses[pod["metadata"]["uid"]]
        if not pod["spec"].get("nodeName"):
            node = self._nodes[self._next_address % len(self._nodes)]
            binding = {"metadata": {"name": meta["name"]}, "target": {"kind": "Node", "name": node}}
            with contextlib.suppress(ApiError):
                await self._api.call("POST", f"{_path(pod)}/binding", binding)
        if self._on_start is not None:
            await self._on_start(pod, address)
        delay = self._start_delay(pod)
        if delay > 1:
            await self._status(pod, _running(pod, address, ready=False))
        await asyncio.sleep(delay)
        await self._status(pod, _running(pod, address, ready=True))

    async def _end(self, pod: Json) -> None:
        address = self._addresses.get(pod["metadata"]["uid"], "")
        drain = min(self._drain(pod), pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        if drain > 0 and address:  # a draining pod is Running and no longer Ready
            await self._status(pod, _running(pod, address, ready=False))
        if self._on_stop is not None and address:
            await self._on_stop(pod, address)
        await asyncio.sleep(drain)
        with contextlib.suppress(ApiError):
            await self._api.call("DELETE", _path(pod), {"gracePeriodSeconds": 0})

    async def _status(self, pod: Json, status: Json) -> None:
        with contextlib.suppress(ApiError):  # deleted in the meantime
            await self._api.call("PATCH", f"{_path(pod)}/status", {"status": status}, kind=MERGE)


def _path(pod: Json) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return dt.datetime.fromtimestamp(Clock().now_s(), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _running(pod: Json, address: str, *, ready: bool) -> Json:
    now = _now()
    conditions = [
        {
            "type": kind,
            "status": "True" if ready or kind in ("PodScheduled", "Initialized") else "False",
        }
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {
        "phase": "Running",
        "startTime": pod.get("status", {}).get("startTime", now),
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [condition | {"lastTransitionTime": now} for condition in conditions],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ],
    }
