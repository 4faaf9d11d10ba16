"""The error budget of an SLO: how much of it the last hour has spent, and what that means for the next minutes.

A percentile of 0.99 allows one request in a hundred to miss. While that allowance is whole, to provide for
more than is expected buys nothing that was promised; once it is spent, every further miss breaks the SLO.
"""

from collections.abc import Sequence

from llmd_autoscaler.core.realised import Outcomes
from llmd_autoscaler.core.slo import QosClass

# Requests that may always miss: of twenty, one in a hundred is none, and one miss is no alarm.
ALWAYS_ALLOWED = 1.0
# What may be spent before anything changes: an hour that ends within its SLO spends nearly all of it.
CALM_FRAC = 0.8


def spent_frac(classes: Sequence[QosClass], outcomes: Outcomes | None) -> float | None:
    """Requests that missed ÷ those that were allowed to, in the class that has spent most.

    Args: outcomes: of the last hour; None: nobody counts what became of the requests.
    Returns: 0 while nothing was missed, above 1 where the SLO is broken; None where nobody counts.
    """
    if outcomes is None:
        return None
    ended = outcomes.counts.sum(axis=1)
    missed = ended - outcomes.counts[:, 0]
    return max(
        float(m / (ALWAYS_ALLOWED + n * (1.0 - qos.percentile_frac)))
        for m, n, qos in zip(missed, ended, classes, strict=True)
    )


def urgency(spent: float | None) -> float:
    """How much of what may go wrong is to be provided for, 0 to 1; half where nobody counts."""
    return 0.5 if spent is None else min(max((spent - CALM_FRAC) / (1.0 - CALM_FRAC), 0.0), 1.0)
