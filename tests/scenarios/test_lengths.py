"""Traffic that hurts by the lengths of its prompts and answers."""

import numpy as np
import pytest

from tests.scenarios.runs import INTERACTIVE, RELAXED, ahead, played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", ["chat", "rag", "agentic"])
def test_every_class_keeps_its_percentile(name: str) -> None:
    run = played(name)
    for class_of in (INTERACTIVE, RELAXED):
        percentile = run.setup.classes[class_of].percentile_frac
        assert run.result.attainment[class_of] >= percentile


@pytest.mark.parametrize(
    ("name", "most"), [("chat", 1.15), ("rag", 1.05), ("reasoning", 1.15), ("agentic", 1.1)]
)
def test_the_hours_stay_near_those_of_the_best_static_fleet(name: str, most: float) -> None:
    run = played(name)
    # measured 1.12, 1.00, 1.11 and 1.07: what a fleet of hindsight saves by missing its one percent in the peak
    assert run.static is not None
    assert run.result.gpu_hours <= most * run.static.result.gpu_hours


@pytest.mark.parametrize(
    ("name", "most"), [("chat", 1.25), ("rag", 1.17), ("reasoning", 1.25), ("agentic", 1.05)]
)
def test_the_hours_stay_near_those_of_who_knows_the_next_minutes(name: str, most: float) -> None:
    # measured 1.23, 1.14, 1.21 and 1.03
    assert played(name).result.gpu_hours <= most * ahead(name).gpu_hours


@pytest.mark.parametrize("name", ["chat", "rag"])
def test_infeasible_is_said_only_where_the_decision_predicts_no_better(name: str) -> None:
    run = played(name)
    percentile = run.setup.classes[INTERACTIVE].percentile_frac
    predicted = [
        decision.predicted[INTERACTIVE]
        for decision in run.decisions
        if decision.infeasible and decision.predicted is not None
    ]
    assert max(predicted, default=0.0) < percentile


def test_reasoning_is_served_before_its_ramp_and_a_lead_time_after_it() -> None:
    run = played("reasoning")
    # the ramp lasts from 900 to 1200 s
    assert run.attained_frac(0.0, 900.0) >= 0.99
    assert run.attained_frac(1200.0 + run.reaction_s, 2400.0) >= 0.99


def test_reasoning_misses_little_on_its_ramp() -> None:
    assert played("reasoning").result.attainment[INTERACTIVE] >= 0.975
    assert played("reasoning").result.attainment[RELAXED] >= 0.95


@pytest.mark.xfail(
    strict=True,
    reason="after 15 flat minutes the trend of a ramp is believed a few minutes late: 0.980 here, where who knows the "
    "next lead time attains 1.000",
)
def test_reasoning_keeps_its_percentile_on_its_ramp() -> None:
    assert played("reasoning").result.attainment[INTERACTIVE] >= 0.99


def test_agents_need_more_long_after_sessions_came_more_often() -> None:
    run = played("agentic")
    # sessions come more often from 900 s on; their later turns are the longest
    assert run.desired(1100.0) > run.desired(900.0)
    assert run.desired(1750.0) > run.desired(1050.0)


def test_prompts_of_an_agent_grow_by_its_turns() -> None:
    replay = played("agentic").setup.replay
    # a session starts with 2,500 tokens in the median; each of its eight turns adds 600 in the mean and more
    assert np.median(replay.isl) > 2 * 2500


def test_the_mix_shift_raises_the_work_of_a_request_while_requests_get_fewer() -> None:
    replay = played("mix-shift").setup.replay
    first, last = replay.at_s < 300.0, replay.at_s >= 2100.0
    assert replay.osl[last].mean() > 50 * replay.osl[first].mean()
    assert last.sum() < 0.6 * first.sum()


def test_the_mix_shift_is_followed_at_about_the_cost_of_the_best_static_fleet() -> None:
    run = played("mix-shift")
    assert run.static is not None
    # measured 1.05
    assert run.result.gpu_hours <= 1.1 * run.static.result.gpu_hours


def test_after_the_mix_shift_fewer_instances_serve() -> None:
    run = played("mix-shift")
    # reasoning at 4 req/s needs less than code at 8: 7 or 8 after 11 or 12
    assert run.desired(2385.0) <= run.desired(300.0) - 3


def test_the_mix_shift_keeps_its_percentiles() -> None:
    assert played("mix-shift").result.attainment[INTERACTIVE] >= 0.99
    assert played("mix-shift").result.attainment[RELAXED] >= 0.95
