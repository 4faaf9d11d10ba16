"""What the API server said over a run."""

import json

import pytest

from llmd_autoscaler.core.score import ScalingEvent
from llmd_autoscaler.local.history import History


@pytest.fixture
def history(tmp_path):
    """Nothing seen yet."""
    return History("app", tmp_path / "statuses.jsonl")


def pods(*uids, is_ready=True):
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T09:00:00Z"}
    status = {"conditions": [condition] if is_ready else []}
    return {
        ("llm", uid): {"metadata": {"uid": uid, "labels": {"app": "a"}}, "status": status}
        for uid in uids
    }


def variant(desired, decision_id="1-1"):
    status = {"desiredReplicas": desired, "decisionID": decision_id}
    return {("llm", "v"): {"metadata": {"name": "v"}, "status": status}}


def test_a_pod_is_paid_for_from_the_moment_it_is_there_until_it_is_gone(history):
    history.see_pods(pods("p1"), 10.0)
    history.see_pods(pods("p1", "p2"), 20.0)
    history.see_pods(pods("p2"), 50.0)
    history.see_pods(pods("p2"), 60.0)
    assert history.spans("a", 4) == [(10.0, 50.0, 4), (20.0, float("inf"), 4)]


def test_pods_of_another_deployment_are_not_ours(history):
    history.see_pods(pods("p1"), 10.0)
    assert history.spans("b", 4) == []


def test_a_pod_that_starts_or_ends_is_not_ready(history):
    ending = pods("p3")
    ending["llm", "p3"]["metadata"]["deletionTimestamp"] = "2026-11-24T09:00:00Z"
    history.see_pods(pods("p1") | pods("p2", is_ready=False) | ending, 10.0)
    assert history.n_ready == 1


def test_the_first_number_is_no_change(history):
    history.see_variants(variant(5), 1.0)
    assert history.events == {}
    assert history.desired == {"v": 5}


def test_a_changed_number_is_an_event(history):
    for at_s, number in ((1.0, 5), (2.0, 5), (3.0, 7), (4.0, 6)):
        history.see_variants(variant(number), at_s)
    assert history.events == {"v": [ScalingEvent(3.0, 5, 7), ScalingEvent(4.0, 7, 6)]}


def test_a_status_without_a_decision_is_none(history):
    history.see_variants({("llm", "v"): {"metadata": {"name": "v"}, "status": {}}}, 1.0)
    assert history.first_decision_s is None


def test_the_first_decision_stays_the_first(history):
    history.see_variants(variant(5), 3.0)
    history.see_variants(variant(6), 4.0)
    assert history.first_decision_s == 3.0


def test_a_status_is_written_once_however_often_it_is_seen(history):
    for at_s in (1.0, 2.0):
        history.see_variants(variant(5), at_s)
    history.see_variants(variant(6), 3.0)
    lines = [json.loads(line) for line in history.journal.read_text().splitlines()]
    assert [(line["at_s"], line["status"]["desiredReplicas"]) for line in lines] == [
        (1.0, 5),
        (3.0, 6),
    ]
