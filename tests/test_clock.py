"""The clock that all processes of a run share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError

FINITE = st.floats(-1e9, 1e9)


def test_simulated_time_runs_at_its_rate_from_where_it_began() -> None:
    clock = Clock(wall_s=1000.0, sim_s=50.0, rate=10.0)
    assert clock.at_wall_s(1000.0) == 50.0
    assert clock.at_wall_s(1003.0) == 80.0


def test_without_a_flag_time_is_real() -> None:
    assert Clock.parse("").at_wall_s(1_764_000_000.5) == 1_764_000_000.5


@given(FINITE, FINITE, st.floats(0.001, 1000.0))
def test_the_flag_gives_the_same_clock_to_the_bit(wall_s: float, sim_s: float, rate: float) -> None:
    clock = Clock(wall_s, sim_s, rate)
    assert Clock.parse(clock.flag()) == clock


def test_now_goes_forward_from_the_start_and_waits_are_never_negative() -> None:
    clock = Clock.starting_at(500.0, 1000.0)
    first = clock.now_s()
    assert first >= 500.0
    assert clock.now_s() >= first
    assert clock.wall_until_s(0.0) == 0.0
    # a million simulated seconds are a thousand of the wall
    assert 0.0 < clock.wall_until_s(1_000_500.0) <= 1000.0


@pytest.mark.parametrize("text", ["1,2", "1,2,x", "1,2,3,4", "now"])
def test_a_flag_that_is_not_three_numbers_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write three numbers, such as 1764000000,0,10"):
        Clock.parse(text)


@pytest.mark.parametrize("rate", ["0", "-1", "nan"])
def test_a_clock_that_does_not_go_forward_is_refused(rate: str) -> None:
    with pytest.raises(ConfigError, match="write a rate above 0"):
        Clock.parse(f"0,0,{rate}")
