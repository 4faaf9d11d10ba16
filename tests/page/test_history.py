"""Six hours in a bounded space."""

from llmd_autoscaler.page.history import History


def test_a_history_has_null_where_nothing_was_known() -> None:
    history = History(n_kept=10)
    history.append(15.0, {"m": {"a": 1.0}})
    history.append(30.0, {"m": {"a": float("nan"), "b": 2.5}})
    assert history.since("m") == {"t": [15.0, 30.0], "series": {"a": [1, None], "b": [None, 2.5]}}


def test_only_what_is_newer_is_told() -> None:
    history = History(n_kept=10)
    for at_s in (15.0, 30.0, 45.0):
        history.append(at_s, {"m": {"a": at_s}})
    assert history.since("m", 30.0) == {"t": [45.0], "series": {"a": [45]}}
    assert history.since("m", 45.0)["t"] == []


def test_the_oldest_moment_is_forgotten_and_the_order_is_kept() -> None:
    history = History(n_kept=4)
    for i in range(1, 24):
        history.append(float(i), {"m": {"a": float(i)}})
    assert history.since("m") == {"t": [20.0, 21.0, 22.0, 23.0], "series": {"a": [20, 21, 22, 23]}}


def test_a_model_that_comes_later_has_nothing_before() -> None:
    history = History(n_kept=4)
    history.append(1.0, {"old": {"a": 1.0}})
    history.append(2.0, {"old": {"a": 2.0}, "new": {"a": 7.0}})
    assert history.since("new") == {"t": [1.0, 2.0], "series": {"a": [None, 7]}}


def test_a_clock_that_steps_back_adds_no_moment() -> None:
    history = History(n_kept=4)
    history.append(10.0, {"m": {"a": 1.0}})
    history.append(5.0, {"m": {"a": 2.0}})
    assert history.since("m")["t"] == [10.0]


def test_a_model_that_is_gone_takes_no_space() -> None:
    history = History(n_kept=4)
    history.append(1.0, {"m": {"a": 1.0}, "n": {"a": 1.0}})
    history.keep_only({"n"})
    assert history.since("m")["series"] == {}


def test_numbers_have_four_digits() -> None:
    history = History(n_kept=4)
    history.append(1.0, {"m": {"a": 0.123456, "b": 1234.56}})
    assert history.since("m")["series"] == {"a": [0.1235], "b": [1235]}
