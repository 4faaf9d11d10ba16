"""How unevenly requests arrive within a tick, second by second.

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
# Below this index of dispersion no table of its own is made: it would say little else, and a router that is short of
# a core, as in a run at ten times the speed of life, makes as many bunches itself.
FELT_DISPERSION = 3.0
# Of a variance that differs by less, the same table holds.
_SAME_FRAC = 0.3
# Seconds to draw for the mean time of the requests: a quiet draw takes longer.
_SPARE_FRAC = 1.5


@dataclass(frozen=True, slots=True)
class Burstiness:
    """The rate of a second is the mean rate times a factor of mean one."""

    variance: float = 0.0  # of that factor; 0 of Poisson arrivals

    def dispersion(self, qps: float) -> float:
        """Variance ÷ mean of the arrivals of a second at a mean rate; 1 of Poisson arrivals."""
        return 1.0 + qps * self.variance

    def is_felt(self, qps: float) -> bool:
        """Whether a fleet at this rate carries less than of Poisson arrivals."""
        return self.dispersion(qps) > FELT_DISPERSION

    def is_like(self, other: "Burstiness") -> bool:
        """Whether what was made for one holds for the other."""
        a, b = self.variance, other.variance
        return abs(a - b) <= _SAME_FRAC * max(a, b) + 1e-3


POISSON = Burstiness()


def burstiness(memory: TrafficMemory) -> Burstiness:
    """What the last hour's arrivals tell; Poisson where nobody counted them by the second."""
    if memory.observed_s <= 0.0:
        return POISSON
    n_ticks = len(memory.times_s) - 1
    qps = float((memory.arrived[-1] - memory.arrived[0]).sum()) / memory.observed_s
    swelling = float(memory.swelling[-1] - memory.swelling[0]) / memory.observed_s
    if qps <= 0.0 or swelling <= 0.0:
        return POISSON
    return Burstiness(n_ticks / (n_ticks + PRIOR_TICKS) * swelling / qps**2)


def arrivals(n: int, qps: float, bursts: Burstiness, rng: np.random.Generator) -> Array:
    """(n,) arrival times at a mean rate of one a second, of requests that really come at `qps`."""
    events = np.cumsum(rng.exponential(1.0, n))
    if not bursts.is_felt(qps):
        return events
    n_seconds = int(_SPARE_FRAC * n / qps) + 1
    # log-normal, evenly over its quantiles, so that a draw has its variance
    factors = np.exp(np.sqrt(np.log1p(bursts.variance)) * rng.permutation(_scores(n_seconds)))
    passed = np.concatenate([[0.0], np.cumsum(qps * factors / factors.mean())])
    at_s = np.interp(events, passed, qps * np.arange(n_seconds + 1.0))
    return np.asarray(at_s * (events[-1] / at_s[-1]))


@functools.lru_cache(maxsize=64)
def _scores(n: int) -> Array:
    """The normal's quantiles in the middle of n equal shares."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / n) for i in range(n)])
