"""Writes statuses and the Events of what changed, and remembers what was written before the watch shows it."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from llmd_autoscaler.controller.door import Door, Leadership
from llmd_autoscaler.controller.events import EventLimiter, Notice, event_body
from llmd_autoscaler.controller.observed import LEVEL, VARIANT
from llmd_autoscaler.controller.ports import ModelView
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.controller.statuses import StatusWrite
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.json_object import Json, child, text
from llmd_autoscaler.translate.stored import is_later, says_the_same

# Writes under way at once: the API server's own flow control lets a client have some hundreds.
MAX_CONCURRENT = 32
_EVENT = "Event"
_LOG = structlog.stdlib.get_logger(__name__)

Objects = Callable[[str], Mapping[Key, Json]]  # kind -> its objects, as the watch shows them


class NotLeaderError(ObservationError):
    """The lease has ended: whatever was decided is for the next leader to decide."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A status of ours that the watch may not have brought back yet."""

    uid: str
    status: Json


class Writer:
    """The hand that writes statuses."""

    def __init__(
        self,
        door: Door,
        objects: Objects,
        leadership: Leadership,
        on_status_write: Callable[[], None],
    ) -> None:
        self.door = door
        self._objects = objects
        self._leadership = leadership
        self._on_status_write = on_status_write
        self._written: dict[tuple[str, Key], _Written] = {}
        self._limiter = EventLimiter()

    def status(self, kind: str, key: Key) -> Json:
        """A status as we left it: the watch may be behind, and others may write there; a later leader's counts."""
        written = self._written.get((kind, key))
        wire = self._objects(kind).get(key, {})
        return dict(written.status if written is not None else child(wire, "status"))

    def with_overwritten(self, model: ModelView) -> ModelView:
        """The model, marked where somebody has changed a status since we wrote it."""
        names = [(LEVEL, model.service_level)]
        names += [(VARIANT, target.name) for target in model.targets]
        is_overwritten = any(
            (written := self._written.get((kind, (model.key.namespace, name)))) is not None
            and not says_the_same(
                written.status, child(self._objects(kind)[model.key.namespace, name], "status")
            )
            for kind, name in names
        )
        return dataclasses.replace(model, is_overwritten=is_overwritten)

    def forget(self) -> None:
        """Drop what is gone, and what a later leader than we has written over."""
        self._written = {
            (kind, key): written
            for (kind, key), written in self._written.items()
            if (wire := self._objects(kind).get(key)) is not None
            and written.uid == text(wire, "metadata", "uid")
            and not is_later(child(wire, "status"), written.status)
        }

    async def write(
        self, batches: Sequence[Iterable[StatusWrite]], slots: asyncio.Semaphore, *, now_s: float
    ) -> None:
        """Batches of statuses, each of one model or object; all are tried.

        Raises: ObservationError: some could not be written.
        """
        results = await asyncio.gather(
            *(self._write_batch(batch, slots, now_s) for batch in batches), return_exceptions=True
        )
        failures = [each for each in results if isinstance(each, BaseException)]
        for failure in failures:
            if not isinstance(failure, ObservationError):
                raise failure
        if failures:
            raise ObservationError(
                f"{len(failures)} of {len(batches)} models and resources could not be written, the first: {failures[0]}"
            ) from failures[0]

    async def tell(self, about: Json, notice: Notice, *, now_s: float) -> None:
        """An Event, unless one of its reason was sent a moment ago; one that is lost is only logged."""
        if not self._limiter.passes(text(about, "metadata", "uid"), notice.reason, now_s=now_s):
            return
        body = event_body(about, notice, now_s=now_s)
        try:
            await self.door.create(_EVENT, text(body, "metadata", "namespace"), body)
        except ObservationError as error:
            # the status has the same words: an Event that is lost is no reason to write that again
            _LOG.warning("event_lost", reason=notice.reason, detail=str(error))

    async def _write_batch(
        self, batch: Iterable[StatusWrite], slots: asyncio.Semaphore, now_s: float
    ) -> None:
        """The statuses of one model; all are tried. Raises: ObservationError: the first that failed."""
        results = await asyncio.gather(
            *(self._write(each, slots, now_s) for each in batch), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _write(self, write: StatusWrite, slots: asyncio.Semaphore, now_s: float) -> None:
        wire = self._objects(write.kind).get(write.key)
        if wire is None or child(wire, "status") == write.status:
            return
        async with slots:
            if not self._leadership.is_leader:
                raise NotLeaderError("the lease ended before the status was written")
            if not await self.door.apply_status(write.kind, write.key, write.status):
                return  # deleted in the meantime
            self._on_status_write()
            uid = text(wire, "metadata", "uid")
            self._written[write.kind, write.key] = _Written(uid, write.status)
            for notice in write.notices:
                await self.tell(wire, notice, now_s=now_s)
