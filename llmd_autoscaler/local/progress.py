"""One line about a run under way: rewritten in place on a terminal, every few seconds elsewhere."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

_TERMINAL_EVERY_WALL_S = 0.5
_LINE_EVERY_WALL_S = 5.0
_CLEAR = "\r\x1b[2K"


@dataclass(slots=True)
class Screen:
    """Where people read."""

    stream: TextIO
    _is_line_open: bool = False

    def say(self, text: str) -> None:
        """A text that stays."""
        self._write(f"{text}\n", is_open=False)

    def show(self, text: str) -> None:
        """A line that the next one replaces, where that can be done."""
        if self.stream.isatty():
            self._write(text, is_open=True)
        else:
            self.say(text)

    async def follow(self, line: Callable[[], str]) -> None:
        """Show a line again and again, until cancelled."""
        every_s = _TERMINAL_EVERY_WALL_S if self.stream.isatty() else _LINE_EVERY_WALL_S
        while True:
            await asyncio.sleep(every_s)
            self.show(line())

    def _write(self, text: str, *, is_open: bool) -> None:
        self.stream.write((_CLEAR if self._is_line_open else "") + text)
        self.stream.flush()
        self._is_line_open = is_open
