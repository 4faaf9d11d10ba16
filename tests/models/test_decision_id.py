"""Names of decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision_id import DecisionId


def test_epoch_and_counter_are_read():
    assert DecisionId.parse("7-1482") == DecisionId(epoch=7, counter=1482)


def test_a_later_leader_is_later_whatever_its_counter():
    assert DecisionId(epoch=8, counter=0) > DecisionId(epoch=7, counter=1482)


@pytest.mark.parametrize(
    "text", ["", "7", "7-", "-7-1", "7-1-2", "07-1", "7-x", " 7-1", "7-1\n", "9" * 30 + "-1"]
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match='write leader epoch and counter, such as "7-1482"'):
        DecisionId.parse(text)


@given(st.integers(0, 10**17), st.integers(0, 10**17))
def test_parsing_undoes_writing(epoch, counter):
    each = DecisionId(epoch=epoch, counter=counter)
    assert DecisionId.parse(each.text()) == each
