"""Who comes back is sent what it missed, and nothing else."""

import json

from llmd_autoscaler.page.board import Board


def data(event: bytes):
    return json.loads(event.split(b"data: ")[1])


def test_an_unchanged_part_is_not_sent_again() -> None:
    board = Board("x")
    board.put("rows", {"a": {"n": 1}, "b": {"n": 1}})
    seen = board.version
    board.put("rows", {"a": {"n": 1}, "b": {"n": 2}})
    assert data(board.event(seen)) == {"rows": {"b": {"n": 2}}}


def test_nothing_new_keeps_the_version() -> None:
    board = Board("x")
    board.put("rows", {"a": {"n": 1}})
    seen = board.version
    board.put("rows", {"a": {"n": 1}})
    assert board.version == seen


def test_a_part_that_is_gone_is_null() -> None:
    board = Board("x")
    board.put("rows", {"a": 1, "b": 1})
    seen = board.version
    board.put("rows", {"b": 1})
    assert data(board.event(seen)) == {"rows": {"a": None}}
    board.put("rows", {"a": 1, "b": 1})
    assert data(board.event(seen)) == {"rows": {"a": 1}}


def test_a_version_of_another_process_says_nothing() -> None:
    board = Board("x")
    board.put("rows", {"a": 1})
    assert board.version_of("x.1") == 1
    assert board.version_of("y.1") is None
    assert board.version_of("x.2") is None  # of the future
    assert board.version_of("") is None


def test_who_was_away_for_too_long_is_told_everything() -> None:
    board = Board("x")
    board.put("rows", {str(i): 1 for i in range(1500)})
    seen = board.version
    for n in range(1, 1500):
        board.put("rows", {str(i): 1 for i in range(n, 1500)})
    assert board.version_of(f"x.{seen}") is None
    assert board.version_of(f"x.{board.version - 10}") == board.version - 10
