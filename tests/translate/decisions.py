"""A decision with round numbers, for tests of what is written from it."""

import dataclasses
import math

import numpy as np

from llmd_autoscaler.core.forecast import Forecast
from llmd_autoscaler.core.realised import BOUNDS, Outcomes
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, LeadTime, StepModel
from llmd_autoscaler.core.world import (
    Decision,
    Reason,
    ReasonCode,
    Route,
    TargetDecision,
    TargetState,
)

NOW_S = 1795512600.0  # 2026-11-24T09:30:00Z
CLASSES = (
    QosClass("interactive", 100, 0.99, Bounds(ttft_max_s=1.0, tpot_max_s=0.08)),
    QosClass("relaxed", 50, 0.95, Bounds(e2e_max_s=60.0)),
)
UP = Reason(ReasonCode.DEMAND_UP, "5.3 req/s is load 3.21: 3 → 4")


def target(name="a100", **changes):
    state = TargetState(
        name=name,
        accelerator="A100-80GB",
        n_accelerators=4,
        usd_per_hour=14.0,
        min_instances=1,
        max_instances=10,
        profile=EngineProfile(
            StepModel(0.0261, 5e-5, 1.6e-4, 8e-8, 2.9e-9), FrontEnd(0.006), 310000
        ),
        lead=LeadTime(120.0, 200.0),
        desired=3,
        n_ready=3,
        n_starting=1,
    )
    return dataclasses.replace(state, **changes)


def decided(name="a100", desired=4, **changes):
    one = TargetDecision(name, desired, desired, 0.08, 3.2134, 1.0711, (UP,))
    return dataclasses.replace(one, **changes)


def decision(*targets, **changes):
    whole = Decision(
        at_s=NOW_S,
        targets=targets or (decided(),),
        routes=(Route("interactive", 4096, {"a100": 0.7, "h100": 0.3}), Route("interactive", None, {"a100": 1.0})),
        qps=np.array([5.3123, 2.2]),
        forecast=Forecast(180.2, np.array([5.6, 2.3]), 1.1, 1.25, 0.1),
        isl_mean=np.array([1155.4, 0.0]),
        osl_mean=np.array([211.2, 0.0]),
        hit_frac=np.array([0.12, 0.0]),
        predicted=np.array([0.99312, math.nan]),
        usd_per_hour=56.0,
        usd_per_million_tokens=1.674,
        infeasible=(),
        binding=None,
        reasons=(Reason(ReasonCode.DEMAND_MET, "4 x a100 carries 9.88 req/s"),),
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)


def outcomes():
    counts = np.zeros((2, len(BOUNDS)))
    # 996 of 1000 attained all, 3 missed their ttft, 1 failed; of the second class none ended
    counts[0] = [996, 3, 0, 0, 1]
    return Outcomes(NOW_S - 3600.0, counts)
