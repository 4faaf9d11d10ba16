"""What a run prints on terminals of several widths and languages, and where there is none."""

import contextlib
import fcntl
import functools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]
_RUN = ("local", "--virtual", "--until", "20", "--seed", "1")
_READ_BYTES = 65536
# A colour or another attribute of characters; a line that is taken back is none.
_ATTRIBUTE = re.compile(r"\x1b\[[0-9;]*m")
_CLEAR = "\r\x1b[2K"

pytestmark = pytest.mark.slow


def environment(**changes):
    """Ours without what says how wide, how coloured and in which language."""
    told = {
        "COLUMNS",
        "LINES",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "NO_COLOR",
        "TERM",
        "PYTHONIOENCODING",
    }
    return {name: value for name, value in os.environ.items() if name not in told} | changes


@functools.cache
def on_terminal(columns, *arguments, **changes):
    """What a command wrote on a terminal of so many columns, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "llmd_autoscaler", *arguments],
        cwd=_CHECKOUT,
        env=environment(TERM="xterm") | changes,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    # when the last who holds the other end is gone, reading fails
    with contextlib.suppress(OSError):
        while got := os.read(ours, _READ_BYTES):
            said += got
    os.close(ours)
    return said.decode().replace("\r\n", "\n"), process.wait()


@functools.cache
def in_file(*arguments, **changes):
    """What a command wrote where no terminal is."""
    done = subprocess.run(
        [sys.executable, "-m", "llmd_autoscaler", *arguments],
        cwd=_CHECKOUT,
        env=environment(**changes),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_narrow_terminal_nothing_of_progress_or_table_runs_over(columns):
    said, code = on_terminal(columns, *_RUN, LANG="C.UTF-8", NO_COLOR="1")
    progress, table = said.rsplit(_CLEAR, 1)
    shown = progress.rsplit("\n", 1)[-1].split(_CLEAR)
    assert code == 0
    assert max(map(len, shown)) < columns
    assert max(map(len, table.splitlines())) <= columns
    assert "attained" in table


def test_a_terminal_without_colour_gets_none():
    said, _ = on_terminal(80, *_RUN, LANG="C.UTF-8", NO_COLOR="1")
    assert not _ATTRIBUTE.search(said)


def test_a_terminal_of_another_language_gets_plain_signs_only():
    said, code = on_terminal(40, *_RUN, LANG="C")
    assert (code, said.isascii()) == (0, True)
    assert "..." in said


def test_a_terminal_that_understands_text_only_gets_lines():
    said, _ = on_terminal(80, *_RUN, TERM="dumb")
    assert "\x1b" not in said
    assert "\r" not in said


def test_a_file_gets_whole_lines_and_no_sign_of_a_terminal():
    said = in_file(*_RUN, LANG="C.UTF-8")
    assert "\x1b" not in said
    assert "\r" not in said
    assert said.endswith("\n")


def test_a_stream_that_carries_ascii_only_does_not_end_the_run():
    said = in_file(*_RUN, PYTHONIOENCODING="ascii")
    assert said.isascii()
    assert "GPU-hours" in said


@pytest.mark.parametrize("columns", [40, 80])
def test_an_error_is_one_sentence_on_a_narrow_terminal_too(columns):
    said, code = on_terminal(columns, "local", "--sped", "3")
    assert code == 2
    assert said.count("\n") == 1
