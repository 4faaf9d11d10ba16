"""Bounds of one request."""

import math

from llmd_autoscaler.core.slo import Bounds, Timing, missed_bound

BOUNDS = Bounds(
    ttft_max_s=1.0, ttft_per_prompt_token_s=0.001, tpot_max_s=0.1, e2e_max_s=30.0, deadline_s=20.0
)


def timing(first_s: float, last_s: float, *, isl: int = 500, osl: int = 11) -> Timing:
    return Timing(0.0, first_s, last_s, isl, osl)


def test_a_long_prompt_is_allowed_a_longer_ttft() -> None:
    # 1 s and 1 ms a prompt token: 1.5 s for 500 of them
    assert missed_bound(BOUNDS, timing(1.4, 1.5)) == ""
    assert missed_bound(BOUNDS, timing(1.4, 1.5, isl=100)) == "ttft"


def test_tpot_is_the_mean_gap_of_the_request() -> None:
    # ten gaps in 0.9 s and in 1.1 s
    assert missed_bound(BOUNDS, timing(1.0, 1.9)) == ""
    assert missed_bound(BOUNDS, timing(1.0, 2.1)) == "tpot"


def test_a_single_token_waits_for_no_other() -> None:
    assert timing(1.0, 1.0, osl=1).tpot_s == 0.0


def test_the_tighter_of_end_to_end_and_deadline_counts() -> None:
    assert missed_bound(BOUNDS, timing(1.0, 20.5, osl=1000)) == "e2e"
    assert Bounds(e2e_max_s=5.0).e2e_bound_s() == 5.0


def test_a_class_without_bounds_misses_none() -> None:
    assert missed_bound(Bounds(), timing(1e6, 1e7)) == ""
    assert Bounds().ttft_bound_s(1000) == math.inf
