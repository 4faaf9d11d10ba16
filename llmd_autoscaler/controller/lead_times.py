"""How long starts really take, from a pod's creation to Ready: what the profile only guesses."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.core.variant import LeadTime
from llmd_autoscaler.translate.condition import unix_s

# Fewer say little of a 90th percentile; the last ones count, for images and weights move into caches.
MIN_SAMPLES = 5
N_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class ObservedLead:
    """What the last starts took."""

    lead: LeadTime
    n_samples: int


@dataclass(slots=True)
class _Starts:
    """The starts of one variant's pods."""

    under_way: set[str] = field(
        default_factory=set
    )  # uids of pods that were seen before they served
    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=N_SAMPLES))


class LeadTimes:
    """The starts of all variants' pods."""

    def __init__(self) -> None:
        self._starts: dict[Key, _Starts] = {}

    def observe(self, pods: Mapping[Key, Sequence[Pod]]) -> None:
        """Look at the pods of every variant.

        A pod that already served when it was first seen says nothing: its Ready may be its tenth.
        """
        self._starts = {key: self._starts.get(key) or _Starts() for key in pods}
        for key, starts in self._starts.items():
            there = set()
            for pod in pods[key]:
                there.add(pod.uid)
                if pod.is_starting:
                    starts.under_way.add(pod.uid)
                elif pod.is_ready and pod.uid in starts.under_way:
                    starts.under_way.discard(pod.uid)
                    starts.took_s.extend(_took_s(pod))
            starts.under_way &= there

    def of(self, key: Key) -> ObservedLead | None:
        """The lead time of a variant; None before enough starts were seen."""
        starts = self._starts.get(key)
        if starts is None or len(starts.took_s) < MIN_SAMPLES:
            return None
        took_s = sorted(starts.took_s)
        lead = LeadTime(p50_s=_quantile(took_s, 0.5), p90_s=_quantile(took_s, 0.9))
        return ObservedLead(lead, len(took_s))


def _quantile(ordered: Sequence[float], frac: float) -> float:
    """The nearest rank: a time that was really taken."""
    return ordered[min(len(ordered) - 1, int(frac * len(ordered)))]


def _took_s(pod: Pod) -> tuple[float, ...]:
    """The start of a pod; nothing where somebody wrote no times."""
    created_s, ready_s = unix_s(pod.created_at), unix_s(pod.ready_at)
    if created_s is None or ready_s is None or ready_s < created_s:
        return ()
    return (ready_s - created_s,)
