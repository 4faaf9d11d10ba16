"""The line about a run."""

import io

from llmd_autoscaler.local.progress import Screen


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
