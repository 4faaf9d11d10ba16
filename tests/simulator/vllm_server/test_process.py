"""The process of a simulated server: signals, its parent's death, a port that is taken."""

import asyncio
import contextlib
import os
import signal
import socket
import sys

import aiohttp
import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.vllm_server.process import serve

SERVE = """
import sys
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.simulator.vllm_server.process import serve
serve(
    profile=EngineProfile(
        step=StepModel(0.01, 0.0, 0.0, 0.0, 0.0), front_end=FrontEnd(), kv_tokens=100_000
    ),
    model="m",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    clock=Clock.starting_at(1000.0, 100.0),
    shutdown_timeout_s=float(sys.argv[2]),
)
"""
SPAWN_AND_DIE = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
sys.stdin.read()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def until_listening(port: int, *, wanted: bool = True) -> None:
    """Polls; the test's own timeout ends what never comes."""
    while await is_listening(port) is not wanted:  # noqa: ASYNC110 (another process has no event of ours)
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def server(port: int, shutdown_timeout_s: float):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(port), str(shutdown_timeout_s)
    )
    try:
        await until_listening(port)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_a_port_in_use_is_a_config_error_that_names_it(profile):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve(profile=profile, model="m", host="127.0.0.1", port=port, clock=Clock())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shutdown_timeout_s", "max_tokens", "reason"),
    [
        (
            600.0,
            10_000,
            b'"finish_reason":"length"',
        ),  # 10,000 tokens of 10 ms: 100 s of 600 allowed
        (0.0, 90_000, b'"finish_reason":"abort"'),
    ],
)
async def test_sigterm_drains_and_ends_the_process_without_an_error(
    shutdown_timeout_s, max_tokens, reason
):
    port = free_port()
    async with server(port, shutdown_timeout_s) as process, aiohttp.ClientSession() as client:
        response = await client.post(
            f"http://127.0.0.1:{port}/v1/completions",
            json={"prompt": "a", "max_tokens": max_tokens, "stream": True},
        )
        await response.content.readany()
        process.send_signal(signal.SIGTERM)
        rest = await response.read()
        code = await process.wait()

    assert rest.endswith(b"data: [DONE]\n\n")
    assert reason in rest
    assert code == 0


@pytest.mark.slow
async def test_a_server_whose_parent_was_killed_does_not_stay():
    port = free_port()
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SPAWN_AND_DIE, SERVE, str(port), "600", stdin=asyncio.subprocess.PIPE
    )
    try:
        await until_listening(port)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()

    await until_listening(port, wanted=False)
