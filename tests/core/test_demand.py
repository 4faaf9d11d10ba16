"""Demand cells."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmd_autoscaler.core.demand import MAX_CLUSTERS, Cells, cells
from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from tests.core.worlds import INTERACTIVE, RELAXED

CLASSES = (INTERACTIVE, RELAXED)
RATES = arrays(np.float64, (2, N_BINS), elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 7.0]))
WORK = np.tile(np.array(EDGES_TOKENS, dtype=np.float64) * 1e-4, (2, 1))


def merged(rates: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Cells:
    total = rates.sum(axis=1)
    share = np.divide(rates, total[:, None], out=np.zeros_like(rates), where=total[:, None] > 0)
    return cells(CLASSES, total, share, WORK)


@settings(max_examples=100)
@given(RATES)
def test_the_weights_of_each_cell_sum_to_one(
    rates: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> None:
    found = merged(rates)
    assert np.allclose(found.weights.sum(axis=(1, 2)), 1.0)


@settings(max_examples=100)
@given(RATES)
def test_no_request_is_lost_between_cells(
    rates: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> None:
    found = merged(rates)
    for c in range(2):
        assert np.isclose(found.rate_qps[found.class_of == c].sum(), rates[c].sum())
    # and work is the same, in cells and in bins
    assert np.isclose(found.rate_qps @ found.mean(WORK), (rates * WORK).sum())


@settings(max_examples=100)
@given(RATES)
def test_a_class_has_eight_cells_at_most_that_do_not_overlap(
    rates: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> None:
    found = merged(rates)
    for c in range(2):
        mine = found.class_of == c
        assert mine.sum() <= MAX_CLUSTERS
        assert (found.last_bin[mine][:-1] < found.first_bin[mine][1:]).all()


def test_only_the_last_cell_of_a_class_has_no_upper_limit() -> None:
    rates = np.zeros((2, N_BINS))
    rates[0, [3, 9]], rates[1, 5] = 1.0, 1.0
    found = merged(rates)
    limits = [found.isl_up_to(k) for k in range(len(found.class_of))]
    assert limits == [EDGES_TOKENS[3], None, None]


def test_a_class_without_traffic_has_no_cell() -> None:
    rates = np.zeros((2, N_BINS))
    rates[1, 5] = 2.0
    found = merged(rates)
    assert found.class_of.tolist() == [1]
    assert found.priority.tolist() == [50.0]


def test_no_traffic_at_all_gives_no_cells() -> None:
    assert len(merged(np.zeros((2, N_BINS))).rate_qps) == 0


def test_a_cell_holds_about_an_eighth_of_the_work() -> None:
    found = merged(np.ones((2, N_BINS)))
    work = found.rate_qps * found.mean(WORK)
    mine = work[found.class_of == 0]
    # the last bin alone makes 29 % of it; no other cell takes more than an eighth and one bin beyond
    assert mine[:-1].max() <= mine.sum() * (1 / 8 + 0.21)
