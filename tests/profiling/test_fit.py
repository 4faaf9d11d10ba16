"""The fit: what was put in comes out, and what cannot be told is said."""

import dataclasses

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.fit import LEAST_ROWS, fit
from tests.profiling.points import BLANK, GRID, TRUE, closed, measured


def test_the_coefficients_of_a_noiseless_server_come_back():
    fitted = fit(GRID, BLANK, seed=0).profile.step
    assert fitted.base_s == pytest.approx(TRUE.step.base_s, rel=0.02)
    assert fitted.per_prefill_token_s == pytest.approx(TRUE.step.per_prefill_token_s, rel=0.02)
    assert fitted.per_context_token_s == pytest.approx(TRUE.step.per_context_token_s, rel=0.1)
    assert fitted.per_attention_token_sq_s == pytest.approx(1e-9, rel=0.05)


def test_the_front_end_is_what_unloaded_ttft_leaves_over():
    front = fit(GRID, BLANK, seed=0).front_end
    assert front.per_request_s == pytest.approx(0.005, abs=0.0005)
    assert front.per_prompt_token_s == pytest.approx(1e-6, rel=0.5)


def test_the_least_time_of_a_lone_prompt_comes_back_and_none_is_found_where_there_is_none():
    slow = dataclasses.replace(TRUE, step=dataclasses.replace(TRUE.step, least_prefill_s=0.012))
    points = [measured(point.load, slow) for point in GRID]
    found = [fit(each, BLANK, seed=0).profile.step.least_prefill_s for each in (points, GRID)]
    # without one, the shortest prompts of the grid take what their steps say
    shortest_s = min(p.load.isl for p in GRID) * TRUE.step.per_prefill_token_s + TRUE.step.base_s
    assert found == [pytest.approx(0.012, rel=0.05), pytest.approx(shortest_s, rel=0.1)]


def test_every_interval_holds_its_value():
    for interval in fit(GRID, BLANK, seed=0).step.values():
        assert interval.low <= interval.value <= interval.high


def test_lengths_that_were_not_seen_are_predicted_within_some_percent():
    assert fit(GRID, BLANK, seed=0).median_frac < 0.03


def test_a_point_in_trouble_changes_nothing():
    wrong = dataclasses.replace(
        measured(closed(1024, 128, 16)),
        trouble=("the server restarted within the window",),
    )
    slow = dataclasses.replace(wrong, server=dataclasses.replace(wrong.server, steps_per_s=1.0))
    assert fit([*GRID, slow], BLANK, seed=0).step == fit(GRID, BLANK, seed=0).step


def test_an_api_server_that_was_never_the_limit_is_said_not_to_be_measured():
    assert not fit(GRID, BLANK, seed=0).is_api_server_measured


def test_too_few_points_are_refused_with_their_number():
    with pytest.raises(ConfigError, match=f"at least {LEAST_ROWS}"):
        fit(GRID[:3], BLANK, seed=0)


def test_points_of_one_length_are_refused_for_they_tell_no_slope():
    same = [measured(closed(1024, 128, n)) for n in (2, 4, 8, 12, 16, 24, 32, 48, 64)]
    with pytest.raises(ConfigError, match="of 1 prompt lengths"):
        fit(same, BLANK, seed=0)
