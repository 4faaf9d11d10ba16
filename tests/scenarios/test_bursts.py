"""Traffic that hurts by when it comes."""

import pytest

from llmd_autoscaler.core.world import ReasonCode
from tests.scenarios.runs import INTERACTIVE, RELAXED, TICK_S, ahead, dispersion_a_minute, played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

# A rate is known when its window of a minute is full, a tick later at the latest.
SEEN_S = 60.0 + TICK_S
# A smaller number is in force when the rate window and the scale-in window have passed, two ticks later at the latest.
LET_GO_S = 60.0 + 240.0 + 2 * TICK_S


def test_code_completion_has_an_index_of_dispersion_above_100_a_minute() -> None:
    run = played("code-completion")
    assert dispersion_a_minute(run.setup.replay.at_s, run.scenario.duration_s) >= 100.0


def test_code_completion_costs_less_than_the_best_static_fleet_and_misses_in_its_bursts_alone() -> (
    None
):
    run = played("code-completion")
    assert run.static is not None
    # measured 0.96
    assert run.result.gpu_hours <= run.static.result.gpu_hours
    # a burst is over before an instance for it is ready: even who knows it attains 0.985 only
    assert run.result.attainment[INTERACTIVE] >= 0.98
    assert run.result.attainment[RELAXED] >= 0.95


@pytest.mark.xfail(
    strict=True,
    reason="the forecast's errors are known once the first bursts have been missed: 0.986 here, where 11 instances within "
    "the limits keep 0.99 and who knows the next lead time keeps 0.985",
)
def test_code_completion_keeps_the_percentile_that_a_static_fleet_keeps() -> None:
    assert played("code-completion").result.attainment[INTERACTIVE] >= 0.99


def test_before_a_spike_nearly_nothing_runs() -> None:
    # 0.8 req/s are the work of one instance
    assert played("spike").desired(890.0) <= 2


def test_a_spike_is_answered_within_a_minute_and_a_tick() -> None:
    run = played("spike")
    # 16 req/s are what 11 or 12 instances carry
    assert run.desired(900.0 + SEEN_S) >= 11


def test_a_spike_is_served_a_lead_time_later() -> None:
    run = played("spike")
    assert run.attained_frac(900.0 + run.reaction_s, 1500.0) >= 0.99


def test_after_a_spike_its_instances_go_with_the_scale_in_window() -> None:
    run = played("spike")
    # not before the window has passed, and not later than it must
    assert run.desired(1500.0 + 180.0) >= 11
    assert run.desired(1500.0 + LET_GO_S) <= 2
    assert run.attained_frac(1500.0, 2400.0) >= 0.99


def test_a_spike_costs_four_fifths_of_the_best_static_fleet() -> None:
    run = played("spike")
    assert run.static is not None
    # measured 0.76
    assert run.result.gpu_hours <= 0.8 * run.static.result.gpu_hours


def test_a_spike_that_nobody_knew_of_loses_its_lead_time_and_no_more() -> None:
    run = played("spike")
    # 16 req/s for the reaction of 245 s of 11,040 requests in all: 36 % at the most
    lost = 16.0 * run.reaction_s / len(run.setup.replay.at_s)
    assert run.result.attainment[INTERACTIVE] >= 1.0 - lost
    assert ahead("spike").attainment[INTERACTIVE] >= 0.97  # who knows of it loses nearly nothing


def test_without_traffic_the_minimum_is_reached_when_the_window_has_passed() -> None:
    run = played("flash-to-zero")
    assert run.desired(900.0 + 240.0 - TICK_S) >= 6
    assert run.desired(900.0 + LET_GO_S) == 1
    assert run.said(1000.0, 1500.0) == {ReasonCode.NO_TRAFFIC}


def test_traffic_that_comes_back_is_answered_within_a_minute_and_a_tick() -> None:
    run = played("flash-to-zero")
    # as many as before it stopped, but for one of noise
    assert run.desired(1500.0 + SEEN_S) >= run.desired(890.0) - 1


def test_traffic_that_comes_back_is_served_a_lead_time_later() -> None:
    run = played("flash-to-zero")
    assert run.attained_frac(0.0, 900.0) >= 0.99
    assert run.attained_frac(1500.0 + run.reaction_s, 2400.0) >= 0.99


def test_overload_takes_every_instance_and_says_what_is_missing() -> None:
    run = played("overload-spiral")
    (target,) = run.setup.targets
    for at_s in range(720, 1200, 15):
        assert run.desired(at_s) == target.max_instances
        said = run.said(at_s, at_s + TICK_S)
        assert {ReasonCode.INFEASIBLE, ReasonCode.AT_LIMIT} <= said


def test_overload_is_not_called_before_it_comes_nor_long_after_it_went() -> None:
    run = played("overload-spiral")
    assert ReasonCode.INFEASIBLE not in run.said(0.0, 600.0)
    assert ReasonCode.INFEASIBLE not in run.said(1200.0 + SEEN_S, 2400.0)


def test_the_queue_of_an_overload_is_gone_before_an_instance_goes() -> None:
    run = played("overload-spiral")
    (target,) = run.setup.targets
    answers = run.result.answers
    waiting = [
        at_s
        for at_s in range(1200, 2400, 15)
        if ((answers.at_s < at_s) & (answers.first_s > at_s + 10.0)).any()
    ]
    assert {run.desired(at_s) for at_s in waiting} == {target.max_instances}


def test_after_an_overload_the_service_recovers_wholly() -> None:
    run = played("overload-spiral")
    # ten instances finish what waits in five minutes at 8 req/s more
    assert run.attained_frac(1200.0 + 300.0, 2400.0) >= 0.99
    # 8 req/s are 5 or 6 instances; an hour that was missed this far provides for twice as much
    assert run.desired(2385.0) <= 10
