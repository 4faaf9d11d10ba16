"""What one instance of a profile carries of a shape: the highest Poisson rate that keeps bounds on TTFT and TPOT."""

from dataclasses import dataclass

from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.point import Load, Shape
from llmd_autoscaler.profiling.prediction import predict

# Closer than the noise of the tails of 1,500 requests.
_TOLERANCE_FRAC = 0.03
_MOST_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Slo:
    """Bounds on the 95th percentiles."""

    ttft_s: float
    tpot_s: float

    @property
    def name(self) -> str:
        """How people write it."""
        return f"TTFT p95 ≤ {self.ttft_s:g} s, TPOT p95 ≤ {1e3 * self.tpot_s:g} ms"


def keeps(profile: EngineProfile, load: Load, slo: Slo) -> bool:
    """Whether a load's tails stay within the bounds."""
    prediction = predict(profile, load)
    tpot_s = prediction.tpot_p95_s or 0.0
    return prediction.ttft_p95_s <= slo.ttft_s and tpot_s <= slo.tpot_s


def highest_rate_qps(profile: EngineProfile, shape: Shape, slo: Slo) -> float:
    """The highest rate; 0 where not even requests far apart keep the bounds."""
    if shape.isl + shape.osl > profile.kv_tokens:
        return 0.0
    alone = predict(profile, Load((shape,), 1))
    # one request after the other is always carried, and a full batch is never exceeded
    low, high = 0.0, profile.max_num_seqs * alone.rps
    for _ in range(_MOST_HALVINGS):
        if high - low <= _TOLERANCE_FRAC * high:
            break
        middle = 0.5 * (low + high)
        if keeps(profile, Load((shape,), rate_qps=middle), slo):
            low = middle
        else:
            high = middle
    return low
