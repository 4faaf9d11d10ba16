"""The rounds of a comparison: static fleets, then every setting from the best static size, then a closer look."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from llmd_autoscaler.local.comparison import Comparison
from llmd_autoscaler.local.runs import Job, Runs, usable_cores
from llmd_autoscaler.local.sweep import STATIC, Entry, best_of, static_fleets, unswept
from llmd_autoscaler.simulator.contest import Contender, Outcome
from llmd_autoscaler.simulator.virtual import Setup

Start = tuple[tuple[str, int], ...]


def compare(
    setups: Mapping[str, Setup], entries: Sequence[Entry], show: Callable[[str], None]
) -> dict[str, Comparison]:
    """Play every policy on every setup; all of them start at the setup's best static fleet.

    Args:
        setups: by any key, which the comparisons then have.
        show: takes a line about the progress.
    Raises: ObservationError: a worker process died.
    """
    show(f"starting {usable_cores()} workers ...")
    with Runs(setups) as runs:
        rounds = Rounds(setups, runs, show)
        rounds.play("static fleets", {key: static_fleets(setup) for key, setup in setups.items()})
        rounds.start_at_the_best()
        names = [entry.name for entry in entries]
        first = [*unswept(names), *(c for entry in entries for c in entry.first())]
        rounds.play("first settings", dict.fromkeys(setups, first))
        rounds.play(
            "closer to the best",
            {key: [c for e in entries for c in e.closer(rounds.outcomes(key))] for key in setups},
        )
    return {key: rounds.comparison(key, names) for key in setups}


class Rounds:
    """What was played so far, by setup."""

    def __init__(
        self, setups: Mapping[str, Setup], runs: Runs, show: Callable[[str], None]
    ) -> None:
        self._setups, self._runs, self._show = setups, runs, show
        self._outcomes: dict[str, list[Outcome]] = {key: [] for key in setups}
        self._starts: dict[str, Start] = {
            key: tuple(setup.start.items()) for key, setup in setups.items()
        }

    def play(self, label: str, contenders: Mapping[str, Iterable[Contender]]) -> None:
        """One round; a policy that finds no fleet leaves no outcome."""
        jobs = [Job(key, self._starts[key], each) for key, of in contenders.items() for each in of]

        def done(n: int, last: Contender) -> None:
            self._show(f"{label}: {n} of {len(jobs)} runs, {last.name}")

        for job, outcome in zip(jobs, self._runs.play(jobs, done), strict=True):
            if outcome is not None:
                self._outcomes[job.key].append(outcome)

    def start_at_the_best(self) -> None:
        """From now on runs begin with the best static fleet, or the largest where none keeps the SLO."""
        for key, setup in self._setups.items():
            names = [target.name for target in setup.targets]
            static = [o for o in self._outcomes[key] if o.contender.name == STATIC]
            numbers = [target.max_instances for target in setup.targets]
            if static and best_of(static).keeps_slo:
                numbers = best_of(static).contender.instances()
            self._starts[key] = tuple(zip(names, numbers, strict=True))

    def outcomes(self, key: str) -> tuple[Outcome, ...]:
        """All that was played on a setup."""
        return tuple(self._outcomes[key])

    def comparison(self, key: str, names: Sequence[str]) -> Comparison:
        """All that was played on a setup, of the policies that were asked for."""
        return Comparison(
            setup=dataclasses.replace(self._setups[key], start=dict(self._starts[key])),
            outcomes=tuple(o for o in self._outcomes[key] if o.contender.name in names),
        )
