"""The process behind a pod: its command line, its start, its last words, its end."""

import asyncio
import contextlib
import os
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.kubeapi.objects import Json
from llmd_autoscaler.translate.json_object import items, text

_REFERENCE = re.compile(r"\$(\$)?\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_LINES_KEPT = 20
_STOP_S = 2.0  # wall seconds between SIGTERM and SIGKILL when the whole cluster stops
_LAST_WORDS_S = 0.5  # wall seconds to read what an ended process had written


class PodProcess:
    """A running child and the end of what it wrote to stderr."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._reader = asyncio.create_task(self._read())

    async def exited(self) -> str:
        """Wait for the end; returns it as a sentence."""
        code = await self._process.wait()
        await asyncio.wait({self._reader}, timeout=_LAST_WORDS_S)
        last = self._said[-1] if self._said else "it wrote nothing to stderr"
        return f"the process ended with code {code}: {last}"

    def terminate(self) -> None:
        """SIGTERM: drain and end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """End it now, politely for a moment."""
        if self._process.returncode is None:
            self.terminate()
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self.kill()
                await self._process.wait()
        # a grandchild may hold the pipe open for ever
        await asyncio.wait({self._reader}, timeout=_LAST_WORDS_S)
        self._reader.cancel()

    async def _read(self) -> None:
        stream = self._process.stderr
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the buffer: not worth keeping
                continue
            if not line:
                return
            if said := line.decode(errors="replace").strip():
                self._said.append(said)


@contextlib.asynccontextmanager
async def started(command: list[str], environment: Mapping[str, str]) -> AsyncIterator[PodProcess]:
    """A child in our own process group, ended when the context is left.

    Raises: ConfigError: the command cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env={**os.environ, **environment}
        )
    except OSError as error:
        raise ConfigError(f"cannot start {command[0]!r}: {error.strerror}") from error
    running = PodProcess(process)
    try:
        yield running
    finally:
        await running.stop()


def environment_of(pod: Json, address: str) -> dict[str, str]:
    """The variables of the pod's container; POD_IP and POD_NAME are always there."""
    fields = {
        "status.podIP": address,
        "metadata.name": text(pod, "metadata", "name"),
        "metadata.namespace": text(pod, "metadata", "namespace"),
    }
    found = {"POD_IP": fields["status.podIP"], "POD_NAME": fields["metadata.name"]}
    for entry in items(_container(pod), "env"):
        path = text(entry, "valueFrom", "fieldRef", "fieldPath")
        found[text(entry, "name")] = fields.get(path, "") if path else text(entry, "value")
    return found


def command_of(pod: Json, environment: Mapping[str, str]) -> list[str]:
    """The command line of the pod's container, `$(NAME)` replaced as Kubernetes does.

    Raises: ConfigError: the container names no command.
    """
    container = _container(pod)
    parts: list[str] = []
    for field in ("command", "args"):
        listed = container.get(field)
        parts += [str(part) for part in listed] if isinstance(listed, list) else []
    if not container.get("command"):
        raise ConfigError(
            f"pod {text(pod, 'metadata', 'name')}: its container has no command; the simulator has no images, write one"
        )
    return [_REFERENCE.sub(lambda found: _resolved(found, environment), part) for part in parts]


def _resolved(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found[1]:  # $$(NAME) stands for $(NAME)
        return found[0][1:]
    return environment.get(found[2], found[0])


def _container(pod: Json) -> Json:
    return next(items(pod, "spec", "containers"), {})
