"""Who can be compared with whom: every policy plays the same setup, and each run comes to the same few figures."""

import asyncio
import dataclasses
import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from llmd_autoscaler.core import score
from llmd_autoscaler.core.score import ScalingEvent
from llmd_autoscaler.core.variant import LeadTime
from llmd_autoscaler.errors import PlanError
from llmd_autoscaler.simulator import virtual
from llmd_autoscaler.simulator.bounds import look_ahead
from llmd_autoscaler.simulator.load_law import LoadLaw, Setting
from llmd_autoscaler.simulator.slo_law import SloLaw, SloSetting
from llmd_autoscaler.simulator.virtual import Result, Setup, Static

# A minute that attains less than this is one that people notice.
BAD_MINUTE_FRAC = 0.95


class Kind(enum.StrEnum):
    """What a policy is to the comparison."""

    OURS = "ours"
    SIMPLE = "simple"
    STATIC = "static"  # with hindsight
    BOUND = "bound"  # knows the future


@dataclass(frozen=True, slots=True)
class Ours:
    """Our controller; None: the default of its policy."""

    scale_in_window_s: float | None = None
    quantile: float | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant fleet: instances of each target, in their order."""

    instances: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LookAhead:
    """The policy that knows the next lead time's traffic."""

    scale_in_window_s: float = 0.0
    has_instant_starts: bool = False


Way = Ours | Constant | LookAhead | Setting | SloSetting


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy at one setting."""

    name: str
    kind: Kind
    way: Way

    def params(self) -> dict[str, object]:
        """The knobs, as JSON takes them."""
        return {
            key: value for key, value in dataclasses.asdict(self.way).items() if value is not None
        }

    def instances(self) -> list[int]:
        """The numbers of a constant fleet; none of any other."""
        return list(self.way.instances) if isinstance(self.way, Constant) else []


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one run of a contender came to."""

    contender: Contender
    gpu_hours: float
    cost_usd: float
    attainment: Mapping[str, float]  # by class that had requests
    attained_frac: float  # over all requests
    strain: float  # misses ÷ allowed misses, worst class
    keeps_slo: bool
    n_events: int
    n_reversals: int
    n_bad_minutes: int
    events: Mapping[str, tuple[ScalingEvent, ...]]  # by target


def outcome(setup: Setup, contender: Contender) -> Outcome | None:
    """Let a contender play a setup; None where it finds no fleet to run."""
    try:
        result = _play(setup, contender.way)
    except PlanError:
        return None
    fracs = result.attainment
    return Outcome(
        contender=contender,
        gpu_hours=result.gpu_hours,
        cost_usd=result.cost_usd,
        attainment={
            qos.name: float(frac)
            for qos, frac in zip(setup.classes, fracs, strict=True)
            if not math.isnan(frac)
        },
        attained_frac=score.attained_frac(setup.classes, result.answers),
        strain=score.strain(setup.classes, fracs),
        keeps_slo=score.keeps_slo(setup.classes, fracs),
        n_events=result.n_events,
        n_reversals=result.n_reversals,
        n_bad_minutes=score.n_bad_minutes(setup.classes, result.answers, frac=BAD_MINUTE_FRAC),
        events=result.events,
    )


def _play(setup: Setup, way: Way) -> Result:
    match way:
        case Ours():
            chosen = {k: v for k, v in dataclasses.asdict(way).items() if v is not None}
            return virtual.run(
                dataclasses.replace(setup, policy=dataclasses.replace(setup.policy, **chosen))
            )[0]
        case Constant():
            names = [target.name for target in setup.targets]
            numbers = dict(zip(names, way.instances, strict=True))
            fleet = virtual.new_fleet(setup, numbers)
            return asyncio.run(virtual.play(setup, fleet, Static(numbers)))
        case LookAhead():
            played = with_instant_starts(setup) if way.has_instant_starts else setup
            return look_ahead(played, scale_in_window_s=way.scale_in_window_s)
        case Setting():
            fleet = virtual.new_fleet(setup)
            return asyncio.run(virtual.play_by(setup, fleet, LoadLaw(fleet, way)))
        case SloSetting():
            fleet = virtual.new_fleet(setup)
            return asyncio.run(virtual.play_by(setup, fleet, SloLaw(fleet, way)))


def with_instant_starts(setup: Setup) -> Setup:
    """The same, but for instances that are ready when they are asked for."""
    now = LeadTime(0.0, 0.0)
    targets = tuple(dataclasses.replace(target, lead=now) for target in setup.targets)
    return dataclasses.replace(setup, targets=targets)
