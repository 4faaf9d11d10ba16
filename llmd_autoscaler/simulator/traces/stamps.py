"""Stamps that are coarser than the arrivals that they stand for."""

import numpy as np
from numpy.typing import NDArray

# Stamps that stand for so many requests each say when a batch of them was written down, not when each came.
_REQUESTS_A_STAMP = 2.0
# Part of the reader, not of a run: a file is the same requests every time.
_SEED = 0


def spread(at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Arrivals between their stamp and the next, uniformly at random; finer stamps stay as they are.

    Mooncake stamps every 3 s. Served as stamped, ten prompts would come in the same instant and nothing in
    between. Uniform draws are what a Poisson process gives once its count is known: nothing is added
    to the counts of 3 s, which are the trace's, and nothing is claimed of what lies below them.

    Args:
        at_s: stamps in order; the last one's requests are spread over the median distance of two stamps.
    """
    stamps, group, n = np.unique(at_s, return_inverse=True, return_counts=True)
    if len(stamps) < 2 or n.mean() < _REQUESTS_A_STAMP:  # noqa: PLR2004 (one stamp has no distance to the next)
        return at_s
    distances = np.diff(stamps)
    # no stamp for a while means that nobody came, not that somebody came late
    widths = np.minimum(np.append(distances, np.inf), np.median(distances))
    draws = np.random.default_rng(_SEED).random(len(at_s))
    return np.sort(at_s + draws * widths[group])
