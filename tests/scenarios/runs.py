"""A scenario played as `local --scenario NAME --virtual` plays it, and what tests ask of such a run."""

import dataclasses
from dataclasses import dataclass
from functools import cache

import numpy as np

from llmd_autoscaler.core.score import attained
from llmd_autoscaler.core.world import Decision, ReasonCode
from llmd_autoscaler.errors import InfeasibleError
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.scenario import blueprint_of, replay_of, setup_of
from llmd_autoscaler.simulator import virtual
from llmd_autoscaler.simulator.bounds import StaticFleet, best_static, look_ahead
from llmd_autoscaler.simulator.scenarios import catalog
from llmd_autoscaler.simulator.scenarios.program import Scenario
from llmd_autoscaler.simulator.virtual import Result, Setup

INTERACTIVE, RELAXED = 0, 1
TICK_S = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One scenario at its first seed, from the best static fleet on; from the largest where none keeps the SLO."""

    scenario: Scenario
    setup: Setup
    static: StaticFleet | None
    result: Result
    decisions: tuple[Decision, ...]

    @property
    def reaction_s(self) -> float:
        """From a change of demand to instances for it: start-up, HPA sync and two ticks more."""
        (target,) = self.setup.targets
        return target.lead.p90_s + virtual.HPA_SYNC_S + 2 * TICK_S

    def desired(self, at_s: float) -> int:
        """The number in force at a time."""
        return [d for d in self.decisions if d.at_s <= at_s][-1].targets[0].desired

    def attained_frac(self, from_s: float, until_s: float, class_of: int = INTERACTIVE) -> float:
        """Attained ÷ arrived of what arrived within an interval."""
        answers = self.result.answers
        inside = (
            (answers.at_s >= from_s) & (answers.at_s < until_s) & (answers.class_of == class_of)
        )
        return float(attained(self.setup.classes, answers)[inside].mean())

    def said(self, from_s: float, until_s: float) -> set[ReasonCode]:
        """The codes of the model's and its target's reasons within an interval."""
        return {
            reason.code
            for decision in self.decisions
            if from_s <= decision.at_s < until_s
            for reason in (*decision.reasons, *decision.targets[0].reasons)
        }


@cache
def played(name: str) -> Run:
    """The run of a scenario."""
    scenario = catalog.load(name)
    options = Options(scenario=name, rate_scale=1.0, seed=scenario.seeds[0], is_virtual=True)
    blueprint = blueprint_of(options)
    setup = setup_of(blueprint, replay_of(blueprint, options), seed=options.seed)
    try:
        static = best_static(setup)
    except InfeasibleError:
        static = None
    largest = {t.name: t.max_instances for t in setup.targets}
    setup = dataclasses.replace(setup, start=static.numbers if static else largest)
    result, published = virtual.run(setup)
    assert published.failures == []
    decisions = tuple(publication.decision for publication in published.publications)
    return Run(scenario, setup, static, result, decisions)


@cache
def ahead(name: str) -> Result:
    """The look-ahead bound of the same run."""
    return look_ahead(played(name).setup)


def dispersion_a_minute(at_s: np.ndarray, duration_s: float) -> float:
    """Variance ÷ mean of the requests of each whole minute."""
    n = np.bincount((at_s // 60.0).astype(int), minlength=int(duration_s // 60.0))
    return float(n.var(ddof=1) / n.mean())
