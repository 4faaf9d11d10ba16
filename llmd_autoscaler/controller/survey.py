"""All that a tick looks at, put together from the mirrors and from what no mirror shows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from llmd_autoscaler.controller.door import Door
from llmd_autoscaler.controller.hpas import by_target
from llmd_autoscaler.controller.lead_times import LeadTimes
from llmd_autoscaler.controller.observed import Observed
from llmd_autoscaler.controller.owners import Owners
from llmd_autoscaler.controller.pods import Pod, by_root, read_pods
from llmd_autoscaler.controller.readings import Key, Readings
from llmd_autoscaler.controller.scale_targets import ScaleTargets, is_deployment
from llmd_autoscaler.controller.selector import selects
from llmd_autoscaler.translate.json_object import Json
from llmd_autoscaler.translate.world import (
    Variant,
    read_level,
    read_profile,
    read_stock,
    read_variant,
)

_LEVEL, _VARIANT = "ServiceLevel", "VariantAutoscaling"
_PROFILE, _STOCK = "CapacityProfile", "AcceleratorStock"
_DEPLOYMENT, _POD, _HPA = "Deployment", "Pod", "HorizontalPodAutoscaler"
# Kinds whose pods are instances each; of any other, such as a LeaderWorkerSet, an instance may be a group of pods.
_ONE_POD_EACH = frozenset({_DEPLOYMENT, "StatefulSet"})

Objects = Callable[[str], Mapping[Key, Json]]  # kind -> its objects, as the watch shows them


@dataclass(frozen=True, slots=True)
class Crew:
    """The pods of one target."""

    pods: tuple[Pod, ...]  # one for each instance: it answers for the others of its group
    workers: tuple[Pod, ...] = ()  # the others

    @property
    def unselected(self) -> Pod | None:
        """One of the workers where nobody answers for them; those of a group that ends are no riddle."""
        staying = (pod for pod in self.workers if not pod.is_draining)
        return None if self.pods else next(staying, None)


class Survey:
    """Looks at everything."""

    def __init__(self, door: Door, objects: Objects, status: Callable[[str, Key], Json]) -> None:
        self._objects = objects
        self._status = status
        self._levels = Readings(read_level)
        self._variants = Readings(read_variant)
        self._profiles = Readings(read_profile)
        self._stocks = Readings(read_stock)
        self._owners = Owners(door)
        self._targets = ScaleTargets(door, lambda: objects(_DEPLOYMENT))
        self._lead_times = LeadTimes()

    async def learn(self, *, only_new: bool = False) -> None:
        """Ask for what the mirrors do not show: scales of other kinds, and owners between pods and targets."""
        variants, _ = self._variants.take(self._objects(_VARIANT))
        await self._targets.look(variants.values(), only_new=only_new)
        are_deployments = all(is_deployment(each.scale_target) for each in variants.values())
        await self._owners.learn(self._objects(_POD), only_deployments=are_deployments)

    async def observed(self, *, now_s: float) -> Observed:
        """All as it stands."""
        await self.learn()
        levels, bad_levels = self._levels.take(self._objects(_LEVEL))
        variants, bad_variants = self._variants.take(self._objects(_VARIANT))
        profiles, bad_profiles = self._profiles.take(self._objects(_PROFILE))
        stocks, bad_stocks = self._stocks.take(self._objects(_STOCK))
        crews = {(each.namespace, each.name): crew for each, crew in self.crews()}
        pods = {key: crew.pods for key, crew in crews.items()}
        self._lead_times.observe(pods)
        there = {
            key: self._targets.found(v.namespace, v.scale_target) for key, v in variants.items()
        }
        return Observed(
            now_s=now_s,
            levels=levels,
            variants=variants,
            profiles=profiles,
            stocks={stock.accelerator: stock for stock in stocks.values()},
            pods=pods,
            selectors={key: found.selector for key, found in there.items() if found},
            status=self._status,
            unreadable={
                _LEVEL: bad_levels,
                _VARIANT: bad_variants,
                _PROFILE: bad_profiles,
                _STOCK: bad_stocks,
            },
            replicas={key: found.replicas for key, found in there.items() if found},
            unscalable=self._targets.unscalable,
            unselected={key: pod for key, crew in crews.items() if (pod := crew.unselected)},
            hpas=by_target(self._objects(_HPA)),
            leads={key: lead for key in variants if (lead := self._lead_times.of(key))},
        )

    def crews(self) -> Iterator[tuple[Variant, Crew]]:
        """The pods of each variant whose target is there: owned by it, and selected by it.

        Where two variants name one target, its pods are the older one's.
        """
        variants, _ = self._variants.take(self._objects(_VARIANT))
        owned = by_root(read_pods(self._objects(_POD).values()), self._owners.root)
        for variant in sorted(variants.values(), key=lambda each: each.seniority):
            target = self._targets.found(variant.namespace, variant.scale_target)
            if target is None:
                continue
            candidates = sorted(owned.pop(target.uid, ()), key=lambda pod: pod.name)
            pods = tuple(pod for pod in candidates if selects(target.selector, pod.labels))
            workers: tuple[Pod, ...] = ()
            if variant.scale_target.kind not in _ONE_POD_EACH:
                names = {pod.name for pod in pods}
                workers = tuple(pod for pod in candidates if pod.name not in names)
            yield variant, Crew(pods, workers)
