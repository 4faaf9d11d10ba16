"""Stamps that are coarser than arrivals."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.simulator.traces.stamps import spread


def test_fine_stamps_stay_as_they_are() -> None:
    fine = np.array([0.0, 0.5, 0.5, 2.0, 7.0])  # 5 requests, 4 stamps
    assert spread(fine).tolist() == fine.tolist()


def test_requests_of_a_single_stamp_have_nowhere_to_go() -> None:
    assert spread(np.zeros(9)).tolist() == [0.0] * 9


def test_nothing_is_spread_over_a_silence() -> None:
    # stamps every 3 s but for a minute in which nobody came
    stamps = np.repeat([0.0, 3.0, 6.0, 66.0, 69.0], 100)
    found = spread(stamps)
    assert not ((found > 9.0) & (found < 66.0)).any()


def test_spread_requests_fill_their_window_evenly() -> None:
    found = spread(np.repeat(np.arange(0.0, 30.0, 3.0), 1000))
    # 10,000 draws over ten tenths of a window: 1,000 each, within four standard deviations (of 30)
    n = np.bincount(((found % 3.0) / 0.3).astype(int), minlength=10)
    assert (abs(n - 1000) < 120).all()


@given(st.lists(st.integers(0, 20), min_size=1, max_size=80))
def test_spread_arrivals_keep_order_and_number_and_come_after_their_stamp(
    stamps: list[int],
) -> None:
    at_s = np.sort(np.array(stamps, dtype=np.float64))
    found = spread(at_s)
    assert len(found) == len(at_s)
    assert (np.diff(found) >= 0.0).all()
    assert (found >= at_s).all()
