"""Every request arrives once and ends once."""

import math

import numpy as np
import pytest

from llmd_autoscaler.local.ledger import UNFINISHED, Ledger, Outcome, State
from llmd_autoscaler.simulator.replay import Replay

OUTCOME = Outcome(first_s=1.5, last_s=3.0, isl=11, osl=21)


@pytest.fixture
def ledger():
    """Three requests to come, a second apart."""
    return Ledger(
        Replay(
            at_s=np.array([0.0, 1.0, 2.0]),
            isl=np.array([10, 10, 10]),
            osl=np.array([20, 20, 20]),
            class_of=np.array([0, 1, 0]),
        )
    )


def test_a_request_cannot_arrive_twice(ledger):
    ledger.arrived(0, 0.0)
    with pytest.raises(ValueError, match="request 0 is OPEN and cannot become OPEN"):
        ledger.arrived(0, 0.0)


def test_a_request_cannot_be_answered_twice(ledger):
    ledger.arrived(0, 0.0)
    ledger.answered(0, OUTCOME)
    with pytest.raises(ValueError, match="request 0 is ANSWERED"):
        ledger.failed(0, "cut")


def test_a_request_that_never_arrived_cannot_end(ledger):
    with pytest.raises(ValueError, match="request 2 is TO_COME"):
        ledger.failed(2, "cut")


def test_what_has_not_arrived_is_not_scored(ledger):
    ledger.arrived(0, 0.0)
    assert len(ledger.answers().at_s) == 1


def test_what_is_open_counts_as_arrived_but_not_as_ended(ledger):
    ledger.arrived(0, 0.0)
    ledger.arrived(1, 1.0)
    ledger.answered(1, OUTCOME)
    assert len(ledger.answers().at_s) == 2
    assert ledger.answers(ended_only=True).class_of.tolist() == [1]


def test_what_is_open_at_the_end_is_a_named_failure(ledger):
    ledger.arrived(0, 0.0)
    ledger.close()
    assert ledger.failures == {UNFINISHED: 1}
    assert ledger.count(State.OPEN) == 0
    assert ledger.answers().last_s.tolist() == [math.inf]


def test_an_answer_is_scored_by_the_servers_count_of_tokens(ledger):
    ledger.arrived(0, 0.25)
    ledger.answered(0, OUTCOME)
    answers = ledger.answers()
    found = (answers.at_s[0], answers.first_s[0], answers.last_s[0], answers.isl[0], answers.osl[0])
    assert found == (0.25, 1.5, 3.0, 11, 21)


def test_reasons_stand_beside_the_answers(ledger):
    ledger.arrived(0, 0.0)
    ledger.arrived(2, 2.0)
    ledger.failed(2, "no_instance")
    assert ledger.reasons() == ["", "no_instance"]


def test_a_replay_is_complete_when_its_last_request_was_sent(ledger):
    for number in range(2):
        ledger.arrived(number, 0.0)
    assert not ledger.is_complete
    ledger.arrived(2, 2.0)
    assert ledger.is_complete


def test_the_times_of_an_answer_can_be_counted_from_the_start_of_a_run():
    assert OUTCOME.since(1.0) == Outcome(0.5, 2.0, 11, 21)
