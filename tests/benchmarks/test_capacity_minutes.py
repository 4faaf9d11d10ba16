"""The points that a shorter profile would have had."""

import pytest

from benchmarks.capacity_minutes import within
from benchmarks.silicon import PROFILED_8B, PROFILED_70B


@pytest.mark.parametrize("silicon", [PROFILED_8B, PROFILED_70B], ids=["8B", "70B"])
def test_a_point_counts_when_its_window_has_ended(silicon):
    points = silicon.points()
    first = points[0]
    minutes = (first.warm_s + first.window_s) / 60.0
    assert (within(points, 0.99 * minutes), within(points, 1.01 * minutes)) == ([], [first])


def test_a_profile_of_any_length_begins_as_the_whole_one_did():
    points = list(PROFILED_70B.points())
    # 30 points of 1,440 s in all
    assert within(points, 10.0) == points[: len(within(points, 10.0))]
    assert within(points, 60.0) == points
