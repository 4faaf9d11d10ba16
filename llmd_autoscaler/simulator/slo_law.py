"""The SLO law of llm-d: KEDA scales a pool on its 90th-percentile latencies, measured against the SLO.

As published by llm-d (guides/workload-autoscaling, SLO-aware, 2026), with measured latencies: the predicted ones that it may
use instead need a trained model and "react a little earlier".
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.simulator.hpa import HpaSpec, Metric, MetricSpec, Source
from llmd_autoscaler.simulator.hpa_behavior import Behavior, Policy, PolicyKind, Rules
from llmd_autoscaler.simulator.virtual_fleet import VirtualFleet

Array = NDArray[np.float64]

# All constants are the published ones.
TTFT_SLO_S, TPOT_SLO_S = 3.0, 0.100
QUANTILE = 0.9
THETA_UP, THETA_DOWN = 0.55, 0.40
CLAMP = 2.0
RATE_WINDOW_S = 60.0
SMOOTHING_S = 45.0
_UP = Rules(30.0, (Policy(PolicyKind.PERCENT, 100, 60.0), Policy(PolicyKind.PODS, 4, 60.0)))
_DOWN = Rules(180.0, (Policy(PolicyKind.PODS, 1, 120.0),))
# A request that has no answer after this long never gets one.
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class SloSetting:
    """The knobs of the law: its thresholds, and which SLO it measures against."""

    scale: float = 1.0  # of both thresholds; the published ones are 1
    has_class_bounds: bool = True  # False: the published 3 s and 100 ms for every request


class SloLaw:
    """The law; the latencies are those of the whole pool, whichever target served, as a router reports them.

    Quantiles are exact where Prometheus interpolates in buckets, and nothing lags: generous to the law.
    """

    def __init__(self, fleet: VirtualFleet, setting: SloSetting) -> None:
        self._fleet, self._setting = fleet, setting
        self._samples: deque[tuple[float, float]] = deque()  # (when, clamped saturation)
        self._first = 0  # the requests before this one ended more than a rate window ago

    async def tick(self, now_s: float) -> None:
        """The recording rules, every 15 s."""
        recent = self._recent(now_s)
        self._samples.append((now_s, min(self._saturation(recent, now_s), CLAMP)))
        while self._samples[0][0] <= now_s - SMOOTHING_S:
            self._samples.popleft()

    def spec(self, target: TargetState) -> HpaSpec:
        """The HPA that KEDA makes: the formula's value is the number of replicas."""
        return HpaSpec(
            min_replicas=target.min_instances,
            max_replicas=target.max_instances,
            metrics=(MetricSpec(1000, source=Source.EXTERNAL, name="composite-metric"),),
            behavior=Behavior(up=_UP, down=_DOWN),
        )

    def metric(self, target: str, now_s: float) -> Metric:
        """The formula."""
        deployment = self._fleet.deployments[target]
        smoothed = sum(value for _, value in self._samples) / max(1, len(self._samples))
        wanted = replicas(
            smoothed,
            n=len(deployment.active),
            n_ready=deployment.n_ready(now_s),
            scale=self._setting.scale,
        )
        return Metric((1000 * wanted,))

    def _recent(self, now_s: float) -> Answers:
        """The requests that any quantile can be made of, and a few others."""
        recent = self._fleet.recent(self._first)
        is_past = (recent.last_s <= now_s - RATE_WINDOW_S) | (recent.at_s <= now_s - _LONGEST_S)
        n_past = len(is_past) if is_past.all() else int(np.argmin(is_past))
        self._first += n_past
        return recent.since(n_past)

    def _saturation(self, recent: Answers, now_s: float) -> float:
        """The worst of the latencies' 90th percentiles over the last minute, each ÷ its bound; 0 without traffic."""
        began = (recent.first_s > now_s - RATE_WINDOW_S) & np.isfinite(recent.first_s)
        ended = (recent.last_s > now_s - RATE_WINDOW_S) & np.isfinite(recent.last_s)
        several = ended & (recent.osl > 1)
        ttft_s = recent.first_s[began] - recent.at_s[began]
        gaps = recent.osl[several] - 1
        tpot_s = (recent.last_s[several] - recent.first_s[several]) / gaps
        if not self._setting.has_class_bounds:
            return max(_quantile(ttft_s / TTFT_SLO_S), _quantile(tpot_s / TPOT_SLO_S))
        e2e_s = recent.last_s[ended] - recent.at_s[ended]
        worst = 0.0
        for c, qos in enumerate(self._fleet.classes):
            bounds = qos.bounds
            of = [flags & (recent.class_of == c) for flags in (began, several, ended)]
            ttft_bound_s = bounds.ttft_max_s + bounds.ttft_per_prompt_token_s * recent.isl[of[0]]
            worst = max(
                worst,
                _quantile(ttft_s[of[0][began]] / ttft_bound_s),
                _quantile(tpot_s[of[1][several]] / bounds.tpot_max_s),
                _quantile(e2e_s[of[2][ended]] / bounds.e2e_bound_s()),
            )
        return worst


def replicas(saturation: float, *, n: int, n_ready: int, scale: float = 1.0) -> int:
    """The replicas that the published formula asks for at a smoothed saturation.

    Instances that start already are credited on the way up, since the signal comes from ready ones alone.
    """
    up, down = THETA_UP * scale, THETA_DOWN * scale
    if saturation > up:
        credit = n_ready / n if 0 < n_ready < n else 1.0
        return n + math.ceil(n * (saturation * credit / up - 1.0))
    if saturation < down:
        return n - math.floor(n * (1.0 - saturation / down))
    return n


def _quantile(ratios: Array) -> float:
    """The 90th percentile; 0 of nothing."""
    if not len(ratios):
        return 0.0
    # `np.quantile` gives the same and takes ten times as long for a minute's requests
    ordered = np.sort(ratios)
    return float(np.interp(QUANTILE * (len(ordered) - 1), np.arange(len(ordered)), ordered))
