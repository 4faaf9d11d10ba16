"""What a policy can reach: the settings that nothing of its own beats, and what lies between."""

import math

import pytest

from llmd_autoscaler.local.frontier import frontier, hours_at, missed_frac_at
from tests.local.outcomes import in_flight, static

LAW = (in_flight(30, 20.0, 4.0), in_flight(20, 24.0, 1.0), in_flight(10, 30.0, 0.25))


def test_a_setting_that_takes_more_and_misses_more_is_not_on_the_frontier():
    found = frontier([*LAW, in_flight(25, 25.0, 2.0)])
    assert [(point.gpu_hours, point.strain) for point in found] == [
        (20.0, 4.0),
        (24.0, 1.0),
        (30.0, 0.25),
    ]


def test_hours_at_a_setting_are_its_own():
    assert hours_at(LAW, 1.0) == 24.0


def test_hours_between_settings_are_straight_over_the_logarithm_of_the_strain():
    # 2 is half-way from 4 to 1 in powers of two, 0.5 half-way from 1 to 0.25
    assert hours_at(LAW, 2.0) == pytest.approx(22.0)
    assert hours_at(LAW, 0.5) == pytest.approx(27.0)


def test_fleets_have_no_size_in_between():
    fleets = [static(5, 20.0, 4.0), static(6, 24.0, 1.0)]
    assert hours_at(fleets, 2.0) == 24.0
    # at 23 hours five can be had, not six: 0.7 % of all requests a unit of strain
    assert missed_frac_at(fleets, 23.0) == pytest.approx(0.028)


def test_what_no_setting_reaches_has_no_hours():
    assert hours_at(LAW, 0.2) is None
    assert hours_at([], 1.0) is None


def test_an_easy_goal_takes_the_cheapest_setting():
    assert hours_at(LAW, 50.0) == 20.0


def test_a_law_that_never_misses_is_as_good_as_one_that_misses_once_in_a_hundred_allowed():
    perfect = [in_flight(20, 24.0, 1.0), in_flight(10, 34.0, 0.0)]
    # 0 stands for 0.01: 0.1 is half-way from 1 to it
    assert hours_at(perfect, 0.1) == pytest.approx(29.0)
    assert math.isfinite(hours_at(perfect, 0.0) or math.nan)


def test_misses_at_equal_hours_lie_between_those_of_the_settings():
    # half-way from 24 to 30 hours: from 0.7 % to 0.175 %
    assert missed_frac_at(LAW, 27.0) == pytest.approx((0.007 + 0.00175) / 2)
    assert missed_frac_at(LAW, 99.0) == pytest.approx(0.00175)


def test_below_the_cheapest_setting_there_is_nothing():
    assert missed_frac_at(LAW, 19.0) is None
