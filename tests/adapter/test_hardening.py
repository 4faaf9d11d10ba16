"""Clients that no HPA is: too large, too slow, too many, or no HTTP at all."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

import adapter.acceptor
import adapter.handlers
from adapter.acceptor import Acceptor
from adapter.connection import LONGEST_LINE, Connection
from adapter.process import Options, serving
from adapter.store import Store
from adapter.telemetry import Telemetry
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.listening import bound_socket
from tests.adapter.api_server import ApiServer
from tests.adapter.conftest import G2, VA, World, status

PATH = f"{G2}/namespaces/llm/{VA}/a/desired_replicas"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """An adapter in plain HTTP, with the connections of the real one."""
    async with (
        ApiServer(None).serving() as api,
        serving(Options(clock=Clock(), api=api, port=0)) as running,
    ):
        yield running.address[1]


async def sent(port: int, written: bytes) -> bytes:
    """What comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(written)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def request(path: str = "/apis", *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


async def test_a_long_selector_and_a_long_header_are_read(port: int) -> None:
    long = "x" * 20_000
    assert (await sent(port, request(f"/apis?labelSelector={long}"))).startswith(b"HTTP/1.1 200 ")
    assert (await sent(port, request("/apis", f"X-Remote-Extra-A: {long}"))).startswith(
        b"HTTP/1.1 200 "
    )


@pytest.mark.parametrize(
    "written",
    [
        request("/apis?labelSelector=" + "x" * LONGEST_LINE),
        request("/apis", "X-Remote-Extra-A: " + "x" * (LONGEST_LINE + 1)),
        request("/apis", *(f"X-{n}: y" for n in range(200))),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is a TLS hello\r\n\r\n",
        b"GET /apis HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /apis HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
    ],
    ids=["line", "header", "headers", "tls", "length", "no header"],
)
async def test_what_is_too_long_or_no_http_is_a_status_and_the_end(
    port: int, written: bytes
) -> None:
    answer = await sent(port, written)
    assert answer.startswith(
        b"HTTP/1.0 400 "
    )  # of a request that was not read, no version is known
    assert b'"kind": "Status"' in answer
    assert b"xxxx" not in answer
    assert b"aiohttp" not in answer


async def test_a_token_in_a_request_that_cannot_be_read_reaches_no_log(
    port: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    await sent(port, request("/apis", "Authorization: Bearer s3cret" + "x" * LONGEST_LINE))
    await sent(port, b"GET /apis HTTP/1.1\r\nHost: x\r\nAuthorization Bearer s3cret\r\n\r\n")
    said = capsys.readouterr()
    assert "s3cret" not in caplog.text + said.out + said.err


async def test_a_get_with_a_body_is_refused_and_its_connection_ends(port: int) -> None:
    for extra in ("Content-Length: 5", "Transfer-Encoding: chunked"):
        answer = await sent(port, request("/apis", extra).replace(b"Connection: close\r\n", b""))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"has no body here" in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
async def test_another_method_is_a_405_status_without_waiting_for_its_body(
    port: int, method: str
) -> None:
    answer = await sent(port, request(PATH, "Content-Length: 1000000", method=method))
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b'"reason": "MethodNotAllowed"' in answer


async def test_which_library_answers_is_not_told(port: int) -> None:
    for path in ("/apis", "/nothing", "/healthz", PATH):
        answer = (await sent(port, request(path))).lower()
        assert b"aiohttp" not in answer
        assert b"python" not in answer


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    n = 500
    written = b"".join(
        f"GET /{'apis' if i % 2 else 'nothing'} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for i in range(n)
    )
    answer = await sent(port, written + request("/healthz"))
    codes = re.findall(rb"HTTP/1\.1 (\d+) ", answer)
    assert codes == [b"404", b"200"] * (n // 2) + [b"200"]


@asynccontextmanager
async def accepting(telemetry: Telemetry) -> AsyncIterator[tuple[web.Server, int]]:
    """An acceptor before a server that says hello."""

    async def hello(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="hello")

    server = web.Server(hello)
    listening = bound_socket("127.0.0.1", 0, who="adapter")
    task = asyncio.create_task(Acceptor(server, listening, lambda: None, telemetry).run())
    yield server, listening.getsockname()[1]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.shutdown(1.0)


@pytest.mark.parametrize("written", [b"", b"GET /apis HTT", b"GET / HTTP/1.1\r\nX-Slow: "])
async def test_a_client_that_does_not_come_to_the_point_is_closed(
    monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    monkeypatch.setattr(Connection.__init__, "__kwdefaults__", {"idle_s": 0.2})
    async with accepting(Telemetry()) as (_, port):
        assert await sent(port, written) == b""


async def test_dribbling_does_not_buy_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection.__init__, "__kwdefaults__", {"idle_s": 0.3})
    async with accepting(Telemetry()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        async with asyncio.timeout(20):
            while not reader.at_eof():
                writer.write(b"x")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        assert await reader.read() == b""
        writer.close()


async def test_a_full_house_ends_the_oldest_connection_of_a_stranger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter.acceptor, "_MOST_CONNECTIONS", 3)
    async with accepting(Telemetry()) as (server, port):
        opened = []
        for n in range(4):
            opened.append(await asyncio.open_connection("127.0.0.1", port))
            async with asyncio.timeout(10):
                while len(server.connections) < min(n + 1, 3):  # noqa: ASYNC110 (no event of its own)
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            assert await opened[0][0].read() == b""
        reader, writer = opened[3]
        writer.write(request("/"))
        assert (await reader.read()).endswith(b"hello")
        for _, each in opened:
            each.close()


async def test_a_handshake_that_is_never_finished_makes_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter.acceptor, "_HANDSHAKE_S", 0.2)
    telemetry = Telemetry()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    async def hello(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="hello")

    listening = bound_socket("127.0.0.1", 0, who="adapter")
    acceptor = Acceptor(web.Server(hello), listening, lambda: context, telemetry)
    task = asyncio.create_task(acceptor.run())
    assert await sent(listening.getsockname()[1], b"") == b""
    assert b"llmd_adapter_handshakes_failed_total 1.0" in telemetry.page(Store())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_more_requests_than_any_controller_sends_are_refused_without_a_retry_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter.handlers, "_MOST_UNDER_WAY", 0)
    world.put("a", status())
    code, said = await world.get(PATH)  # get asserts that no Retry-After is there
    assert (code, said["reason"]) == (429, "TooManyRequests")
    async with world.session.get(world.url + "/healthz") as answer:
        assert answer.status == 200


async def test_a_reader_that_does_not_read_is_let_go_at_the_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter.handlers, "_DEADLINE_S", 0.3)
    for n in range(2000):
        world.put(f"variant-{n}", status())
    host, port = world.url.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, (host, int(port)))
        line = f"GET {G2}/namespaces/llm/{VA}/*/load HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        await loop.sock_sendall(deaf, line * 20)  # 20 answers of 700 KB: more than any buffer
        async with asyncio.timeout(20):
            while not is_reset(deaf):  # noqa: ASYNC110 (the other side's doing)
                await asyncio.sleep(0.05)


def is_reset(deaf: socket.socket) -> bool:
    try:
        deaf.send(b"\r\n")
    except ConnectionResetError:
        return True
    except BlockingIOError:
        pass
    return False


def test_plain_http_beyond_this_machine_must_be_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"plain HTTP on 0\.0\.0\.0 would answer everybody"):
        Options(clock=Clock(), api="", host="0.0.0.0")
    Options(clock=Clock(), api="", host="0.0.0.0", is_http_allowed=True)
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        Options(clock=Clock(), api="", host=host)
