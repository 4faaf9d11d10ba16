"""A histogram that counts, with the bucket edges of vLLM 0.26.0."""

import bisect
import itertools
from collections.abc import Sequence

TTFT_EDGES_S = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
TOKEN_GAP_EDGES_S = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)  # fmt: skip
PHASE_EDGES_S = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0,
    120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip
STEP_EDGES_TOKENS = (1.0, *(float(2**i) for i in range(3, 15)))
N_EDGES = (1.0, 2.0, 5.0, 10.0, 20.0)


def length_edges_tokens(max_model_len: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50 ... up to the longest that a request can be."""
    decades = (float(lead * 10**exponent) for exponent in itertools.count() for lead in (1, 2, 5))
    return tuple(itertools.takewhile(lambda edge: edge <= max_model_len, decades))


class Histogram:
    """Counts by bucket, and the sum of what was observed."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = tuple(edges)
        self.sum = 0.0
        self._counts = [0] * (len(self.edges) + 1)

    def observe(self, value: float, n: int = 1) -> None:
        """Count a value, or several equal ones."""
        self._counts[bisect.bisect_left(self.edges, value)] += n
        self.sum += value * n

    def cumulative(self) -> list[int]:
        """How many were at most each edge; last, how many there were."""
        return list(itertools.accumulate(self._counts))
