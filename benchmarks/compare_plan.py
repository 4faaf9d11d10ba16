"""Which runs the comparison makes of each case: sweeps on the first seed, and what did best there on the others."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.compare_cases import Case
from llmd_autoscaler.local.comparison import Comparison
from llmd_autoscaler.local.frontier import frontier
from llmd_autoscaler.local.rounds import Rounds
from llmd_autoscaler.local.runs import Runs
from llmd_autoscaler.local.sweep import ENTRIES, NAMES, Entry, best_of, static_fleets, unswept
from llmd_autoscaler.simulator.contest import Contender, Kind, LookAhead, Ours, Outcome
from llmd_autoscaler.simulator.virtual import Setup

# Every second setting first, then so many between the best and each of its neighbours; of hours of traffic, one.
EVERY, BETWEEN, LONG_BETWEEN = 2, 2, 1
# How our own GPU-hours come about: one thing after another taken away.
NO_WINDOW, KNOWING, INSTANT = "ours-no-window", "knows-traffic", "knows-traffic-instant"
_SWEPT = tuple(entry for entry in ENTRIES if entry.families)


@dataclass(frozen=True, slots=True)
class Key:
    """One case with one seed."""

    case: Case
    seed: int

    @property
    def text(self) -> str:
        """What setups and comparisons are found by."""
        return f"{self.case.name}/{self.seed}"


def analysis(setup: Setup) -> list[Contender]:
    """Ours with the exact traffic in place of the forecast, with instances at once, and without its window."""
    window_s = setup.policy.scale_in_window_s
    found = [
        Contender(KNOWING, Kind.BOUND, LookAhead(scale_in_window_s=window_s)),
        Contender(INSTANT, Kind.BOUND, LookAhead(has_instant_starts=True)),
    ]
    return [*found, Contender(NO_WINDOW, Kind.BOUND, Ours(scale_in_window_s=0.0))]


def played(
    keys: Sequence[Key], setups: Mapping[str, Setup], show: Callable[[str], None]
) -> dict[str, Comparison]:
    """Play them all, by the key's text."""
    first_seed = min(key.seed for key in keys)
    swept = [key for key in keys if key.seed == first_seed]
    others = [key for key in keys if key not in swept]
    with Runs(setups) as runs:
        rounds = Rounds(setups, runs, show)
        rounds.play("static fleets", {key.text: static_fleets(setups[key.text]) for key in swept})
        rounds.play(
            "static fleets of other seeds",
            {
                key.text: _near_the_best(
                    static_fleets(setups[key.text]), rounds.outcomes(Key(key.case, first_seed).text)
                )
                for key in others
            },
        )
        rounds.start_at_the_best()
        rounds.play(
            "first settings",
            {
                key.text: [
                    *unswept(NAMES),
                    *(analysis(setups[key.text]) if _is_analysed(key, first_seed) else ()),
                    *(_first() if key in swept else ()),
                ]
                for key in keys
            },
        )
        rounds.play(
            "closer to the best",
            {key.text: _closer(key, rounds.outcomes(key.text)) for key in swept},
        )
        rounds.play(
            "the best on other seeds",
            {
                key.text: _best_few(rounds.outcomes(Key(key.case, first_seed).text))
                for key in others
            },
        )
    names = (*NAMES, NO_WINDOW, KNOWING, INSTANT)
    return {key.text: rounds.comparison(key.text, names) for key in keys}


def _is_analysed(key: Key, first_seed: int) -> bool:
    return key.seed == first_seed and not (key.case.is_scenario or key.case.is_long)


def _near_the_best(fleets: Sequence[Contender], outcomes: Sequence[Outcome]) -> list[Contender]:
    """The fleet that is best on the first seed, the one before it and the two after it."""
    at = fleets.index(best_of(outcomes).contender)
    return list(fleets[max(0, at - 1) : at + 3])


def _first() -> list[Contender]:
    return [each for entry in _SWEPT for each in entry.first(every=EVERY)]


def _closer(key: Key, outcomes: Sequence[Outcome]) -> list[Contender]:
    n_between = LONG_BETWEEN if key.case.is_long else BETWEEN
    return [
        each
        for entry in _SWEPT
        for each in entry.closer(outcomes, every=EVERY, n_between=n_between)
    ]


def _best_few(outcomes: Iterable[Outcome]) -> list[Contender]:
    """Of each law the best setting and those beside it on its frontier."""
    found: list[Contender] = []
    for entry in _SWEPT:
        mine = [each for each in outcomes if each.contender.name == entry.name]
        found += _around(entry, mine)
    return found


def _around(entry: Entry, mine: Sequence[Outcome]) -> list[Contender]:
    hours = {point.gpu_hours for point in frontier(mine)}
    edge = sorted((each for each in mine if each.gpu_hours in hours), key=lambda o: o.gpu_hours)
    best = best_of(mine)
    at = edge.index(best) if best in edge else 0
    ways = {each.contender.way for each in (*edge[max(0, at - 1) : at + 2], best)}
    return [Contender(entry.name, entry.kind, way) for way in ways]


class Ticker:
    """Progress lines on stderr, one every few seconds."""

    def __init__(self, write: Callable[[str], None], *, every_wall_s: float = 5.0) -> None:
        self._write, self._every_wall_s = write, every_wall_s
        self._began_wall = time.perf_counter()
        self._shown_wall = self._began_wall - every_wall_s

    def show(self, line: str) -> None:
        """Write a line, unless one was written just now."""
        now_wall = time.perf_counter()
        if now_wall - self._shown_wall >= self._every_wall_s:
            self._write(f"{now_wall - self._began_wall:5.0f} s  {line}")
            self._shown_wall = now_wall
