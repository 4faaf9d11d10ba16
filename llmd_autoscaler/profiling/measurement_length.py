"""How long a load is looked at."""

from dataclasses import dataclass

# vllm.md: windows of three answers and a hundred requests.
LEAST_ANSWERS_LONG = 3.0
LEAST_REQUESTS = 100
# A lone client's requests differ by jitter only.
LEAST_REQUESTS_ALONE = 8
# The window may end when the mean TPOT (of one-token answers the TTFT) is known to this, 95 %.
CONFIDENCE_FRAC = 0.02
# A spread that so many times the requests have not averaged out is the machine's own: it is stated, not waited for.
MOST_TIMES_REQUESTS = 4
_LEAST_S = 1.0


@dataclass(frozen=True, slots=True)
class Length:
    """How long to look, in the server's seconds."""

    warm_s: float = 1.0
    least_s: float = 2.0
    most_s: float = 30.0

    @property
    def expected_s(self) -> float:
        """What it will most likely take."""
        return self.warm_s + min(self.least_s, self.most_s)


def least_length(e2e_s: float, rps: float, *, most_s: float, is_alone: bool) -> Length:
    """Three answers' time and a hundred requests, but never more than there is time for."""
    n = LEAST_REQUESTS_ALONE if is_alone else LEAST_REQUESTS
    least_s = max(_LEAST_S, LEAST_ANSWERS_LONG * e2e_s, n / rps if rps else most_s)
    warm_s = min(max(0.5, e2e_s), most_s)
    # a window that ends between two looks is longer than it has to be, one that is cut has no interval
    return Length(
        warm_s=warm_s, least_s=min(least_s, most_s), most_s=min(most_s, 1.5 * least_s + 1.0)
    )
