"""What a server does after SIGTERM, as vLLM 0.32.0 on a CPU was seen to do it."""

import asyncio

import aiohttp
import pytest

from llmd_autoscaler.clock import Clock


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


def body(*, max_tokens: int, stream: bool = True) -> dict[str, object]:
    return {"prompt": "a", "max_tokens": max_tokens, "stream": stream}


def reason_and_tokens(stream: list[object]) -> tuple[object, int]:
    assert stream[-1] == "[DONE]"
    chunks = [event for event in stream[:-1] if event["choices"]]
    n_tokens = sum(len(chunk["llmd_token_at_s"]) for chunk in chunks)
    return chunks[-1]["choices"][0]["finish_reason"], n_tokens


async def test_without_a_timeout_an_open_stream_ends_with_abort(client, serving, events):
    async with serving(Clock.starting_at(1000.0, 100.0)) as running:
        response = await client.post(f"{running.url}/v1/completions", json=body(max_tokens=90_000))
        begun = await response.content.readany()
        await running.server.drain(0.0)
        reason, n_tokens = reason_and_tokens(events(begun + await response.read()))

    assert reason == "abort"
    assert 0 < n_tokens < 90_000


async def test_within_the_timeout_open_streams_run_to_their_end(client, serving, events):
    # 2,000 tokens of 10 ms: 20 simulated seconds, of 600 allowed.
    async with serving(Clock.starting_at(1000.0, 100.0)) as running:
        responses = [
            await client.post(f"{running.url}/v1/completions", json=body(max_tokens=2000))
            for _ in range(4)
        ]
        await running.server.drain(600.0)
        ends = [reason_and_tokens(events(await response.read())) for response in responses]

    assert ends == [("length", 2000)] * 4


async def test_past_the_timeout_what_is_open_is_aborted(client, serving, events):
    # 90,000 tokens of 10 ms: 900 simulated seconds, of 10 allowed.
    async with serving(Clock.starting_at(1000.0, 100.0)) as running:
        response = await client.post(f"{running.url}/v1/completions", json=body(max_tokens=90_000))
        await running.server.drain(10.0)
        reason, n_tokens = reason_and_tokens(events(await response.read()))

    assert reason == "abort"
    assert 0 < n_tokens < 90_000


async def test_a_draining_server_looks_healthy_and_gives_new_requests_abort_and_no_token(
    client, serving, events
):
    async with serving(Clock.starting_at(1000.0, 100.0)) as running:
        url = f"{running.url}/v1/completions"
        old = await client.post(url, json=body(max_tokens=90_000))
        draining = asyncio.create_task(running.server.drain(1e6))
        await asyncio.sleep(0)  # lets the drain begin

        async with client.get(f"{running.url}/health") as response:
            assert response.status == 200
        async with client.post(url, json=body(max_tokens=5)) as response:
            assert response.status == 200
            assert reason_and_tokens(events(await response.read())) == ("abort", 0)
        async with client.post(url, json=body(max_tokens=5, stream=False)) as response:
            assert response.status == 200
            answer = await response.json()
        assert answer["choices"][0]["finish_reason"] == "abort"
        assert answer["usage"]["completion_tokens"] == 0

        draining.cancel()
        old.close()


async def test_an_idle_server_has_drained_at_once(serving, fast_clock):
    async with serving(fast_clock) as running:
        await running.server.drain(1e9)
