"""What a controller that starts again takes from a stored status."""

import pytest

from llmd_autoscaler.translate.stored import (
    is_later,
    stored_desired,
    stored_epoch,
    stored_history,
    stored_number,
    stored_ready_by_s,
)

ENTRY = {"at": "2026-11-24T09:29:00Z", "from": 3, "to": 4, "code": "DemandUp"}


def test_the_epoch_is_that_of_the_decision():
    assert stored_epoch({"decisionID": "7-1482"}) == 7


def test_an_epoch_above_which_there_is_no_other_is_nobodys():
    assert stored_epoch({"decisionID": f"{10**18 - 2}-1"}) == 10**18 - 2
    assert stored_epoch({"decisionID": f"{10**18 - 1}-1"}) == 0


@pytest.mark.parametrize("status", [{}, {"decisionID": "seven"}, {"decisionID": 7}])
def test_a_status_without_a_decision_is_of_no_epoch(status):
    assert stored_epoch(status) == 0


@pytest.mark.parametrize("desired", [None, "4", True, -1, 4.5])
def test_a_number_that_is_no_count_was_never_decided(desired):
    assert stored_desired({"desiredReplicas": desired}) == 0


def test_a_later_decision_is_told_by_epoch_then_counter():
    assert is_later({"decisionID": "7-10"}, {"decisionID": "7-9"})
    assert is_later({"decisionID": "8-1"}, {"decisionID": "7-9"})
    assert not is_later({"decisionID": "7-9"}, {"decisionID": "7-9"})


def test_a_broken_entry_of_the_history_costs_itself_only():
    changes = stored_history({"history": [{"at": "?"}, "x", ENTRY]})
    assert [(c.before, c.after, c.code) for c in changes] == [(3, 4, "DemandUp")]


def test_ten_changes_are_remembered():
    listed = [{**ENTRY, "from": n, "to": n + 1} for n in range(1, 13)]
    assert [c.before for c in stored_history({"history": listed})] == list(range(3, 13))


def test_a_readiness_that_was_announced_is_found_by_group():
    status = {"groups": [{"name": "mixed", "readyBy": "2026-11-24T09:30:00Z"}]}
    assert stored_ready_by_s(status, "mixed") == 1795512600.0
    assert stored_ready_by_s(status, "decode") is None


@pytest.mark.parametrize(
    ("status", "number"),
    [({}, None), ({"desiredReplicas": 0}, 0), ({"desiredReplicas": 3}, 3), ({"desiredReplicas": False}, None), ({"desiredReplicas": -1}, None)],
    ids=["nothing", "asleep", "three", "no number", "below 0"],
)  # fmt: skip
def test_a_model_that_was_put_to_sleep_is_told_from_one_without_a_decision(status, number):
    assert stored_number(status) == number
