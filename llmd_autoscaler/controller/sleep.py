"""When a model may go to sleep as a whole, and when it wakes. Pure.

Asleep there is nothing to scrape: the only one who sees demand is a router of ours, which counts the
requests that it must refuse. So a model falls asleep only while a router is heard, and wakes at the
first arrival, without waiting for a rate.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmd_autoscaler.controller.ports import ModelCounts, ModelView
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.core.world import TargetState

_ROUTER = "router"
_Seen = tuple[float, float]  # when a router started, and what it counted since


@dataclass(frozen=True, slots=True)
class Rest:
    """What is remembered of a model's arrivals."""

    last_arrival_s: float
    seen: Mapping[str, _Seen] = field(default_factory=dict)
    is_heard: bool = False  # whether a router could be asked now

    @staticmethod
    def fresh(view: ModelView, *, now_s: float) -> "Rest":
        """Nothing remembered: a model that sleeps goes on sleeping, one that is awake counts as used now."""
        return Rest(-math.inf if view.is_asleep else now_s)

    def observe(self, counts: ModelCounts, *, now_s: float) -> "Rest":
        """With what has been counted until now."""
        if counts.source != _ROUTER or not counts.traffic:
            return dataclasses.replace(self, is_heard=False)
        now = {name: _seen(each) for name, each in counts.traffic.items()}
        has_arrived = any(
            seen != self.seen.get(name, seen) and seen[1] > 0.0 for name, seen in now.items()
        )
        # a router that is silent for a tick keeps its place: what it counted meanwhile shows at its return
        return Rest(now_s if has_arrived else self.last_arrival_s, {**self.seen, **now}, True)

    def may_sleep(self, view: ModelView, *, now_s: float, window_s: float) -> bool:
        """Whether the whole model may be at 0 now, or may begin the window after which it is."""
        if view.min_instances > 0 or not all(each.min_instances == 0 for each in view.targets):
            return False
        # what sleeps already is not woken by a router's silence, and nothing falls asleep in it
        is_known = self.is_heard or view.is_asleep
        needed_s = view.idle_after_s - window_s
        if view.is_asleep and needed_s <= 0.0:
            needed_s = view.idle_after_s  # or a request would find the model still quiet enough
        return is_known and now_s - self.last_arrival_s >= needed_s


def floored(
    view: ModelView, rest: Rest, *, now_s: float, window_s: float
) -> tuple[TargetState, ...]:
    """The targets with a minimum that keeps the model awake, unless it may sleep.

    Args:
        view: the model.
        rest: its arrivals.
        now_s: now.
        window_s: for so long 0 must be wanted before it is published; the idle time has it within.
    """
    fewest = max(1, view.min_instances)
    missing = fewest - sum(each.min_instances for each in view.targets)
    if missing <= 0 or rest.may_sleep(view, now_s=now_s, window_s=window_s):
        return view.targets
    return _raised(view.targets, missing)


def _raised(targets: Sequence[TargetState], missing: int) -> tuple[TargetState, ...]:
    """So many more at least, on those that run already, or else serve soonest at the lowest price."""
    order = sorted(
        targets,
        key=lambda each: (-max(each.desired, each.n_present), each.lead.p90_s, each.usd_per_hour),
    )
    fewest: dict[str, int] = {}
    for each in order:
        more = min(missing, each.max_instances - each.min_instances)
        fewest[each.name] = each.min_instances + more
        missing -= more
    return tuple(
        dataclasses.replace(each, min_instances=fewest[each.name])
        if fewest[each.name] != each.min_instances
        else each
        for each in targets
    )


def _seen(counts: CountSnapshot) -> _Seen:
    return counts.started_at_s, float(counts.arrivals.sum())
