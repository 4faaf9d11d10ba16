"""Ends process groups when the process that started them is gone, however it went.

A script by itself, not part of the run: it reads `+GROUP` and `-GROUP` lines from a pipe, and the end of
the pipe means that nobody is left to stop the groups that are still on its list.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

_GRACE_S = 3.0  # wall


def watch(lines: Iterable[str]) -> set[int]:
    """The groups on the list when the pipe ends."""
    groups: set[int] = set()
    for line in lines:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    return groups


def end(groups: set[int]) -> None:
    """Ask all groups to end, and make them."""
    for number, pause_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, 0.0)):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        time.sleep(pause_s if groups else 0.0)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    end(watch(sys.stdin))
