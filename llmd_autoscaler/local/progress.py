"""One line about a run under way: rewritten in place on a terminal, every ten seconds elsewhere."""

import asyncio
import codecs
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

_TERMINAL_EVERY_WALL_S = 0.5
# A log is read afterwards: what a person would see twice a second there only buries the rest.
_LINE_EVERY_WALL_S = 10.0
_CLEAR = "\r\x1b[2K"
_USUAL_COLUMNS = 80
_SPELLED = {"·": "-", "→": "->", "×": "x", "…": "...", "≤": "<=", "≥": ">="}  # noqa: RUF001 (it is meant)


@dataclass(slots=True)
class Screen:
    """Where people read."""

    stream: TextIO
    _is_line_open: bool = False

    @property
    def columns(self) -> int | None:
        """Characters that fit in a line; None where lines have no end, as in a file."""
        if not self.stream.isatty():
            return None
        given = os.environ.get("COLUMNS", "")
        if given.isdecimal() and int(given):
            return int(given)
        try:
            # a terminal that was never told its size says 0
            return os.get_terminal_size(self.stream.fileno()).columns or _USUAL_COLUMNS
        except (OSError, ValueError):
            return _USUAL_COLUMNS

    def say(self, text: str) -> None:
        """A text that stays."""
        self._write(f"{self._readable(text)}\n", is_open=False)

    def show(self, text: str) -> None:
        """A line that the next one replaces, where that can be done."""
        if self._rewrites:
            self._write(self._in_one_line(self._readable(text)), is_open=True)
        else:
            self.say(text)

    async def follow(self, line: Callable[[], str]) -> None:
        """Show a line again and again, until cancelled."""
        every_s = _TERMINAL_EVERY_WALL_S if self._rewrites else _LINE_EVERY_WALL_S
        while True:
            await asyncio.sleep(every_s)
            self.show(line())

    @property
    def _rewrites(self) -> bool:
        """Whether a line can be taken back: not in a file, nor where nothing but text is understood."""
        return self.stream.isatty() and os.environ.get("TERM") != "dumb"

    def _in_one_line(self, text: str) -> str:
        """The text cut to the terminal: of a line that runs over only the last row could be taken back."""
        # one less: in the last column some terminals go on to the next row
        most = (self.columns or _USUAL_COLUMNS) - 1
        if len(text) <= most:
            return text
        mark = self._readable("…")
        return text[: max(0, most - len(mark))] + mark[:most]

    def _readable(self, text: str) -> str:
        """The text in what the stream and the locale can show: "->" for an arrow, "?" for what has no such form."""
        # a text in memory has no encoding
        encoding = "ascii" if _is_plain_locale() else self.stream.encoding or "utf-8"
        if codecs.lookup(encoding).name == "utf-8":
            return text
        for sign, spelled in _SPELLED.items():
            text = text.replace(sign, spelled)
        return text.encode(encoding, "replace").decode(encoding)

    def _write(self, text: str, *, is_open: bool) -> None:
        self.stream.write((_CLEAR if self._is_line_open else "") + text)
        self.stream.flush()
        self._is_line_open = is_open


def _is_plain_locale() -> bool:
    """Whether somebody asked for the locale of ASCII; Python writes UTF-8 there all the same."""
    given = os.environ.get
    # where LANG is C, Python itself sets LC_CTYPE to C.UTF-8 before it starts
    characters = given("LC_CTYPE", "").removeprefix("C.UTF-8")
    return (given("LC_ALL") or characters or given("LANG")) in {"C", "POSIX"}
