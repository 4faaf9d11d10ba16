"""How unevenly requests arrive: within a tick, second by second, and from one tick to the next.

Poisson arrivals are the least that clients who know nothing of each other can do. Real ones come in bunches
(a page that asks five things, a job that starts), and a queue feels that: at an index of dispersion of ten
within a second a fleet carries a third less within its bounds. What is slower than a tick is the forecast's.
"""

import functools
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.traffic import TrafficMemory

Array = NDArray[np.float64]

# Poisson arrivals, worth this many ticks: few ticks tell little of a variance.
PRIOR_TICKS = 20.0
# Below this index of dispersion a fleet carries what it does of Poisson arrivals, within a table's own error.
FELT_DISPERSION = 1.5
# Of a swelling that differs by less, the same table holds.
_SAME_FRAC = 0.3
# Slots to draw beyond the mean time of the requests, which a quiet draw takes longer for.
_SPARE_FRAC = 1.5


@dataclass(frozen=True, slots=True)
class Burstiness:
    """The rate of a second is the mean rate times a factor of its tick and one of its own, both of mean one."""

    fast: float = 0.0  # variance of the seconds' factor
    slow: float = 0.0  # variance of the ticks' factor
    tick_s: float = 15.0

    def dispersion(self, qps: float) -> float:
        """Variance ÷ mean of the arrivals of a second at a mean rate; 1 of Poisson arrivals."""
        return 1.0 + qps * (self.fast + self.slow)

    def is_felt(self, qps: float) -> bool:
        """Whether a fleet at this rate carries less than of Poisson arrivals."""
        return self.dispersion(qps) > FELT_DISPERSION

    def is_like(self, other: "Burstiness") -> bool:
        """Whether what was made for one holds for the other."""
        pairs = ((self.fast, other.fast), (self.slow, other.slow))
        return all(abs(a - b) <= _SAME_FRAC * max(a, b) + 1e-3 for a, b in pairs)


POISSON = Burstiness()


def burstiness(memory: TrafficMemory) -> Burstiness:
    """What the last hour's arrivals tell; Poisson where nobody counted them by the second, or too few ticks did."""
    spans_s = np.diff(memory.times_s)
    if len(spans_s) < 2:  # noqa: PLR2004 (a difference takes two)
        return POISSON
    tick_s = float(np.median(spans_s))
    arrived = np.diff(memory.arrived.sum(axis=1))
    qps = float(arrived.sum() / spans_s.sum())
    if qps <= 0.0:
        return Burstiness(tick_s=tick_s)
    trust = len(spans_s) / (len(spans_s) + PRIOR_TICKS)
    fast = max(float(memory.swelling[-1] - memory.swelling[0]) / float(spans_s.sum()) / qps**2, 0.0)
    # Of two neighbours, so that a trend is not taken for bursts: half the mean square is one tick's variance.
    rates = arrived / spans_s
    variance = 0.5 * float(np.mean(np.diff(rates) ** 2))
    slow = max(variance / qps**2 - 1.0 / (qps * tick_s) - fast / tick_s, 0.0)
    return Burstiness(trust * fast, trust * slow, tick_s)


def arrivals(n: int, qps: float, bursts: Burstiness, rng: np.random.Generator) -> Array:
    """(n,) arrival times at a mean rate of one a second, of requests that really come at `qps`."""
    events = np.cumsum(rng.exponential(1.0, n))
    if not bursts.is_felt(qps):
        return events
    n_seconds = int(_SPARE_FRAC * n / qps) + 1
    of_tick = max(round(bursts.tick_s), 1)
    rate = _swell(n_seconds, bursts.fast, rng)
    ticks = _swell(-(-n_seconds // of_tick), bursts.slow, rng)
    rate *= np.repeat(ticks, of_tick)[:n_seconds]
    passed = np.concatenate([[0.0], np.cumsum(rate * qps)])
    at_s = np.interp(events, passed, qps * np.arange(n_seconds + 1.0))
    return np.asarray(at_s * (events[-1] / at_s[-1]))


def _swell(n: int, variance: float, rng: np.random.Generator) -> Array:
    """(n,) factors of mean one in random order: log-normal, evenly over its quantiles, so that a draw has its variance."""
    spread = np.sqrt(np.log1p(variance))
    factors = np.exp(spread * rng.permutation(_scores(n)))
    return np.asarray(factors / factors.mean())


@functools.lru_cache(maxsize=64)
def _scores(n: int) -> Array:
    """The normal's quantiles in the middle of n equal shares."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / n) for i in range(n)])
