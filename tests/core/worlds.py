"""Small worlds with round numbers: classes, variants, targets, counters."""

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.shapes import N_BINS, bin_of
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, LeadTime, StepModel
from llmd_autoscaler.core.world import Policy, TargetState, World

INTERACTIVE = QosClass(
    "interactive",
    100,
    0.95,
    Bounds(ttft_max_s=1.0, ttft_per_prompt_token_s=0.0005, tpot_max_s=0.080),
)
RELAXED = QosClass("relaxed", 50, 0.95, Bounds(e2e_max_s=60.0))
SLOW = EngineProfile(
    StepModel(0.026, 5e-5, 1.6e-4, 8e-8, 2.9e-9), FrontEnd(per_request_s=0.006), kv_tokens=310_000
)
FAST = EngineProfile(
    StepModel(0.0146, 3e-5, 7e-5, 4e-8, 1.2e-9), FrontEnd(per_request_s=0.006), kv_tokens=310_000
)
# Small samples: a table in milliseconds, and its noise of no interest here.
QUICK = Policy(n_table_requests=500, n_verify_requests=300)


def target(
    name: str = "a100",
    *,
    profile: EngineProfile = SLOW,
    usd_per_hour: float = 14.0,
    limits: tuple[int, int] = (1, 10),
    desired: int = 0,
    n_ready: int = 1,
    n_starting: int = 0,
    is_paused: bool = False,
) -> TargetState:
    """A target of four accelerators of its own kind."""
    return TargetState(
        name=name,
        accelerator=name,
        n_accelerators=4,
        usd_per_hour=usd_per_hour,
        min_instances=limits[0],
        max_instances=limits[1],
        profile=profile,
        lead=LeadTime(60.0, 90.0),
        desired=desired,
        n_ready=n_ready,
        n_starting=n_starting,
        is_paused=is_paused,
    )


def counted(
    n_arrived: float,
    *,
    n_classes: int = 1,
    class_index: int = 0,
    isl: int = 1000,
    osl: int = 200,
    n_completed: float | None = None,
    started_at_s: float = 0.0,
) -> CountSnapshot:
    """Counters of a router that saw requests of one shape in one class."""
    arrivals, arrival_isl = np.zeros((n_classes, N_BINS)), np.zeros((n_classes, N_BINS))
    completions, isl_tokens, osl_tokens = (np.zeros((n_classes, N_BINS, N_BINS)) for _ in range(3))
    done = n_arrived if n_completed is None else n_completed
    at, cell = (class_index, bin_of(isl)), (class_index, bin_of(isl), bin_of(osl))
    arrivals[at], arrival_isl[at] = n_arrived, n_arrived * isl
    completions[cell], isl_tokens[cell], osl_tokens[cell] = done, done * isl, done * osl
    return CountSnapshot(
        started_at_s=started_at_s,
        arrivals=arrivals,
        arrival_isl_tokens=arrival_isl,
        completions=completions,
        isl_tokens=isl_tokens,
        osl_tokens=osl_tokens,
        hit_tokens=np.zeros((n_classes, N_BINS, N_BINS)),
    )


def world(
    now_s: float,
    n_arrived: float | None,
    *targets: TargetState,
    classes: tuple[QosClass, ...] = (INTERACTIVE,),
    stock: dict[str, int] | None = None,
) -> World:
    """One model whose one router has counted so many requests of 1000 + 200 tokens; None: it did not answer."""
    counts = {} if n_arrived is None else {"r": counted(n_arrived, n_classes=len(classes))}
    return World(now_s, "m", classes, targets or (target(),), counts, stock or {})


def only(n_classes: int, class_index: int, isl: int) -> NDArray[np.float64]:
    """(class, isl) all of one class in one bin."""
    share = np.zeros((n_classes, N_BINS))
    share[class_index, bin_of(isl)] = 1.0
    return share
