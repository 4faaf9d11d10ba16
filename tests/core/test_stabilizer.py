"""Out at once, in after a window."""

from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.stabilizer import remember, stabilized
from llmd_autoscaler.core.world import Recommendation

WINDOW_S = 240.0
PAST = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=12)


def past(rows: list[tuple[int, int]]) -> tuple[Recommendation, ...]:
    """(ticks ago, number)"""
    return tuple(
        Recommendation(1000.0 - 15.0 * ago, {"a": m}) for ago, m in sorted(rows, reverse=True)
    )


def number(
    recommendations: tuple[Recommendation, ...],
    wanted: int,
    present: int,
    *,
    now_s: float = 1000.0,
    has_full_window: bool = True,
) -> tuple[tuple[Recommendation, ...], int]:
    known = remember(recommendations, {"a": wanted}, now_s=now_s, window_s=WINDOW_S)
    return known, stabilized(known, "a", present=present, has_full_window=has_full_window)


@given(PAST, st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_asked_twice_at_one_moment_it_says_the_same(
    rows: list[tuple[int, int]], wanted: int, present: int, has_full_window: bool
) -> None:
    known, first = number(past(rows), wanted, present, has_full_window=has_full_window)
    again, second = number(known, first, present=first, has_full_window=has_full_window)
    assert second == first
    assert len(again) == len(known)


@given(PAST, st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_what_is_wanted_now_is_never_undercut(
    rows: list[tuple[int, int]], wanted: int, present: int, has_full_window: bool
) -> None:
    assert number(past(rows), wanted, present, has_full_window=has_full_window)[1] >= wanted


@given(PAST, st.integers(0, 12), st.integers(0, 12))
def test_a_number_only_rises_because_it_is_wanted_now(
    rows: list[tuple[int, int]], wanted: int, present: int
) -> None:
    assert number(past(rows), wanted, present)[1] <= max(wanted, present)


@given(PAST, st.integers(0, 12), st.integers(0, 12))
def test_nothing_is_taken_away_before_a_full_window_was_seen(
    rows: list[tuple[int, int]], wanted: int, present: int
) -> None:
    assert number(past(rows), wanted, present, has_full_window=False)[1] >= present


def test_more_is_taken_at_once() -> None:
    assert number(past([(1, 3)]), wanted=7, present=3)[1] == 7


def test_fewer_are_taken_only_when_they_would_have_done_for_the_whole_window() -> None:
    # 8 were wanted at second 0, 5 from then on, every 15 s
    known: tuple[Recommendation, ...] = (Recommendation(0.0, {"a": 8}),)
    published = 8
    numbers = {}
    for tick in range(1, 20):
        known, published = number(known, 5, published, now_s=15.0 * tick)
        numbers[15.0 * tick] = published
    assert {m for at_s, m in numbers.items() if at_s < WINDOW_S} == {8}
    assert {m for at_s, m in numbers.items() if at_s >= WINDOW_S} == {5}


def test_the_highest_of_the_window_is_kept_not_the_present_one() -> None:
    # 6 were wanted within the window, 9 run
    assert number(past([(2, 6), (8, 4)]), wanted=3, present=9)[1] == 6


def test_a_target_that_was_not_there_before_has_no_past() -> None:
    known = (Recommendation(990.0, {"b": 9}),)
    assert number(known, wanted=2, present=4)[1] == 2


def test_a_past_from_after_a_clock_stepped_back_is_forgotten() -> None:
    assert [r.at_s for r in number(past([(0, 9)]), wanted=1, present=1, now_s=500.0)[0]] == [500.0]
