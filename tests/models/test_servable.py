"""The one rule of when a value may be served."""

import math

import pytest

from models.servable import servable


def test_the_newest_leaders_value_is_served_up_to_its_last_second():
    assert servable(epoch=7, newest_epoch=7, valid_until_s=100.0, now_s=100.0)


def test_a_value_past_its_time_is_not_served():
    assert not servable(epoch=7, newest_epoch=7, valid_until_s=100.0, now_s=100.1)


def test_the_value_of_an_older_leader_is_not_served():
    assert not servable(epoch=6, newest_epoch=7, valid_until_s=100.0, now_s=0.0)


def test_the_first_value_of_a_new_leader_is_served():
    assert servable(epoch=8, newest_epoch=7, valid_until_s=100.0, now_s=0.0)


@pytest.mark.parametrize(("valid_until_s", "now_s"), [(math.nan, 0.0), (100.0, math.nan)])
def test_a_time_that_is_no_number_serves_nothing(valid_until_s, now_s):
    assert not servable(epoch=7, newest_epoch=7, valid_until_s=valid_until_s, now_s=now_s)
