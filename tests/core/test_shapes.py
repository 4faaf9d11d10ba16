"""The grid of shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS, bin_named, bin_of, upper_edge_tokens


def test_edges_are_half_octaves_from_64_to_131072_tokens() -> None:
    assert EDGES_TOKENS[:5] == (64, 91, 128, 181, 256)
    assert (EDGES_TOKENS[-1], N_BINS) == (131_072, 23)


@given(st.integers(1, 131_072))
def test_the_bin_of_a_length_is_the_first_whose_edge_is_not_below_it(tokens: int) -> None:
    index = bin_of(tokens)
    assert tokens <= upper_edge_tokens(index)
    assert index == 0 or upper_edge_tokens(index - 1) < tokens


def test_the_last_bin_takes_whatever_is_longer() -> None:
    assert bin_of(1_000_000) == N_BINS - 1


@given(st.integers(0, N_BINS - 1))
def test_the_name_of_a_bin_leads_back_to_it(index: int) -> None:
    assert bin_named(upper_edge_tokens(index)) == index


@pytest.mark.parametrize("edge", [63, 65, 131_073])
def test_a_name_that_no_bin_has_is_refused(edge: int) -> None:
    with pytest.raises(ValueError, match=f"{edge} tokens is no edge"):
        bin_named(edge)
