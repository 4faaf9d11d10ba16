"""Processes of a run: real children on loopback."""

import asyncio
import contextlib
import os
import signal

import aiohttp
import pytest

from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.local.ports import next_free_port
from llmd_autoscaler.local.processes import Children, Program, last_lines

HOST = "127.0.0.1"
# answers every GET with its own process id
SERVE = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
pytestmark = pytest.mark.slow


def program(name="server", code=SERVE, **options):
    port = next_free_port(HOST, 21000)
    return Program(name, ("-c", code, str(port)), f"http://{HOST}:{port}/", **options)


async def process_id(url, but=0):
    """Who answers there now; waits until somebody does."""
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if (found := int(await response.text())) != but:
                        return found
            await asyncio.sleep(0.02)


def is_alive(number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, 0)
        return True
    return False


async def test_a_started_process_answers_and_is_gone_afterwards(tmp_path):
    server = program()
    async with Children(tmp_path) as children:
        await children.start(server)
        number = await process_id(server.ready_url)
        assert (tmp_path / "server.pid").read_text() == f"{number}\n"
    assert not is_alive(number)


async def test_a_process_that_dies_is_started_again(tmp_path):
    server = program()
    async with Children(tmp_path) as children:
        await children.start(server)
        first = await process_id(server.ready_url)
        os.kill(first, signal.SIGKILL)
        second = await process_id(server.ready_url, but=first)
        assert (tmp_path / "server.pid").read_text() == f"{second}\n"
    assert not is_alive(second)


async def test_one_that_cannot_be_replaced_ends_the_run(tmp_path):
    server = program(restarts=False)
    async with Children(tmp_path) as children:
        await children.start(server)
        os.kill(await process_id(server.ready_url), signal.SIGKILL)
        with pytest.raises(ObservationError, match="server ended by signal 9"):
            await children.until_one_fails()


async def test_a_process_that_refuses_its_flags_passes_its_sentence_on(tmp_path):
    code = "import sys; sys.exit(print('tool: write 1', file=sys.stderr) or 2)"
    async with Children(tmp_path) as children:
        with pytest.raises(ConfigError, match=r"^tool: write 1$"):
            await children.start(program(code=code))


async def test_a_process_that_dies_at_its_start_shows_its_last_words(tmp_path):
    async with Children(tmp_path) as children:
        with pytest.raises(ObservationError, match=r"ended with code 1; it last said: .*no luck"):
            await children.start(program(code="raise SystemExit('no luck')"))


async def test_a_process_deaf_to_sigterm_does_not_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("llmd_autoscaler.local.processes._STOP_WALL_S", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
    server = program(code=deaf)
    async with Children(tmp_path) as children:
        await children.start(server)
        number = await process_id(server.ready_url)
    assert not is_alive(number)


def test_the_end_of_a_log_is_one_line(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("one\n\ntwo\nthree\n")
    assert last_lines(log, 2) == "two | three"
