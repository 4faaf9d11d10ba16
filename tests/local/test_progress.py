"""The line about a run."""

import io

import pytest

from llmd_autoscaler.local.progress import Screen


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """Neither the width nor the language of whoever runs the tests."""
    for name in ("COLUMNS", "LANG", "LC_ALL", "LC_CTYPE", "TERM"):
        monkeypatch.delenv(name, raising=False)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_on_a_terminal_the_next_line_takes_the_place_of_the_last():
    screen = Screen(Terminal())
    screen.show("one")
    screen.show("two")
    assert screen.stream.getvalue() == "one\r\x1b[2Ktwo"


def test_on_a_terminal_what_is_said_does_not_follow_on_a_line_that_was_shown():
    screen = Screen(Terminal())
    screen.show("one")
    screen.say("table")
    screen.say("more")
    assert screen.stream.getvalue() == "one\r\x1b[2Ktable\nmore\n"


def test_elsewhere_every_line_stays():
    screen = Screen(io.StringIO())
    screen.show("one")
    screen.show("two")
    assert screen.stream.getvalue() == "one\ntwo\n"


def sized(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    return Screen(Terminal())


def test_a_line_that_does_not_fit_is_cut_for_only_its_last_row_could_be_taken_back(monkeypatch):
    screen = sized(monkeypatch, 10)
    screen.show("0123456789")
    # nine, for some terminals go on to the next row after the tenth
    assert screen.stream.getvalue() == "01234567…"


def test_a_line_that_just_fits_is_not_cut(monkeypatch):
    screen = sized(monkeypatch, 11)
    screen.show("0123456789")
    assert screen.stream.getvalue() == "0123456789"


@pytest.mark.parametrize("columns", range(1, 6))
def test_a_terminal_of_a_few_columns_still_gets_a_line_that_fits(monkeypatch, columns):
    monkeypatch.setenv("LC_ALL", "C")
    screen = sized(monkeypatch, columns)
    screen.show("0123456789")
    assert len(screen.stream.getvalue()) < columns


def test_a_terminal_that_cannot_go_back_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen(Terminal())
    screen.show("one")
    screen.show("two")
    assert screen.stream.getvalue() == "one\ntwo\n"


def test_a_file_has_no_width():
    assert Screen(io.StringIO()).columns is None


@pytest.mark.parametrize("given", ["", "0", "wide"])
def test_a_terminal_that_does_not_say_its_width_has_the_usual_one(monkeypatch, given):
    assert sized(monkeypatch, given).columns == 80


class Latin(io.StringIO):
    """A stream that has no arrows."""

    encoding = "iso-8859-1"


def test_a_sign_that_the_stream_cannot_carry_is_spelled_or_marked():
    screen = Screen(Latin())
    screen.say("3 → 4 · é ☃")
    assert screen.stream.getvalue() == "3 -> 4 - é ?\n"


@pytest.mark.parametrize(
    ("environment", "is_plain"),
    [
        ({"LANG": "C"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # as Python leaves it
        ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, True),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, False),
        ({}, False),
    ],
)
def test_the_plain_locale_gets_plain_signs(monkeypatch, environment, is_plain):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    screen = Screen(io.StringIO())
    screen.say("→")
    assert screen.stream.getvalue() == ("->\n" if is_plain else "→\n")
