"""The alert rules: read by promtool, firing and silent where they must be, and each with a heading to go to."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.dashboards.exported import exported, used
from tests.dashboards.prometheus import DASHBOARDS, program

RULES = DASHBOARDS / "alerts.yaml"
CASES = Path(__file__).parent / "alerts_test.yaml"


def rules():
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def promtool(*words):
    done = subprocess.run(
        [program("promtool"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_can_read_the_rules():
    promtool("check", "rules", str(RULES))


def test_every_case_comes_out_as_it_says(tmp_path):
    cases = CASES.read_text().replace("[RULES]", f"[{RULES}]")
    (tmp_path / "cases.yaml").write_text(cases)
    promtool("test", "rules", str(tmp_path / "cases.yaml"))


@pytest.mark.parametrize("alert", [rule["alert"] for rule in alerts()])
def test_an_alert_has_a_case_where_it_fires_and_one_where_it_is_silent(alert):
    cases = [
        bool(case["exp_alerts"])
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]
    assert set(cases) == {True, False}


def test_rules_are_made_of_what_we_export():
    known = exported()
    assert {str(r): used(r["expr"]) - known for r in rules() if used(r["expr"]) - known} == {}


def test_an_alert_says_how_bad_it_is_and_where_to_read_on():
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["runbook"].startswith("docs/troubleshooting.md#")
        assert rule["annotations"]["summary"]


def test_reasons_of_withholding_that_are_ours_are_all_named():
    """What is left out is a mistake of whoever asks, or an object without a decision yet."""
    (rule,) = [each for each in alerts() if each["alert"] == "LlmdAdapterWithholds"]
    named = set(rule["expr"].split('reason=~"')[1].split('"')[0].split("|"))
    source = "".join(path.read_text() for path in (DASHBOARDS.parent / "adapter").glob("*.py"))
    assert {reason for reason in named if f'"{reason}"' not in source} == set()
