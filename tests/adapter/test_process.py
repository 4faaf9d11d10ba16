"""The adapter against the small API server, in one process and as a process of its own."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from adapter.__main__ import main
from adapter.cluster import connected
from adapter.store import Key, Store, WithheldError
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store as ApiStore
from tests.adapter.conftest import G2, NOW_S, VA, status
from tests.adapter.secured import CLOCK, publish


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110 (what is waited for has no event of its own)
            await asyncio.sleep(0.005)


def value(store: Store, name: str) -> str:
    try:
        return store.served(
            Key("llm", name), "desired_replicas", now_s=NOW_S, monotonic_s=0.0
        ).value
    except WithheldError as error:
        return error.reason


@contextlib.asynccontextmanager
async def following(api: str, store: Store) -> AsyncIterator[None]:
    async with connected(api, store, CLOCK) as follower:
        task = asyncio.create_task(follower.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def followed() -> AsyncIterator[tuple[Kube, Store]]:
    async with serving(ApiStore(CLOCK)) as address:
        kube, store = await Kube.connect(address), Store()
        async with following(address, store):
            await until(lambda: store.is_synced)
            yield kube, store
        await kube.close()


async def test_a_written_status_is_served(followed: tuple[Kube, Store]) -> None:
    kube, store = followed
    await publish(kube, "a", desired=4)
    await until(lambda: value(store, "a") == "4")
    await kube.apply_status(
        VARIANT_AUTOSCALINGS, "llm", "a", status(5, decision="7-1483"), manager="t"
    )
    await until(lambda: value(store, "a") == "5")


async def test_a_deleted_object_is_unknown(followed: tuple[Kube, Store]) -> None:
    kube, store = followed
    await publish(kube, "a", desired=4)
    await until(lambda: value(store, "a") == "4")
    await kube.delete(VARIANT_AUTOSCALINGS, "llm", "a")
    await until(lambda: value(store, "a") == "unknown_object")


async def test_objects_deleted_while_nobody_watched_are_forgotten_at_the_next_list() -> None:
    store, port = Store(), free_port()
    first, second = ApiStore(CLOCK), ApiStore(CLOCK)
    kube, stack = await Kube.connect(f"http://127.0.0.1:{port}"), AsyncExitStack()
    async with serving(first, port=port):
        await publish(kube, "a", desired=4)
        await stack.enter_async_context(following(f"http://127.0.0.1:{port}", store))
        await until(lambda: value(store, "a") == "4")
    await until(lambda: not store.is_connected)
    assert value(store, "a") == "4"  # a moment without a watch changes nothing
    async with serving(second, port=port):
        await publish(kube, "b", desired=2)
        await until(lambda: value(store, "b") == "2")
        assert value(store, "a") == "unknown_object"
        await stack.aclose()
    await kube.close()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.mark.slow
async def test_the_command_serves_through_the_aggregated_path_and_stops_at_sigterm() -> None:
    async with AsyncExitStack() as stack:
        port = free_port()
        api = await stack.enter_async_context(
            serving(ApiStore(CLOCK), adapter_url=f"http://127.0.0.1:{port}")
        )
        kube = await Kube.connect(api)
        stack.push_async_callback(kube.close)
        await publish(kube, "a", desired=4)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "adapter",
            "--api",
            api,
            "--port",
            str(port),
            "--clock",
            CLOCK.flag(),
            stdout=asyncio.subprocess.DEVNULL,
        )
        stack.callback(kill, process)
        client = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        path = f"{api}{G2}/namespaces/llm/{VA}/a/desired_replicas"
        async with asyncio.timeout(30):
            while True:
                async with client.get(path) as answer:
                    said = await answer.json()
                if answer.status == 200:
                    break
                await asyncio.sleep(0.05)
        assert [item["value"] for item in said["items"]] == ["4"]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


def kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


def test_a_port_in_use_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--api", "http://127.0.0.1:1", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"llmd-adapter: the adapter cannot listen on 127.0.0.1:{port} (Address already in use): give another --port or --host\n"
    )


def test_a_clock_that_is_none_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--clock", "noon"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--por", "1"], "unrecognized arguments: --por 1"),
        (["--port", "65536"], "argument --port: '65536' is no port: write 0 to 65535"),
    ],
)
def test_a_wrong_flag_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], flags: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"llmd-adapter: {sentence}; see llmd-adapter --help\n"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--tls-cert-file", "x"], "--tls-cert-file and --tls-private-key-file go together"),
        (["--tls-private-key-file", "x"], "--tls-cert-file and --tls-private-key-file go together"),
        (
            ["--tls-cert-file", "absent", "--tls-private-key-file", "absent"],
            "cannot be used to serve",
        ),
        (["--external-metrics"], "give --service NAMESPACE/NAME"),
        (["--host", "0.0.0.0"], "say --insecure-http"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], flags: list[str], sentence: str
) -> None:
    assert main(["--api", "http://127.0.0.1:1", *flags]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.slow
async def test_five_thousand_objects_are_listed_watched_and_served_each_by_its_name() -> None:
    api = ApiStore(CLOCK)
    async with serving(api) as address, await Kube.connect(address) as kube:
        for start in range(0, 5000, 100):
            names = [f"v{n}" for n in range(start, start + 100)]
            await asyncio.gather(*(publish(kube, n, desired=int(n[1:]) % 60) for n in names))
        store = Store()
        async with following(address, store):
            await until(lambda: store.is_synced)
            assert len(store) == 5000
            assert [value(store, f"v{n}") for n in range(5000)] == [
                str(n % 60) for n in range(5000)
            ]
            await kube.apply_status(
                VARIANT_AUTOSCALINGS, "llm", "v4999", status(7, decision="7-1483"), manager="t"
            )
            await until(lambda: value(store, "v4999") == "7")
