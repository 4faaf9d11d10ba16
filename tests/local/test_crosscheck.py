"""The router's counts beside the load generator's."""

import numpy as np
import pytest

from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.crosscheck import differences
from llmd_autoscaler.router.count import Counts

CLASSES = tuple(each.qos for each in load_config().classes)
INF = float("inf")
# two interactive requests, one of them attained; one relaxed, attained
ANSWERS = Answers(
    at_s=np.zeros(3),
    class_of=np.array([0, 0, 1]),
    isl=np.full(3, 100),
    osl=np.full(3, 2),
    first_s=np.array([0.5, INF, 0.5]),
    last_s=np.array([0.55, INF, 0.6]),
)


@pytest.fixture
def counts():
    """A router that saw the same."""
    same = Counts(started_at_s=0.0)
    for name, missed in (("interactive", ""), ("interactive", "failed"), ("relaxed", "")):
        same.arrived("m", name, isl=100, at_s=0.0)
        same.ended("m", name, missed=missed)
    return same


def compared(counts):
    return differences(counts.page([]).encode(), "m", CLASSES, ANSWERS)


def test_where_both_agree_nothing_is_said(counts):
    assert compared(counts) == ()


def test_requests_of_another_model_are_not_counted(counts):
    counts.arrived("other", "relaxed", isl=100, at_s=0.0)
    assert compared(counts) == ()


def test_a_request_that_one_side_has_not_seen_is_said(counts):
    counts.arrived("m", "relaxed", isl=5000, at_s=0.0)
    assert compared(counts) == ("relaxed: 2 arrived by its count, 1 by the load generator's",)


def test_another_verdict_is_said(counts):
    counts.ended("m", "interactive", missed="")
    assert compared(counts) == ("interactive: 2 attained by its count, 1 by the load generator's",)


def test_a_page_that_is_none_is_said():
    (sentence,) = differences(b"", "m", CLASSES, ANSWERS)
    assert sentence.startswith("its counts could not be read")
