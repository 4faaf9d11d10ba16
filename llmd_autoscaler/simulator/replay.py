"""Recorded traffic: reads request traces, scales them, and gives each request its class."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.simulator.traces import azure
from llmd_autoscaler.simulator.traces.file import read_requests
from llmd_autoscaler.simulator.traces.stamps import spread

# The columns of a replay on disk: what `--record` writes can be read again.
SECONDS_HEADER = tuple(azure.SECONDS_HEADER.split(","))


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Requests in order of arrival: arrays (request,); times in seconds from the first."""

    at_s: NDArray[np.float64]
    isl: NDArray[np.int64]
    osl: NDArray[np.int64]
    class_of: NDArray[np.int64]

    @property
    def duration_s(self) -> float:
        """From the first arrival to the last."""
        return float(self.at_s[-1])

    def scaled(self, rate: float) -> "Replay":
        """The same requests at a rate that many times higher, by repeating or dropping requests, not by haste.

        Requests keep their times, so bursts and trends keep their pace; each is repeated floor(rate) or
        floor(rate) + 1 times, evenly, and copies follow within the gap to the next request.
        """
        n_copies = np.diff(np.floor(np.arange(len(self.at_s) + 1) * rate + 1e-9)).astype(np.int64)
        source = np.repeat(np.arange(len(self.at_s)), n_copies)
        first = np.cumsum(n_copies) - n_copies
        copy = np.arange(len(source)) - first[source]
        gaps = np.append(np.diff(self.at_s), 0.0)
        at_s = self.at_s[source] + gaps[source] * copy / np.maximum(n_copies[source], 1)
        # A copy is another request: it takes the lengths of one half the trace away.
        other = (source + copy * (len(self.at_s) // 2)) % len(self.at_s)
        return Replay(at_s, self.isl[other], self.osl[other], np.zeros(len(source), dtype=np.int64))

    def until(self, end_s: float) -> "Replay":
        """Only what arrives before a time."""
        n = int(np.searchsorted(self.at_s, end_s))
        return Replay(self.at_s[:n], self.isl[:n], self.osl[:n], self.class_of[:n])

    def busiest(self, length_s: float) -> "Replay":
        """The stretch of so many seconds in which most requests arrive, its times from its first."""
        n = np.searchsorted(self.at_s, self.at_s + length_s) - np.arange(len(self.at_s))
        first = int(n.argmax())
        here = slice(first, first + int(n[first]))
        at_s = self.at_s[here] - self.at_s[first]
        return Replay(at_s, self.isl[here], self.osl[here], self.class_of[here])

    def with_classes(self, shares: Sequence[float], *, seed: int) -> "Replay":
        """Each request's class by a seeded hash of its index: the same whichever part is replayed."""
        draws = np.array([_uniform(f"{seed}/{i}") for i in range(len(self.at_s))])
        class_of = np.searchsorted(np.cumsum(shares)[:-1], draws, side="right")
        return Replay(self.at_s, self.isl, self.osl, class_of.astype(np.int64))


def _uniform(text: str) -> float:
    """A number in [0, 1) that a text always gives."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2.0**64


def read_trace(path: Path) -> Replay:
    """A recorded trace, compressed or not, in the form that its first line shows.

    Known are the Azure LLM inference traces (CSV, either header), BurstGPT (CSV) and Mooncake (JSON lines).
    Where many requests share a stamp they are spread until the next one.

    Raises: ConfigError: missing, empty, of no known form, a bad row or one out of order, by its line number.
    """
    requests = read_requests(path)
    at_s = np.array([request.at_s for request in requests])
    return Replay(
        at_s=spread(at_s - at_s[0]),
        isl=np.array([request.isl for request in requests], dtype=np.int64),
        osl=np.array([request.osl for request in requests], dtype=np.int64),
        class_of=np.zeros(len(requests), dtype=np.int64),
    )
