"""The processes of a local run: started in order, ready when they answer, stopped in reverse, never left behind."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp

from llmd_autoscaler.errors import ConfigError, ObservationError

_GUARD = Path(__file__).with_name("guard.py")
_MISUSED = 2  # the exit code of a ConfigError
_READY_WALL_S = 60.0
_POLL_WALL_S = 0.05
_STOP_WALL_S = 10.0  # a router that drains, a cluster whose pods end
_PROBE = aiohttp.ClientTimeout(total=2.0)
_LINES_SHOWN = 5
_MOST_RESTARTS = 5
_RESTART_PAUSE_WALL_S = 0.5


@dataclass(frozen=True, slots=True)
class Program:
    """One process: what it runs, and where it says that it is ready."""

    name: str
    command: tuple[str, ...]  # behind the interpreter
    ready_url: str
    restarts: bool = True
    """Whether it is started again when it dies, as Kubernetes would; without it the run ends."""


@dataclass(slots=True)
class _Child:
    program: Program
    process: Process
    log: Path
    keeper: asyncio.Task[None] | None = None
    n_restarts: int = 0
    is_stopping: bool = False


@dataclass(slots=True)
class Children:
    """All processes of a run; leaving the context stops them."""

    folder: Path
    """Where each has its NAME.log and NAME.pid."""
    _children: list[_Child] = field(default_factory=list)
    _guard: Process | None = None
    _failed: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: str = ""

    async def __aenter__(self) -> Self:
        """Start the guard."""
        self._guard = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_GUARD),
            stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything, the last started first."""
        for child in reversed(self._children):
            await self._stop(child)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            await self._guard.wait()

    async def start(self, program: Program) -> None:
        """Start a process and wait until it is ready.

        Raises: ConfigError: it refuses its flags. ObservationError: it died, or is not ready in a minute.
        """
        log = self.folder / f"{program.name}.log"
        child = _Child(program, await self._spawn(program, log), log)
        self._children.append(child)
        try:
            async with (
                asyncio.timeout(_READY_WALL_S),
                aiohttp.ClientSession(timeout=_PROBE) as session,
            ):
                while not await _answers(session, program.ready_url):
                    if child.process.returncode is not None:
                        raise _death(child)
                    await asyncio.sleep(_POLL_WALL_S)
        except TimeoutError as error:
            raise ObservationError(
                f"{program.name} was not ready within {_READY_WALL_S:.0f} s; it last said: {last_lines(log)}"
            ) from error
        child.keeper = asyncio.create_task(self._keep(child))

    async def until_one_fails(self) -> None:
        """Wait for the end of a process that cannot be started again.

        Raises: ObservationError: always, then.
        """
        await self._failed.wait()
        raise ObservationError(self._failure)

    async def _spawn(self, program: Program, log: Path) -> Process:
        with log.open("ab") as output:
            # a group of its own: Ctrl-C in a terminal reaches us alone, and we stop the others in order
            process = await asyncio.create_subprocess_exec(
                sys.executable, *program.command,
                stdin=DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._tell_guard(f"+{process.pid}\n")
        log.with_suffix(".pid").write_text(f"{process.pid}\n")
        return process

    async def _keep(self, child: _Child) -> None:
        """Start a process again when it dies."""
        while True:
            await child.process.wait()
            self._tell_guard(f"-{child.process.pid}\n")
            if child.is_stopping:
                return
            if not child.program.restarts or child.n_restarts >= _MOST_RESTARTS:
                self._failure = str(_death(child))
                self._failed.set()
                return
            child.n_restarts += 1
            await asyncio.sleep(_RESTART_PAUSE_WALL_S)
            child.process = await self._spawn(child.program, child.log)

    async def _stop(self, child: _Child) -> None:
        child.is_stopping = True
        if child.keeper is not None and child.process.returncode is not None:
            child.keeper.cancel()  # between two lives
        _signal(child.process, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_WALL_S):
                await child.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            await child.process.wait()
        if child.keeper is not None:
            await asyncio.gather(child.keeper, return_exceptions=True)
        else:
            self._tell_guard(f"-{child.process.pid}\n")

    def _tell_guard(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(line.encode())


def last_lines(log: Path, n: int = _LINES_SHOWN) -> str:
    """The end of a log, as one line."""
    with log.open(errors="replace") as lines:
        said = deque((line.strip() for line in lines if line.strip()), maxlen=n)
    return " | ".join(said) or "(nothing)"


def _death(child: _Child) -> ConfigError | ObservationError:
    """The end of a process as an error; its own sentence where it has one for the operator."""
    code = child.process.returncode
    if code == _MISUSED:
        return ConfigError(last_lines(child.log, 1))
    how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
    return ObservationError(
        f"{child.program.name} ended {how}; it last said: {last_lines(child.log)}"
    )


def _signal(process: Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False
