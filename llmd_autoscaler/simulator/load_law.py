"""The simple laws that people run today: a plain HPA on one load metric of the instances, at one target."""

import dataclasses
import enum
from dataclasses import dataclass

from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.simulator.gauges import Gauges
from llmd_autoscaler.simulator.hpa import HpaSpec, Metric, MetricSpec
from llmd_autoscaler.simulator.hpa_behavior import DOWN_RULES, UP_RULES, Behavior
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet


class Signal(enum.StrEnum):
    """What is summed over the ready instances, and divided by the target to give the replicas."""

    IN_FLIGHT = "in-flight"  # running + waiting requests
    WAITING = "waiting"  # waiting requests alone
    KV = "kv"  # share of the KV cache in use, 0 to 1 an instance


@dataclass(frozen=True, slots=True)
class Setting:
    """The knobs of a simple law."""

    signal: Signal
    target: float  # of the signal, an instance
    down_window_s: float  # stabilizationWindowSeconds of scaleDown


class LoadLaw:
    """One HPA a target, each on its own target's signal; AverageValue, as KEDA's Prometheus trigger asks for.

    Read at the sync itself, without the lag of a scrape (15 s or more in practice): generous to the law.
    All else is the default of Kubernetes: tolerance 10 %, up by 4 pods or 100 % in 15 s without a window.
    """

    def __init__(self, fleet: VirtualFleet, setting: Setting) -> None:
        self._fleet, self._setting = fleet, setting

    async def tick(self, now_s: float) -> None:
        """Nothing to remember: the law knows the present only."""

    def spec(self, target: TargetState) -> HpaSpec:
        """A plain HPA."""
        entry = MetricSpec(
            target_milli=max(1, round(self._setting.target * 1000)), name=self._setting.signal
        )
        down = dataclasses.replace(DOWN_RULES, window_s=self._setting.down_window_s)
        return HpaSpec(
            min_replicas=target.min_instances,
            max_replicas=target.max_instances,
            metrics=(entry,),
            behavior=Behavior(up=UP_RULES, down=down),
        )

    def metric(self, target: str, now_s: float) -> Metric:
        """The sum over the ready instances of a target; without any there is nothing to read."""
        del now_s
        found = self._fleet.gauges(target)
        if not found:
            return Metric(failure="no ready instance shows metrics")
        return Metric((round(1000 * sum(_value(self._setting.signal, each) for each in found)),))


def _value(signal: Signal, shown: Gauges) -> float:
    match signal:
        case Signal.IN_FLIGHT:
            return shown.n_in_flight
        case Signal.WAITING:
            return shown.n_waiting
        case Signal.KV:
            return shown.kv_used_frac
