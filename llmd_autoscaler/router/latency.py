"""Two small histograms a class: what people look at to see how far a bound is, never what is scored.

Scoring counts requests against their own bounds (`attained_total`); a quantile of a histogram is only as
fine as its edges. Fixed edges, for a series of Prometheus must not change them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

# Dense where bounds of chat lie (0.2 to 2 s); 60 s is beyond every interactive bound.
TTFT_EDGES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
# Dense around 50 to 100 ms: reading speed, and where bounds of TPOT lie.
TPOT_EDGES_S = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.15, 0.2, 0.5)


@dataclass(slots=True)
class Histogram:
    """Counts of values by the first edge that is not below them."""

    edges_s: tuple[float, ...]
    n_in: list[int] = field(init=False)
    sum_s: float = 0.0

    def __post_init__(self) -> None:
        """One more bucket than edges, for what is beyond the last."""
        self.n_in = [0] * (len(self.edges_s) + 1)

    def observe(self, value_s: float) -> None:
        """Count a value."""
        self.n_in[bisect_left(self.edges_s, value_s)] += 1
        self.sum_s += value_s

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """The samples in the text format; `labels` are those of the class, without braces."""
        n = 0
        for edge, n_in in zip((*(f"{e:g}" for e in self.edges_s), "+Inf"), self.n_in, strict=True):
            n += n_in
            yield f'{name}_bucket{{{labels},le="{edge}"}} {n}'
        yield f"{name}_sum{{{labels}}} {self.sum_s!r}"
        yield f"{name}_count{{{labels}}} {n}"


@dataclass(slots=True)
class Latencies:
    """TTFT and TPOT of one class's complete answers."""

    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT_EDGES_S))
    tpot: Histogram = field(default_factory=lambda: Histogram(TPOT_EDGES_S))
