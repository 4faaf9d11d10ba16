"""Conditions keep the time of their last change, and nothing else of what was."""

import pytest

from llmd_autoscaler.translate.condition import (
    FALSE,
    TRUE,
    Finding,
    conditions,
    failing,
    rfc3339_seconds,
    unix_s,
    with_findings,
)

# 2026-11-24T09:30:00Z and an hour later
FIRST_S, LATER_S = 1795512600.0, 1795516200.0
RESOLVED = Finding("TargetResolved", TRUE, "Resolved", "3 ready")
STORED = {"desiredReplicas": 3, "conditions": [c.to_wire() for c in conditions([RESOLVED], {}, at_s=FIRST_S)]}  # fmt: skip


def times(findings, stored):
    return [c.last_transition_time_s for c in conditions(findings, stored, at_s=LATER_S)]


def test_a_condition_that_still_holds_keeps_its_time_whatever_it_says():
    said_otherwise = Finding("TargetResolved", TRUE, "Resolved", "4 ready")
    assert times([said_otherwise], STORED) == [FIRST_S]


def test_a_condition_that_changed_has_the_time_of_now():
    assert times([Finding("TargetResolved", FALSE, "NotFound", "gone")], STORED) == [LATER_S]


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"conditions": "none"},
        {"conditions": ["none"]},
        {"conditions": [{"type": "TargetResolved", "status": "True"}]},
        {
            "conditions": [
                {"type": "TargetResolved", "status": "True", "lastTransitionTime": "soon"}
            ]
        },
    ],
    ids=["nothing", "no list", "no object", "no time", "no such time"],
)
def test_a_stored_condition_that_cannot_be_read_counts_as_changed_now(stored):
    assert times([RESOLVED], stored) == [LATER_S]


def test_what_was_decided_stands_beside_a_new_finding():
    refused = Finding("ProfileTrusted", FALSE, "ProfileDoesNotFit", "another model")
    status = with_findings(STORED, [refused], at_s=LATER_S)
    assert status["desiredReplicas"] == 3
    assert [c["type"] for c in status["conditions"]] == ["ProfileTrusted", "TargetResolved"]


def test_the_same_finding_again_changes_nothing():
    assert with_findings(STORED, [RESOLVED], at_s=LATER_S) == STORED


def test_moments_are_written_in_whole_seconds_and_read_back():
    assert unix_s(rfc3339_seconds(FIRST_S + 0.9)) == FIRST_S
    assert unix_s("yesterday") is None


def test_a_conflict_fails_when_it_is_true_and_all_else_when_it_is_false():
    said = [
        {"type": "Conflict", "status": "True", "reason": "SecondServiceLevel"},
        {"type": "TargetResolved", "status": "True", "reason": "Resolved"},
        {"type": "HPAHealthy", "status": "False", "reason": "Clamped"},
        {"type": "MetricsAvailable", "status": "Unknown", "reason": "NoReadyPods"},
        "none",
    ]
    assert list(failing({"conditions": said})) == [
        ("Conflict", "SecondServiceLevel"),
        ("HPAHealthy", "Clamped"),
    ]
    assert list(failing({})) == []
