"""The load generator's list of requests: each arrives once and ends once, with an answer or a named failure."""

from collections import Counter
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.simulator.replay import Replay

# A request that was still open when the run ended; a miss, like any other failure.
UNFINISHED = "unfinished"


class State(IntEnum):
    """Where a request stands."""

    TO_COME = 0
    OPEN = 1
    ANSWERED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request: times of its first and last token, and the server's own count of tokens."""

    first_s: float
    last_s: float
    isl: int
    osl: int

    def since(self, start_s: float) -> "Outcome":
        """The same, its times counted from a moment."""
        return replace(self, first_s=self.first_s - start_s, last_s=self.last_s - start_s)


class Ledger:
    """All requests of a replay by number; times are seconds from the start of the replay."""

    def __init__(self, replay: Replay) -> None:
        n = len(replay.at_s)
        self._class_of = replay.class_of
        self._state: NDArray[np.int8] = np.zeros(n, dtype=np.int8)
        self._at_s = replay.at_s.copy()  # as planned until it arrived
        self._isl, self._osl = replay.isl.copy(), replay.osl.copy()
        self._first_s, self._last_s = np.full(n, np.inf), np.full(n, np.inf)
        self._failures: dict[int, str] = {}

    def arrived(self, number: int, at_s: float) -> None:
        """A request is sent now.

        Raises: ValueError: it was sent before.
        """
        self._move(number, State.TO_COME, State.OPEN)
        self._at_s[number] = at_s

    def answered(self, number: int, outcome: Outcome) -> None:
        """A request was answered in full.

        Raises: ValueError: it ended before, or never arrived.
        """
        self._move(number, State.OPEN, State.ANSWERED)
        self._first_s[number], self._last_s[number] = outcome.first_s, outcome.last_s
        self._isl[number], self._osl[number] = outcome.isl, outcome.osl

    def failed(self, number: int, reason: str) -> None:
        """A request ended without a full answer.

        Raises: ValueError: it ended before, or never arrived.
        """
        self._move(number, State.OPEN, State.FAILED)
        self._failures[number] = reason

    def close(self) -> None:
        """What is open now never ends."""
        for number in np.flatnonzero(self._state == State.OPEN):
            self.failed(int(number), UNFINISHED)

    def count(self, state: State) -> int:
        """How many requests stand there."""
        return int(np.count_nonzero(self._state == state))

    @property
    def n_arrived(self) -> int:
        """Requests that were sent."""
        return int(np.count_nonzero(self._state))

    @property
    def is_complete(self) -> bool:
        """Whether every request of the replay was sent."""
        return self.n_arrived == len(self._state)

    @property
    def failures(self) -> Counter[str]:
        """How many failed for which reason."""
        return Counter(self._failures.values())

    def reasons(self) -> list[str]:
        """Why each request that arrived failed; "" where it did not."""
        return [self._failures.get(int(number), "") for number in np.flatnonzero(self._state)]

    def answers(self, *, ended_only: bool = False) -> Answers:
        """The requests that arrived, or only those that also ended, in their order."""
        chosen = self._state >= (State.ANSWERED if ended_only else State.OPEN)
        return Answers(
            self._at_s[chosen],
            self._class_of[chosen],
            self._isl[chosen],
            self._osl[chosen],
            self._first_s[chosen],
            self._last_s[chosen],
        )

    def _move(self, number: int, before: State, after: State) -> None:
        if self._state[number] != before:
            was = State(int(self._state[number])).name
            raise ValueError(f"request {number} is {was} and cannot become {after.name}")
        self._state[number] = after
