"""The figures of a comparison, its JSON, and its three pictures."""

import json
import re

import pytest

from llmd_autoscaler.core.score import ScalingEvent
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.comparison import as_json
from llmd_autoscaler.local.comparison_page import headline, write_page
from llmd_autoscaler.local.comparison_plot import MARKS, plot
from llmd_autoscaler.local.comparison_table import cells, table
from llmd_autoscaler.local.sweep import NAMES
from llmd_autoscaler.simulator.contest import Kind
from llmd_autoscaler.simulator.slo_law import SloSetting
from tests.local.outcomes import bound, comparison, in_flight, ours, outcome, static

EVENTS = (ScalingEvent(60.0, 6, 7), ScalingEvent(400.0, 7, 5))
LAW = (in_flight(30, 18.0, 4.0), in_flight(22, 21.0, 1.0), in_flight(10, 30.0, 0.25))
WHOLE = comparison(
    ours(22.0, 0.5, EVENTS), static(5, 19.0, 3.0), static(6, 23.0, 0.8), bound(20.0, 0.9), *LAW
)


def test_each_policy_stands_at_its_cheapest_setting_that_keeps_the_slo():
    found = {each.name: each for each in WHOLE.standings()}
    assert list(found) == ["ours", "static", "look-ahead", "hpa-in-flight"]
    assert found["static"].best.gpu_hours == 23.0
    assert found["hpa-in-flight"].best.gpu_hours == 21.0


def test_at_our_attainment_a_law_takes_what_lies_between_its_settings():
    found = {each.name: each for each in WHOLE.standings()}
    # strain 0.5 is half-way from 1 to 0.25: half-way from 21 to 30 hours
    assert found["hpa-in-flight"].hours_at_our_strain == pytest.approx(25.5)
    # no fleet that was tried misses as little as ours
    assert found["static"].hours_at_our_strain is None


def test_the_best_simple_law_is_one_of_the_simple_laws():
    assert WHOLE.best_simple() is LAW[1]


def test_instances_over_time_start_where_the_run_does():
    end_s = WHOLE.setup.replay.duration_s
    assert WHOLE.instances(WHOLE.best("ours")) == [(0.0, 6), (60.0, 7), (400.0, 5), (end_s, 5)]
    fleet = WHOLE.of("static")[0]
    assert WHOLE.instances(fleet) == [(0.0, 5), (end_s, 5)]


def test_the_json_has_a_row_for_every_run_and_the_keys_that_were_promised():
    found = json.loads(json.dumps(as_json([WHOLE, WHOLE])))
    assert found["target"] == {"interactive": 0.99, "relaxed": 0.95}
    assert len(found["policies"]) == 2 * len(WHOLE.outcomes)
    assert {tuple(row) for row in found["policies"]} == {
        (
            "name", "kind", "params", "gpu_hours", "cost_usd", "attainment", "scaling_events",
            "reversals", "minutes_below_95",
        )
    }  # fmt: skip
    law = found["policies"][-1]
    assert (law["name"], law["kind"]) == ("hpa-in-flight", "simple")
    assert law["params"] == {"signal": "in-flight", "target": 10, "down_window_s": 300, "seed": 1}


def test_the_table_says_who_misses_which_slo():
    lost = comparison(ours(22.0, 2.5), static(6, 23.0, 0.8))
    rows = {row[0]: row for row in cells(lost)}
    # 1 - 0.01 x 2.5
    assert rows["ours"][-1] == "MISSED: interactive 97.50 %"
    assert rows["static (hindsight)"][-1] == "holds"


def test_the_table_without_ours_compares_with_nobody():
    assert "+" not in table(comparison(static(6, 23.0, 0.8)))


def test_a_setting_at_the_end_of_its_sweep_is_said_so():
    assert "the end of its sweep" in table(comparison(ours(22.0, 0.5), in_flight(256, 20.0, 0.9)))
    assert "the end of its sweep" not in table(WHOLE)


def test_the_table_fits_eighty_columns():
    everyone = comparison(
        *WHOLE.outcomes,
        outcome(
            "keda-slo-fixed", Kind.SIMPLE, SloSetting(1.2, has_class_bounds=False), 1234.5, 1.5
        ),
    )
    said = table(everyone, columns=80)
    assert max(map(len, said.splitlines())) <= 80
    # 1 - 0.01 x 1.5
    assert "MISSED: interactive 98.50 %" in said


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_the_picture_keeps_within_its_columns(columns):
    lines = plot(WHOLE, columns=columns).splitlines()[1:]
    assert max(map(len, lines)) <= columns


def test_the_picture_is_plain_where_colour_is_not_wanted():
    assert "\x1b" not in plot(WHOLE, columns=80)
    assert "\x1b" in plot(WHOLE, columns=80, has_colour=True)


def test_colour_changes_no_character_of_the_picture():
    dressed = plot(WHOLE, columns=80, has_colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", dressed).split() == plot(WHOLE, columns=80).split()


def test_whoever_misses_more_than_allowed_stands_above_the_line():
    lines = plot(WHOLE, columns=80).splitlines()
    (limit,) = [i for i, line in enumerate(lines) if "---" in line]
    height = {
        mark: i for i, line in enumerate(lines[1:16], start=1) for mark in line if mark in "Os"
    }
    assert height["O"] > limit
    above = [line for line in lines[1:limit] if "f" in line or "s" in line]
    # of the fleets the one of five, of the law the one at 30
    assert len(above) == 2


def test_every_policy_has_a_mark_of_its_own():
    assert set(MARKS) == set(NAMES)
    assert len(set(MARKS.values())) == len(NAMES)


def test_the_headline_says_what_each_takes():
    said = headline(WHOLE)
    assert "Ours takes 22.0 GPU-hours and keeps every SLO (lowest attainment 99.50 %)" in said
    # 23 / 22 and 21 / 22
    assert "static fleet takes 23.0 (+4.5 %)" in said
    assert "in-flight target 22, down window 300 s, takes 21.0 (-4.5 %)" in said


def test_the_headline_hides_no_missed_slo():
    assert "MISSES an SLO" in headline(comparison(ours(22.0, 2.5)))


def test_the_page_needs_nobody_else(tmp_path):
    path = tmp_path / "report.html"
    write_page(path, "a model </script><b>", [WHOLE])
    page = path.read_text(encoding="utf-8")
    assert not re.search(r'<(script|link|img)[^>]*\b(src|href)="?http', page)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert json.loads(data)["about"] == "a model </script><b>"


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"--report .*: is a directory; name a file"):
        write_page(tmp_path, "", [WHOLE])
