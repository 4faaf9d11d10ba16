"""The controller's own page and its log lines."""

import dataclasses
import json
import math

import numpy as np
import pytest
import structlog

from llmd_autoscaler.controller.ports import ModelKey, ModelView, Publication
from llmd_autoscaler.core.world import Reason, ReasonCode
from llmd_autoscaler.logs import configure_logging
from llmd_autoscaler.telemetry import Telemetry
from tests.translate.decisions import CLASSES, NOW_S, decided, decision, outcomes, target

LABELS = 'model="m",namespace="llm"'


def publication(choice=None, **changes):
    view = ModelView(ModelKey("llm", "m"), "sl", CLASSES, (target(),))
    whole = Publication(
        view, choice or decision(), "1-1", NOW_S, NOW_S + 600.0, "router", outcomes()
    )
    return dataclasses.replace(whole, **changes)


def lines(telemetry, now_s=NOW_S):
    page = telemetry.page(now_s=now_s).decode()
    return dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))


@pytest.fixture
def told(capsys):
    configure_logging(lambda: 12.3456)
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    structlog.reset_defaults()


def test_a_decision_is_gauges():
    telemetry = Telemetry()
    telemetry.decided(publication(), 0.1)
    found = lines(telemetry)
    name = "llmd_autoscaler"
    values = [found[f'{name}_{n}{{{LABELS},target="a100"}}'] for n in ("desired_instances", "ready_instances", "load", "utilization")]  # fmt: skip
    assert values == ["4.0", "3.0", "3.2134", "1.0711"]
    assert found[f"{name}_cost_usd_per_hour{{{LABELS}}}"] == "56.0"
    assert found[f'{name}_attainment{{class="interactive",kind="realised",{LABELS}}}'] == "0.996"


def test_why_a_number_is_what_it_is_and_what_is_promised_are_gauges():
    telemetry = Telemetry()
    telemetry.decided(publication(), 0.1)
    found = lines(telemetry)
    # of the model, and of the target
    codes = [
        found[f'llmd_autoscaler_reason{{code="{code}",{LABELS},target="a100"}}']
        for code in ("DemandMet", "DemandUp")
    ]
    assert codes == ["1.0", "1.0"]
    assert found[f'llmd_autoscaler_objective{{class="interactive",{LABELS}}}'] == "0.99"


def test_a_condition_that_fails_is_there_until_it_does_not():
    telemetry = Telemetry()
    clamped = ("llm", "a100", "VariantAutoscaling", "HPAHealthy", "Clamped")
    telemetry.page(now_s=NOW_S, failing=[clamped])
    name = 'llmd_autoscaler_failing_condition{kind="VariantAutoscaling",name="a100",namespace="llm",reason="Clamped",type="HPAHealthy"}'
    assert name in telemetry.page(now_s=NOW_S, failing=[clamped]).decode()
    assert name not in telemetry.page(now_s=NOW_S).decode()


def test_a_share_that_is_not_known_is_not_exported():
    telemetry = Telemetry()
    telemetry.decided(publication(decision(predicted=np.array([0.99, math.nan]))), 0.1)
    found = [key for key in lines(telemetry) if key.startswith("llmd_autoscaler_attainment")]
    # one predicted; of the outcomes, none of the second class ended
    assert len(found) == 2


def test_a_model_that_is_no_longer_decided_has_no_numbers():
    telemetry = Telemetry(fresh_s=60.0)
    telemetry.decided(publication(), 0.1)
    found = lines(telemetry, NOW_S + 61.0)
    assert [key for key in found if "desired_instances" in key] == []


def test_a_load_that_nobody_saw_is_not_exported():
    telemetry, unseen = Telemetry(), Reason(ReasonCode.NOT_OBSERVED, "nobody answered")
    held = decision(decided(load=0.0, utilization=0.0, reasons=(unseen,)), reasons=(unseen,))
    telemetry.decided(publication(held), 0.1)
    assert [key for key in lines(telemetry) if key.startswith("llmd_autoscaler_load{")] == []


def test_steps_ticks_failures_and_writes_are_counted():
    telemetry = Telemetry()
    telemetry.tick_began()
    telemetry.step("observe", 0.02)
    telemetry.failed("decide", "no")
    telemetry.scrape_failed("timeout")
    telemetry.status_written()
    telemetry.ignored_cells(3)
    found = lines(telemetry)
    names = (
        "ticks_total",
        'tick_step_seconds_count{step="observe"}',
        'tick_failures_total{step="decide"}',
        'scrape_failures_total{reason="timeout"}',
        "status_writes_total",
        "ignored_cells",
    )
    assert [found[f"llmd_autoscaler_{name}"] for name in names] == ["1.0"] * 5 + ["3.0"]


def test_a_decision_is_one_line_of_json(told):
    Telemetry().decided(publication(), 0.12345)
    (line,) = told()
    assert line == {
        "event": "tick_decided",
        "level": "info",
        "at_s": 12.346,
        "namespace": "llm",
        "model": "m",
        "decision_id": "1-1",
        "source": "router",
        "qps": 7.512,
        "mix": {"a100": 4},
        "ready": {"a100": 3},
        "load": {"a100": 3.213},
        "cost_usd_per_hour": 56.0,
        "reasons": [
            "DemandMet: 4 x a100 carries 9.88 req/s",
            "DemandUp: 5.3 req/s is load 3.21: 3 → 4",
        ],
        "took_s": 0.1235,
    }


def test_what_a_person_may_act_on_is_a_warning(told):
    lack = (Reason(ReasonCode.INFEASIBLE, "1 req/s too many"),)
    Telemetry().decided(publication(decision(reasons=lack)), 0.1)
    assert [line["level"] for line in told()] == ["warning"]


def test_a_failure_is_an_error_with_its_step(told):
    Telemetry().failed("publish", "the API server said no")
    assert [(e["level"], e["step"], e["detail"]) for e in told()] == [
        ("error", "publish", "the API server said no")
    ]
