"""What a decision is made from, what it remembers, and what it says."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.burstiness import POISSON, Burstiness
from llmd_autoscaler.core.capacity import CapacityTable
from llmd_autoscaler.core.forecast import Forecast
from llmd_autoscaler.core.realised import Outcomes
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.traffic import CountSnapshot, TrafficMemory
from llmd_autoscaler.core.variant import EngineProfile, LeadTime

Array = NDArray[np.float64]


class ReasonCode(enum.StrEnum):
    """Why a target has the number that it has."""

    DEMAND_UP = "DemandUp"
    DEMAND_DOWN = "DemandDown"
    DEMAND_MET = "DemandMet"
    HELD = "Held"  # fewer would do, but not for the whole window yet
    WARMING_UP = "WarmingUp"  # too little traffic seen since the start to judge
    NO_TRAFFIC = "NoTraffic"
    NOT_OBSERVED = "NotObserved"  # nobody could be asked; the last decision holds
    AT_LIMIT = "AtLimit"
    INFEASIBLE = "Infeasible"
    PAUSED = "Paused"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and one sentence with its numbers."""

    code: ReasonCode
    message: str


_UNSEEN = {ReasonCode.NOT_OBSERVED, ReasonCode.WARMING_UP}


def is_seen(reasons: Iterable[Reason]) -> bool:
    """Whether traffic stands behind a decision with these reasons; without, its load and rates are unknown, not 0."""
    return not any(reason.code in _UNSEEN for reason in reasons)


@dataclass(frozen=True, slots=True)
class TargetState:
    """One scalable object as it stands."""

    name: str
    accelerator: str
    n_accelerators: int
    usd_per_hour: float
    min_instances: int
    max_instances: int
    profile: EngineProfile
    lead: LeadTime
    desired: int  # what was last published; 0: nothing yet
    n_ready: int
    n_starting: int = 0
    n_draining: int = 0
    is_paused: bool = False

    @property
    def n_present(self) -> int:
        """Instances that serve or will."""
        return self.n_ready + self.n_starting


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One model at one moment."""

    now_s: float
    model_id: str
    classes: tuple[QosClass, ...]
    targets: tuple[TargetState, ...]
    counts: Mapping[str, CountSnapshot]  # by router; empty: nobody could be asked
    stock: Mapping[str, int] = field(
        default_factory=dict
    )  # accelerators that this model may use, by kind
    reaction_s: float = 30.0  # from a decision to the start of a pod: tick, watch and HPA sync
    may_tabulate: bool = True  # False: other models' tables come first in this tick
    realised: Outcomes | None = (
        None  # of the last hour; None: nobody counts what became of the requests
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """The knobs of a decision; one set of defaults serves all models."""

    # Demand is provided for at a quantile of the forecast's own errors: the first while the error budget of the
    # last hour is nearly whole, the second once it is spent (chosen on seeds and days that are not reported).
    quantile: float = 0.4
    quantile_spent: float = 0.95
    # A smaller fleet is taken only when it would have done for so long: about two lead times of a large model.
    scale_in_window_s: float = 240.0
    # The oracle's sample for tables and for verification.
    n_table_requests: int = 6000
    n_verify_requests: int = 3000
    # A table is made anew when the work or the classes' shares have moved by this much.
    table_drift_frac: float = 0.15
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class TableEntry:
    """A capacity table and the traffic that it was made for."""

    capacity: CapacityTable
    profile: EngineProfile
    classes: tuple[QosClass, ...]
    most: int
    cell_work: (
        Array  # (class,) share of the work by class times its mean work, see `tables.fingerprint`
    )
    of_bursts: CapacityTable | None = None  # the same of arrivals as uneven as `bursts`
    bursts: Burstiness = POISSON


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the optimizer wanted at a moment."""

    at_s: float
    instances: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What one model's decisions carry from tick to tick."""

    started_s: float
    traffic: TrafficMemory
    tables: Mapping[tuple[str, float], TableEntry] = field(default_factory=dict)
    recommendations: tuple[Recommendation, ...] = ()
    verified: "Verified | None" = None

    @staticmethod
    def fresh(world: World) -> "Memory":
        """Nothing remembered, as after a start."""
        return Memory(started_s=world.now_s, traffic=TrafficMemory.empty(len(world.classes)))


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What the oracle said of a fleet, and of which one."""

    at_s: float
    instances: tuple[int, ...]
    qps: float
    attainment: Array  # (class,)


@dataclass(frozen=True, slots=True)
class Route:
    """Who serves a class up to an ISL: fractions by target, which sum to 1."""

    class_name: str
    isl_up_to: int | None
    fractions: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TargetDecision:
    """The number for one target, and why."""

    name: str
    desired: int
    wanted: int  # before the stabilizer
    tier_s: float
    load: float
    utilization: float | None  # None while nothing is ready
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Infeasible:
    """A demand that the limits cannot serve within its SLO."""

    class_name: str
    bound: str
    qps: float
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What one model should run on."""

    at_s: float
    targets: tuple[TargetDecision, ...]
    routes: tuple[Route, ...]
    qps: Array  # (class,) seen over the last minute
    forecast: Forecast | None
    isl_mean: Array  # (class,)
    osl_mean: Array  # (class,)
    hit_frac: Array  # (class,)
    predicted: Array | None  # (class,) attainment of the desired fleet, None before it was verified
    usd_per_hour: float
    usd_per_million_tokens: float | None
    infeasible: tuple[Infeasible, ...]
    binding: str | None
    reasons: tuple[Reason, ...]

    def target(self, name: str) -> TargetDecision:
        """The decision for one target."""
        return next(target for target in self.targets if target.name == name)
