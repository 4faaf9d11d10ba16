"""`llmd-autoscaler page` as a process."""

import asyncio
import os
import re
import signal
import socket
import sys

import aiohttp
import pytest

from llmd_autoscaler.cli.command_line import run
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_a_port_in_use_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["page", "--api", "http://127.0.0.1:1", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"llmd-autoscaler: the page cannot listen on 127.0.0.1:{port} (Address already in use): give another --port or --host\n"
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--controler", "x"], "unrecognized arguments: --controler x"),
        (["--router", "10.0.0.7:8080"], "argument --router: '10.0.0.7:8080' is no address: write one such as http://127.0.0.1:8090"),
        (["--port", "x"], "argument --port: 'x' is no port: write 0 to 65535"),
    ],
)  # fmt: skip
def test_a_wrong_flag_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], flags: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["page", *flags])
    assert caught.value.code == 2
    assert (
        capsys.readouterr().err
        == f"llmd-autoscaler page: {sentence}; see llmd-autoscaler page --help\n"
    )


@pytest.mark.parametrize(
    ("written", "why"),
    [(None, "no such file or directory"), ("{", "no JSON"), ("[1]", "not an object")],
)
def test_bounds_that_cannot_be_read_are_a_sentence(capsys, tmp_path, written, why) -> None:
    path = tmp_path / "bounds.json"
    if written is not None:
        path.write_text(written)
    assert run(["page", "--api", "http://127.0.0.1:1", "--bounds", str(path)]) == 2
    assert re.fullmatch(
        f"llmd-autoscaler: --bounds {re.escape(str(path))}: {why}.*; name the file that a local run wrote\n",
        capsys.readouterr().err,
    )


@pytest.mark.slow
async def test_the_command_serves_and_stops_at_sigterm_with_a_reader_on_its_stream() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with serving(Store(Clock())) as api, aiohttp.ClientSession(trust_env=False) as session:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "llmd_autoscaler", "page", "--api", api, "--port", str(port),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                while True:
                    try:
                        async with session.get(f"{url}/readyz"):
                            break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.05)
            async with session.get(f"{url}/events") as stream:
                assert await stream.content.readline() == b"retry: 2000\n"
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 20) == 0
        finally:
            if process.returncode is None:
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()
        assert process.stdout is not None
        assert await process.stdout.read() == b""
