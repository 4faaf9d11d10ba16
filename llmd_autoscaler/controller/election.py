"""Who of several controllers may write: a Lease that is renewed in wall time, and a number for each reign.

A leader stops by its own clock before others may start by theirs. That is not enough for one that is
paused in the middle of a write, so each reign has a number above all before it, which every status
carries: whoever serves remembers the highest, and refuses what an older leader writes late.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from llmd_autoscaler.controller.door import Door
from llmd_autoscaler.controller.events import Notice, event_body
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.condition import rfc3339_seconds
from llmd_autoscaler.translate.json_object import Json, text, whole

_LEASE = "Lease"
# An int32 there: one status with a larger epoch would keep everybody from every renewal. The statuses go on counting.
_MOST_TRANSITIONS = 2**31 - 1
_LOG = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """How a lease is kept; wall seconds, the figures of Kubernetes' own controllers."""

    lease_s: float = 15.0  # after so long without a renewal others may take it
    renew_within_s: float = 10.0  # after so long without one its holder stops writing
    retry_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who stands for election, and where the lease is."""

    identity: str
    lease: Key


@dataclass(frozen=True, slots=True)
class _Seen:
    """A lease as it was when it last changed, and when that was by our own clock."""

    version: str
    at_s: float


class Election:
    """One candidate of an election; `run` stands until cancelled."""

    def __init__(
        self,
        door: Door,
        candidate: Candidate,
        *,
        now_s: Callable[[], float],
        timing: LeaseTiming | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """A candidate that has not stood yet.

        Args:
            door: the API server.
            candidate: who stands, and for which lease.
            now_s: what the lease says of its times, for people: no decision is made by it.
            timing: how the lease is kept.
            monotonic_s: the clock that decides, which nobody can step.
        """
        self.reign = 0
        """Number of our last reign: above every epoch that was known when it began."""
        self.gained = asyncio.Event()  # set when a reign begins; cleared by whoever acts on it
        self._door = door
        self._candidate = candidate
        self._now_s = now_s
        self._timing = timing or LeaseTiming()
        self._monotonic_s = monotonic_s
        self._leads_until_s = 0.0
        self._was_leader = False
        self._seen = _Seen("", 0.0)

    @property
    def is_leader(self) -> bool:
        """Whether we may write at this very moment."""
        return self._monotonic_s() < self._leads_until_s

    @property
    def identity(self) -> str:
        """Who we are."""
        return self._candidate.identity

    async def run(self, highest_epoch: Callable[[], int]) -> None:
        """Take the lease when it is free, and keep it, until cancelled.

        Args: highest_epoch: the highest in any status, or in use by us.
        """
        while True:
            await self.stand(highest_epoch())
            await asyncio.sleep(self._timing.retry_s)

    async def stand(self, highest_epoch: int) -> None:
        """One attempt to take or to renew the lease."""
        try:
            # a call that hangs ends before the lease does: the next one may find the API server back
            async with asyncio.timeout(self._timing.renew_within_s / 2.0):
                await self._stand(highest_epoch)
        except (ObservationError, TimeoutError) as error:
            _LOG.warning("lease_not_renewed", detail=str(error) or type(error).__name__)
        if self._was_leader and not self.is_leader:
            self._was_leader = False
            _LOG.warning("leadership_lost", identity=self.identity, reign=self.reign)

    async def release(self) -> None:
        """Give the lease back, so that the next leader need not wait for its end; we write no more."""
        if not self.is_leader:
            return
        self._leads_until_s = 0.0
        try:
            wire = await self._door.get(_LEASE, self._candidate.lease)
            if wire is not None and text(wire, "spec", "holderIdentity") == self.identity:
                spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
                await self._write(wire, spec)
        except ObservationError as error:
            _LOG.warning("lease_not_released", detail=str(error))

    async def _stand(self, highest_epoch: int) -> None:
        began_s = self._monotonic_s()
        wire = await self._door.get(_LEASE, self._candidate.lease)
        if wire is None:
            reign = highest_epoch + 1
            namespace, name = self._candidate.lease
            body = {"metadata": {"name": name, "namespace": namespace}, "spec": self._spec(reign)}
            await self._door.create(_LEASE, namespace, body)
            await self._hold(reign, began_s)
            return
        version = text(wire, "metadata", "resourceVersion")
        if version != self._seen.version:
            self._seen = _Seen(version, self._monotonic_s())
        holder, n_before = (
            text(wire, "spec", "holderIdentity"),
            whole(wire, "spec", "leaseTransitions"),
        )
        if holder == self.identity and self.reign:
            reign = max(n_before, highest_epoch)
            spec = {"renewTime": self._now(), "leaseTransitions": min(reign, _MOST_TRANSITIONS)}
            if await self._write(wire, spec):
                await self._hold(self.reign, began_s)
        elif self._is_free(wire, holder):
            reign = max(n_before, highest_epoch) + 1
            if await self._write(wire, self._spec(reign)):
                await self._hold(reign, began_s)
        else:
            self._leads_until_s = 0.0  # somebody else holds it

    def _is_free(self, wire: Json, holder: str) -> bool:
        """Whether nobody holds the lease: given back, or unchanged for its whole length by our own clock."""
        length_s = float(
            whole(wire, "spec", "leaseDurationSeconds", default=int(self._timing.lease_s))
        )
        return not holder or self._monotonic_s() - self._seen.at_s > length_s

    async def _hold(self, reign: int, began_s: float) -> None:
        """The lease is ours, counted from before we asked for it."""
        self._leads_until_s = began_s + self._timing.renew_within_s
        is_new = reign != self.reign
        self.reign, self._was_leader = reign, True
        if is_new:
            _LOG.info("leadership_gained", identity=self.identity, reign=reign)
            self.gained.set()
            await self._tell(f"{self.identity} became leader, reign {reign}")

    async def _write(self, wire: Json, spec: dict[str, object]) -> bool:
        """Change the lease if it is still the one that was read; False where it is gone."""
        version = text(wire, "metadata", "resourceVersion")
        patch: dict[str, object] = {"metadata": {"resourceVersion": version}, "spec": spec}
        return await self._door.merge(_LEASE, self._candidate.lease, patch)

    async def _tell(self, message: str) -> None:
        namespace, name = self._candidate.lease
        about: dict[str, object] = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": _LEASE,
            "metadata": {"name": name, "namespace": namespace},
        }
        body = event_body(about, Notice("LeaderElection", message), now_s=self._now_s())
        try:
            await self._door.create("Event", namespace, body)
        except ObservationError as error:
            _LOG.warning("event_lost", reason="LeaderElection", detail=str(error))

    def _spec(self, reign: int) -> dict[str, object]:
        """The lease of a reign that begins now."""
        now = self._now()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._timing.lease_s),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": min(reign, _MOST_TRANSITIONS),
        }

    def _now(self) -> str:
        """A time as a Lease writes it: with six digits of a second, no more and no fewer."""
        now_s = self._now_s()
        return f"{rfc3339_seconds(now_s)[:-1]}.{int(now_s % 1.0 * 1e6):06d}Z"


def leader_page(*, is_leader: bool) -> bytes:
    """The lines of our metrics page that say who leads."""
    return (
        "# HELP llmd_autoscaler_leader Whether this controller decides and writes\n"
        "# TYPE llmd_autoscaler_leader gauge\n"
        f"llmd_autoscaler_leader {float(is_leader)}\n"
    ).encode()
