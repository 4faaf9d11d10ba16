"""What became of the requests."""

import math

import numpy as np

from llmd_autoscaler.core.realised import WINDOW_S, OutcomeMemory, Outcomes


def outcomes(*rows: tuple[float, ...], started_at_s: float = 0.0) -> Outcomes:
    """(class, bound): attained, missed ttft, tpot, e2e, failed."""
    return Outcomes(started_at_s, np.array(rows))


def test_attainment_is_attained_over_ended_and_unknown_where_nothing_ended() -> None:
    found = outcomes((8.0, 1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0, 0.0)).attainment()
    assert found[0] == 0.8
    assert math.isnan(found[1])


def test_the_worst_bound_is_the_one_missed_most() -> None:
    found = outcomes((8.0, 1.0, 3.0, 0.0, 2.0), (5.0, 0.0, 0.0, 0.0, 0.0))
    assert found.worst() == ("tpot", "")


def test_the_first_reading_only_sets_the_zero() -> None:
    memory = OutcomeMemory({}).observe({"r": outcomes((100.0, 0.0, 0.0, 0.0, 0.0))}, now_s=0.0)
    assert memory.window() is None


def test_only_what_came_since_counts() -> None:
    memory = OutcomeMemory({})
    for now_s, n in ((0.0, 100.0), (15.0, 103.0)):
        memory = memory.observe({"r": outcomes((n, 0.0, 0.0, 0.0, n))}, now_s=now_s)
    window = memory.window()
    assert window is not None
    assert window.counts.tolist() == [[3.0, 0.0, 0.0, 0.0, 3.0]]


def test_a_restarted_router_counts_from_zero() -> None:
    memory = OutcomeMemory({}).observe({"r": outcomes((100.0, 9.0, 0.0, 0.0, 0.0))}, now_s=0.0)
    memory = memory.observe({"r": outcomes((4.0, 1.0, 0.0, 0.0, 0.0))}, now_s=15.0)
    memory = memory.observe(
        {"r": outcomes((200.0, 50.0, 0.0, 0.0, 0.0), started_at_s=20.0)}, now_s=30.0
    )
    window = memory.window()
    assert window is not None
    assert window.counts[0, :2].tolist() == [204.0, 51.0]


def test_a_router_that_appears_later_counts_in_full() -> None:
    memory = OutcomeMemory({}).observe({"r": outcomes((1.0, 0.0, 0.0, 0.0, 0.0))}, now_s=0.0)
    both = {"r": outcomes((2.0, 0.0, 0.0, 0.0, 0.0)), "s": outcomes((5.0, 0.0, 0.0, 0.0, 0.0))}
    window = memory.observe(both, now_s=15.0).window()
    assert window is not None
    assert window.counts[0, 0] == 6.0


def test_what_ended_more_than_an_hour_ago_is_forgotten() -> None:
    memory = OutcomeMemory({})
    for i in range(7):
        row = (10.0 * i, 0.0, 0.0, 0.0, 0.0)
        memory = memory.observe({"r": outcomes(row)}, now_s=i * WINDOW_S / 4)
    window = memory.window()
    assert window is not None
    # five readings span the hour
    assert (window.started_at_s, window.counts[0, 0]) == (WINDOW_S / 2, 40.0)


def test_nobody_asked_changes_nothing() -> None:
    memory = OutcomeMemory({})
    assert memory.observe({}, now_s=5.0) is memory
