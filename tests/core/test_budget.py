import dataclasses

import numpy as np
import pytest

from llmd_autoscaler.core import budget
from llmd_autoscaler.core.realised import BOUNDS, Outcomes
from tests.core.worlds import INTERACTIVE, RELAXED

STRICT = dataclasses.replace(INTERACTIVE, percentile_frac=0.99)


def outcomes(*classes: tuple[int, int]) -> Outcomes:
    """(attained, missed) of each class."""
    counts = np.zeros((len(classes), len(BOUNDS)))
    for row, (attained, missed) in zip(counts, classes, strict=True):
        row[0], row[1] = attained, missed
    return Outcomes(0.0, counts)


def test_nothing_is_spent_while_nothing_was_missed() -> None:
    assert budget.spent_frac((STRICT,), outcomes((1000, 0))) == 0.0


def test_one_in_a_hundred_of_very_many_is_the_whole_budget_of_99_percent() -> None:
    # 100,000 requests may miss 1,000 times, and once more
    assert budget.spent_frac((STRICT,), outcomes((99_000, 1000))) == pytest.approx(1000 / 1001)


def test_one_miss_of_twenty_is_no_alarm() -> None:
    # twenty may miss 0.2 times, and once
    assert budget.spent_frac((STRICT,), outcomes((19, 1))) == pytest.approx(1 / 1.2)


def test_the_class_that_has_spent_most_counts() -> None:
    # the strict class spends 5 of 11, relaxed 60 of 51
    spent = budget.spent_frac((STRICT, RELAXED), outcomes((995, 5), (940, 60)))
    assert spent == pytest.approx(60 / 51)


def test_where_nobody_counts_nothing_is_known() -> None:
    assert budget.spent_frac((STRICT,), None) is None


@pytest.mark.parametrize(
    ("spent", "wanted"),
    [(0.0, 0.0), (0.8, 0.0), (0.9, 0.5), (1.0, 1.0), (7.0, 1.0), (None, 0.5)],
)
def test_the_urgency_rises_over_the_last_fifth_of_the_budget(
    spent: float | None, wanted: float
) -> None:
    assert budget.urgency(spent) == pytest.approx(wanted)
