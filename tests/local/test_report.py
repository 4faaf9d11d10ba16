"""The result of a run as numbers and as a table."""

from collections import Counter

import numpy as np
import pytest

from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.hindsight import Hindsight
from llmd_autoscaler.local.report import Pace, Report, Usage
from llmd_autoscaler.local.table import minutes, percent, table

CLASSES = tuple(each.qos for each in load_config().classes)
INF = float("inf")


def report(*, lag_p99_s=0.01, differences=()):
    """Four interactive requests of 0 s, 1 s ... : three in time, the last never answered; one relaxed."""
    answers = Answers(
        at_s=np.array([0.0, 1.0, 2.0, 3.0, 4.0]),
        class_of=np.array([0, 0, 0, 0, 1]),
        isl=np.full(5, 1000),
        osl=np.full(5, 11),
        first_s=np.array([0.5, 1.5, 2.5, INF, 5.0]),
        last_s=np.array([1.0, 2.0, 3.0, INF, 6.0]),
    )
    return Report(
        classes=CLASSES,
        answers=answers,
        usage=Usage(gpu_hours=8.0, cost_usd=28.0, n_decisions=4, n_events=2, n_reversals=1),
        pace=Pace(simulated_s=240.0, wall_s=30.0, first_decision_s=5.0, lag_p99_s=lag_p99_s),
        hindsight=Hindsight({"a": 8}, 10.0, 6.4),
        failures=Counter({"no_instance": 1}),
        differences=differences,
    )


def line_of(said, word):
    return next(line for line in said.splitlines() if line.startswith(word))


def test_a_request_without_answer_is_a_miss():
    assert report().attainment() == {"interactive": 0.75, "relaxed": 1.0}


def test_the_object_has_the_keys_that_scripts_read():
    assert report().as_json() == {
        "requests": 5,
        "completed": 4,
        "failed": 1,
        "attainment": {"interactive": 0.75, "relaxed": 1.0},
        "gpu_hours": 8.0,
        "static_gpu_hours": 10.0,
        "lookahead_gpu_hours": 6.4,
        "cost_usd": 28.0,
        "decisions": 4,
        "scaling_events": 2,
        "reversals": 1,
        "first_decision_s": 5.0,
        "simulated_s": 240.0,
        "wall_s": 30.0,
        "lag_p99_s": 0.01,
    }


def test_the_tightest_bound_on_one_instant_is_the_median_answers_tpot():
    # 10 gaps of 80 ms are 0.8 s, below TTFT's 1 s; a tenth of it
    assert report().lag_limit_s() == pytest.approx(0.08)


def test_a_class_shows_its_quantiles_and_whether_its_slo_holds():
    # TTFT 0.5 s each; TPOT 0.5 s / 10 gaps
    words = line_of(table(report()), "interactive").split()
    assert (
        words
        == ["interactive", "4", "75.00", "%", "99.00", "%", "MISSED"]
        + ["0.50", "s"] * 3
        + [
            "50",
            "ms",
        ]
        * 2
    )


def test_a_class_without_requests_has_no_figures():
    some = report()
    answers = some.answers
    kept = Answers(*(getattr(answers, name)[:4] for name in Answers.__dataclass_fields__))
    without = Report(CLASSES, kept, some.usage, some.pace, some.hindsight)
    assert line_of(table(without), "relaxed").split() == ["relaxed", "0", *"-------"]


def test_gpu_hours_stand_beside_their_bounds():
    # 8 against 10 is a fifth less, against 6.4 a quarter more
    assert line_of(table(report()), "GPU-hours") == (
        "GPU-hours  8.0 · best static fleet with hindsight (8 instances) 10.0 (-20 %) · look-ahead bound 6.4 (+25 %)"
    )


def test_failures_are_named():
    assert line_of(table(report()), "failed").split() == ["failed", "1", "no_instance"]


def test_too_much_lag_leaves_no_verdict():
    assert "NO VERDICT" in line_of(table(report(lag_p99_s=0.081)), "lag")
    assert "NO VERDICT" not in table(report(lag_p99_s=0.079))


def test_in_virtual_time_there_is_no_lag_to_tell():
    assert "lag" not in table(report(lag_p99_s=None))


def test_a_difference_to_the_routers_counts_is_said():
    said = line_of(table(report(differences=("interactive: 5 arrived",))), "router")
    assert said.split(maxsplit=1)[1] == "interactive: 5 arrived"


def test_a_share_is_never_rounded_up_to_all():
    assert percent(0.99999) == "99.99 %"
    assert percent(1.0) == "100.00 %"


def test_a_share_of_exact_hundredths_is_itself():
    # 0.0003 * 10,000 is 2.9999999999999996 in floats
    assert percent(0.0003) == "0.03 %"


def test_a_duration_is_written_in_minutes():
    assert minutes(3501.7) == "58:21"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(columns):
    lines = table(report(differences=("router: 4 requests counted, 5 sent",)), columns=columns)
    assert max(map(len, lines.splitlines())) <= columns


def test_a_terminal_too_narrow_for_a_class_a_row_gets_a_class_a_column():
    lines = table(report(), columns=80).splitlines()
    assert lines[0].split() == ["class", "interactive", "relaxed"]
    assert line_of("\n".join(lines), "TTFT p95").split() == [
        "TTFT",
        "p95",
        "0.50",
        "s",
        "1.00",
        "s",
    ]


def test_a_terminal_too_narrow_for_that_gets_one_class_below_the_other():
    lines = table(report(), columns=30).splitlines()
    assert lines[:2] == ["interactive", "  requests  4"]
    assert "relaxed" in lines


def test_the_same_table_stands_in_a_file_whatever_its_width():
    assert table(report()).splitlines()[0].endswith("TPOT p50     p95")
