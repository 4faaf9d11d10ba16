"""Non-negative least squares with few columns, and how firm its answer is."""

import itertools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def non_negative_least_squares(matrix: Array, target: Array) -> Array:
    """The x >= 0 that minimises |matrix x - target|^2.

    The best x is the plain solution on the columns where it is not 0. Of the few columns here all sets
    can be tried, largest first and by the normal equations: exact, and no iteration that has to end.
    """
    n = matrix.shape[1]
    # columns of one size: token^2 beside a constant would cost half of the digits
    size = np.sqrt((matrix**2).sum(axis=0))
    size[size == 0.0] = 1.0
    scaled = matrix / size
    gram, moment = scaled.T @ scaled, scaled.T @ target
    best, least = np.zeros(n), 0.0
    for chosen in _subsets(n):
        x = _solution(gram[np.ix_(chosen, chosen)], moment[list(chosen)])
        if x is None or np.any(x < 0.0):
            continue
        # |Ax - b|^2 less |b|^2
        value = float(x @ gram[np.ix_(chosen, chosen)] @ x - 2.0 * x @ moment[list(chosen)])
        if value < least:
            least = value
            best = np.zeros(n)
            best[list(chosen)] = x
            if len(chosen) == n:
                break
    return np.asarray(best / size)


def bootstrap(matrix: Array, target: Array, *, n: int, seed: int) -> Array:
    """(n, column) the answers to resampled rows: how far the rows themselves pin each coefficient down."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(target), size=(n, len(target)))
    return np.array([non_negative_least_squares(matrix[r], target[r]) for r in rows])


def _subsets(n: int) -> list[tuple[int, ...]]:
    """All sets of columns, the whole first: where it has no negative part it is the answer."""
    return [c for size in range(n, 0, -1) for c in itertools.combinations(range(n), size)]


def _solution(gram: Array, moment: Array) -> Array | None:
    try:
        return np.asarray(np.linalg.solve(gram, moment), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None  # columns that say the same: a smaller set says it, too
