"""What is scaled: Deployments from their mirror, anything else by its `/scale`."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from llmd_autoscaler.controller.door import Door, NoScaleError
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.controller.selector import read_selector
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.condition import FALSE, Finding
from llmd_autoscaler.translate.json_object import Json, child, text, whole
from llmd_autoscaler.translate.world import ScaleTarget, Variant

DEPLOYMENT = ScaleTarget("apps/v1", "Deployment", "")
_LOG = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scalable:
    """A scale target as it stands."""

    uid: str
    selector: Json
    replicas: int  # asked for, whoever asked


def is_deployment(target: ScaleTarget) -> bool:
    """Whether a target is of the kind that is followed as a whole."""
    return (target.api_version, target.kind) == (DEPLOYMENT.api_version, DEPLOYMENT.kind)


class ScaleTargets:
    """The scale targets of all variants; `look` asks for those that no mirror shows."""

    def __init__(self, door: Door, deployments: Callable[[], Mapping[Key, Json]]) -> None:
        self._door = door
        self._deployments = deployments
        self._others: dict[tuple[str, ScaleTarget], Scalable] = {}
        self.unscalable: dict[tuple[str, ScaleTarget], Finding] = {}
        """What is said of a target whose scale nobody has or nobody may see."""

    async def look(self, variants: Iterable[Variant], *, only_new: bool) -> None:
        """Ask for the scale of every target that is no Deployment; one that does not answer stays as it was.

        Args:
            variants: those whose targets are asked for.
            only_new: leave out those that have answered before.
        """
        asked = {
            (each.namespace, each.scale_target)
            for each in variants
            if not is_deployment(each.scale_target)
        }
        self._others = {key: found for key, found in self._others.items() if key in asked}
        self.unscalable = {key: why for key, why in self.unscalable.items() if key in asked}
        known = self._others.keys() | self.unscalable.keys() if only_new else set()
        await asyncio.gather(*(self._look(*key) for key in asked - known))

    def found(self, namespace: str, target: ScaleTarget) -> Scalable | None:
        """A target; None where it is not there."""
        if not is_deployment(target):
            return self._others.get((namespace, target))
        wire = self._deployments().get((namespace, target.name))
        return None if wire is None else _deployment(wire)

    async def _look(self, namespace: str, target: ScaleTarget) -> None:
        key = (namespace, target)
        try:
            wire = await self._door.scale_of(
                target.api_version, target.kind, (namespace, target.name)
            )
        except NoScaleError as error:
            self._others.pop(key, None)
            self.unscalable[key] = Finding("TargetResolved", FALSE, "UnsupportedKind", str(error))
            return
        except ObservationError as error:
            _LOG.warning("scale_not_read", kind=target.kind, name=target.name, detail=str(error))
            if key not in self._others:  # not seen once: a role may be missing
                self.unscalable[key] = _unread(target, error)
            return
        self.unscalable.pop(key, None)
        if wire is None:
            self._others.pop(key, None)
        else:
            self._others[key] = Scalable(
                uid=text(wire, "metadata", "uid"),
                selector=read_selector(text(wire, "status", "selector")),
                replicas=whole(wire, "spec", "replicas"),
            )


def _unread(target: ScaleTarget, error: ObservationError) -> Finding:
    message = (
        f'the scale of {target.kind} "{target.name}" cannot be read: {error}; '
        "where that is forbidden, bind a role with get on it to the controller's service account"
    )
    return Finding("TargetResolved", FALSE, "ScaleNotRead", message)


def _deployment(wire: Json) -> Scalable:
    return Scalable(
        uid=text(wire, "metadata", "uid"),
        selector=child(wire, "spec", "selector"),
        replicas=whole(wire, "spec", "replicas", default=1),
    )
