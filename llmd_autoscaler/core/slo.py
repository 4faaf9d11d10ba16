"""What a class of requests is promised, and whether one request got it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Latency bounds of one request; infinity where the class has none."""

    ttft_max_s: float = math.inf
    ttft_per_prompt_token_s: float = 0.0
    tpot_max_s: float = math.inf
    e2e_max_s: float = math.inf
    deadline_s: float = math.inf

    def ttft_bound_s(self, isl: int) -> float:
        """The TTFT that a prompt of `isl` tokens is allowed: a flat one is out of reach of a 40k prompt."""
        return self.ttft_max_s + self.ttft_per_prompt_token_s * isl

    def e2e_bound_s(self) -> float:
        """The tighter of the end-to-end bound and the deadline."""
        return min(self.e2e_max_s, self.deadline_s)


@dataclass(frozen=True, slots=True)
class QosClass:
    """Requests that share one SLO and one priority; the SLO holds when `percentile_frac` attain every bound."""

    name: str
    priority: int
    percentile_frac: float
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Timing:
    """When one answered request arrived, began and ended."""

    arrival_s: float
    first_token_s: float
    last_token_s: float
    isl: int
    osl: int

    @property
    def ttft_s(self) -> float:
        """From arrival to the first token."""
        return self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> float:
        """Mean gap between the tokens of this request; 0 for a single token, which waits for none."""
        return (self.last_token_s - self.first_token_s) / (self.osl - 1) if self.osl > 1 else 0.0

    @property
    def e2e_s(self) -> float:
        """From arrival to the last token."""
        return self.last_token_s - self.arrival_s


def missed_bound(bounds: Bounds, timing: Timing) -> str:
    """The first bound that an answered request missed (`ttft`, `tpot`, `e2e`), or "" when it attained all."""
    if timing.ttft_s > bounds.ttft_bound_s(timing.isl):
        return "ttft"
    if timing.tpot_s > bounds.tpot_max_s:
        return "tpot"
    if timing.e2e_s > bounds.e2e_bound_s():
        return "e2e"
    return ""
