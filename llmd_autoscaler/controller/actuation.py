"""`actuation: Direct`: the number in `/scale` without an HPA between."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from llmd_autoscaler.controller.door import Door, Leadership
from llmd_autoscaler.controller.events import Notice
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.json_object import Json
from llmd_autoscaler.translate.stored import stored_desired, stored_valid_until_s
from llmd_autoscaler.translate.world import Variant

# As often as an HPA would look: more often only fights whoever else writes there.
QUIET_S = 15.0
_LOG = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hand:
    """One target that we scale ourselves."""

    key: Key
    variant: Variant
    status: Json  # as last written: the number, and until when it holds
    replicas: int  # asked for now


class Actuator:
    """Writes `/scale` where the number there is not the decided one."""

    def __init__(self, door: Door, leadership: Leadership) -> None:
        self._door = door
        self._leadership = leadership
        self._last_s: dict[Key, float] = {}
        self.unwritten: dict[Key, str] = {}
        """Why the last write of a target failed; empty where none is missing."""

    async def act(self, hands: Iterable[Hand], *, now_s: float) -> list[tuple[Key, Notice]]:
        """Write what differs, each target at most once a quiet time; what fails is tried at the next tick.

        Returns: what was done, to be told of the variants.
        """
        told: list[tuple[Key, Notice]] = []
        hands = list(hands)
        missing = {hand.key for hand in hands if stored_desired(hand.status) != hand.replicas}
        self.unwritten = {key: why for key, why in self.unwritten.items() if key in missing}
        for hand in hands:
            wanted, until_s = stored_desired(hand.status), stored_valid_until_s(hand.status)
            # 0 is never written: nothing would wake it, and a number that ran out is nobody's
            if not wanted or wanted == hand.replicas or until_s is None or now_s > until_s:
                continue
            last_s = self._last_s.get(hand.key)
            if last_s is not None and last_s <= now_s < last_s + QUIET_S:
                continue
            if self._leadership.is_leader and await self._written(hand, wanted):
                self._last_s[hand.key] = now_s
                message = f"wrote {wanted} replicas instead of {hand.replicas} to /scale"
                told.append((hand.key, Notice("Scaled", message)))
        return told

    async def _written(self, hand: Hand, wanted: int) -> bool:
        target = hand.variant.scale_target
        key = (hand.variant.namespace, target.name)
        try:
            is_written = await self._door.write_scale(target.api_version, target.kind, key, wanted)
        except ObservationError as error:
            _LOG.warning("scale_not_written", name=target.name, detail=str(error))
            self.unwritten[hand.key] = str(error)
            return False
        self.unwritten.pop(hand.key, None)
        return is_written
