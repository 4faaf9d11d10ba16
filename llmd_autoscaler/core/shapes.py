"""The grid of request shapes (ISL x OSL): one set of edges for counting, load and routing."""

import bisect
import math

# 64 * sqrt(2)^i up to 131,072 tokens: half-octave bins keep E[prefill(ISL)] within 3 % of exact
# sizes, where bins of an octave are off by up to 96 % at their edges (data: load_function_bias).
EDGES_TOKENS: tuple[int, ...] = tuple(round(64 * math.sqrt(2) ** i) for i in range(23))
N_BINS = len(EDGES_TOKENS)


def bin_of(tokens: int) -> int:
    """The bin that holds a length: the first whose upper edge is not below it; the last takes the rest."""
    return min(bisect.bisect_left(EDGES_TOKENS, tokens), N_BINS - 1)


def upper_edge_tokens(index: int) -> int:
    """The upper edge of a bin, which is also its name on the wire (`isl="1024"`)."""
    return EDGES_TOKENS[index]


def bin_named(edge_tokens: int) -> int:
    """The bin whose upper edge this is.

    Raises: ValueError: no bin has this edge.
    """
    index = bisect.bisect_left(EDGES_TOKENS, edge_tokens)
    if index == N_BINS or EDGES_TOKENS[index] != edge_tokens:
        raise ValueError(f"{edge_tokens} tokens is no edge of the shape grid")
    return index
