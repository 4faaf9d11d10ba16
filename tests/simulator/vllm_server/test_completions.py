"""The endpoints over HTTP: streamed and whole answers, refusals, clients that leave or do not read."""

import asyncio
import contextlib
import itertools

import aiohttp
import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.engines.vllm import VllmPage, read_page
from llmd_autoscaler.errors import PlanError


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


def body(**more: object) -> dict[str, object]:
    return {"model": "org/model", "prompt": "one two three", "max_tokens": 5, **more}


async def metrics_of(client: aiohttp.ClientSession, url: str) -> VllmPage:
    async with client.get(f"{url}/metrics") as response:
        return read_page(await response.read())


async def test_a_streamed_answer_has_one_word_and_one_time_for_each_token(
    client, serving, fast_clock, events
):
    async with (
        serving(fast_clock) as running,
        client.post(f"{running.url}/v1/completions", json=body(stream=True)) as response,
    ):
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        *chunks, done = events(await response.read())

    assert done == "[DONE]"
    text = "".join(chunk["choices"][0]["text"] for chunk in chunks)
    stamps = [at for chunk in chunks for at in chunk["llmd_token_at_s"]]
    assert len(text.split()) == 5
    # every step takes 10 ms, whenever the bytes came
    assert [b - a for a, b in itertools.pairwise(stamps)] == pytest.approx([0.01] * 4, abs=2e-6)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "length"
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}


async def test_usage_follows_the_last_token_only_if_the_client_asks(
    client, serving, fast_clock, events
):
    async with serving(fast_clock) as running:
        bodies = []
        for options in ({}, {"stream_options": {"include_usage": True}}):
            async with client.post(
                f"{running.url}/v1/completions", json=body(stream=True, **options)
            ) as response:
                bodies.append(events(await response.read()))

    plain, with_usage = bodies
    assert all("usage" not in event for event in plain[:-1])
    assert with_usage[-2]["choices"] == []
    assert with_usage[-2]["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "total_tokens": 8,
    }


async def test_a_whole_answer_has_text_usage_and_the_time_of_each_token(
    client, serving, fast_clock
):
    async with (
        serving(fast_clock) as running,
        client.post(
            f"{running.url}/v1/completions", json=body(), headers={"X-Request-Id": 'r"7'}
        ) as response,
    ):
        answer = await response.json()

    assert answer["id"] == 'cmpl-r"7'
    assert answer["choices"][0]["finish_reason"] == "length"
    assert len(answer["choices"][0]["text"].split()) == 5
    assert answer["usage"]["completion_tokens"] == len(answer["llmd_token_at_s"]) == 5


async def test_a_chat_stream_begins_with_its_role(client, serving, fast_clock, events):
    chat = body(messages=[{"role": "user", "content": "hi you"}], stream=True)
    async with (
        serving(fast_clock) as running,
        client.post(f"{running.url}/v1/chat/completions", json=chat) as response,
    ):
        first, *chunks, _ = events(await response.read())

    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    content = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert len(content.split()) == 5
    assert {first["object"], *(chunk["object"] for chunk in chunks)} == {"chat.completion.chunk"}


async def test_a_whole_chat_has_a_message(client, serving, fast_clock):
    chat = body(messages=[{"role": "user", "content": "hi you"}])
    async with (
        serving(fast_clock) as running,
        client.post(f"{running.url}/v1/chat/completions", json=chat) as response,
    ):
        answer = await response.json()

    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["usage"]["prompt_tokens"] == 2


async def test_a_validation_failure_is_a_200_with_an_error_event_when_streamed(
    client, serving, fast_clock, events
):
    async with (
        serving(fast_clock) as running,
        client.post(
            f"{running.url}/v1/completions", json=body(prompt=[999_999], stream=True)
        ) as response,
    ):
        status, (error, done) = response.status, events(await response.read())

    assert (status, error["error"]["code"], done) == (200, 400, "[DONE]")


async def test_the_same_failure_is_a_400_when_not_streamed(client, serving, fast_clock):
    async with (
        serving(fast_clock) as running,
        client.post(f"{running.url}/v1/completions", json=body(prompt=[999_999])) as response,
    ):
        assert response.status == 400
        assert "vocabulary" in (await response.json())["error"]["message"]


async def test_another_model_is_a_404_even_when_streamed(client, serving, fast_clock):
    async with (
        serving(fast_clock) as running,
        client.post(
            f"{running.url}/v1/completions", json=body(model="other", stream=True)
        ) as response,
    ):
        assert response.status == 404


async def test_models_health_and_version_answer_as_a_server_of_0_26(client, serving, fast_clock):
    async with serving(fast_clock) as running:
        async with client.get(f"{running.url}/v1/models") as response:
            models = await response.json()
        async with client.get(f"{running.url}/version") as response:
            version = await response.json()
        async with client.get(f"{running.url}/health") as response:
            health = response.status, await response.read()

    assert models["data"][0]["id"] == "org/model"
    # 131,072 for Llama 3.1, but the KV cache of the test's profile holds 100,000
    assert models["data"][0]["max_model_len"] == 100_000
    assert version == {"version": "0.26.0"}
    assert health == (200, b"")


async def test_the_page_counts_what_was_served(client, serving, fast_clock):
    async with serving(fast_clock) as running:
        for _ in range(3):
            async with client.post(f"{running.url}/v1/completions", json=body()) as response:
                await response.read()
        page = await metrics_of(client, running.url)

    assert (page.prompt_tokens, page.generation_tokens) == (9.0, 15.0)
    assert page.success_by_reason is not None
    assert page.success_by_reason["length"] == 3.0
    assert page.ttft is not None
    assert page.ttft.count == 3.0
    # 0.01 + 3 prompt tokens x 0.0001 each
    assert page.ttft.sum_s == pytest.approx(3 * 0.0103, abs=1e-6)
    assert page.n_running == 0.0


async def test_a_client_that_leaves_frees_its_place(client, serving):
    # 90,000 tokens of 10 ms: nine seconds of ours, if nobody frees the place before.
    async with serving(Clock.starting_at(1000.0, 100.0)) as running:
        response = await client.post(
            f"{running.url}/v1/completions", json=body(max_tokens=90_000, stream=True)
        )
        await response.content.readany()
        assert (await metrics_of(client, running.url)).n_running == 1.0
        response.close()
        while (await metrics_of(client, running.url)).n_running:
            pass  # ends by the test's own timeout if the place is never freed
        page = await metrics_of(client, running.url)

    assert page.success_by_reason is not None
    assert sum(page.success_by_reason.values()) == 0.0


async def test_a_client_of_a_whole_answer_that_leaves_frees_its_place(client, serving):
    async with serving(Clock.starting_at(1000.0, 100.0)) as running:
        waiting = asyncio.create_task(
            client.post(f"{running.url}/v1/completions", json=body(max_tokens=90_000))
        )
        while not (await metrics_of(client, running.url)).n_running:
            pass
        waiting.cancel()
        while (await metrics_of(client, running.url)).n_running:
            pass


async def test_a_client_that_does_not_read_stops_nobody_else(client, serving, fast_clock):
    async with serving(fast_clock) as running:
        # 95,000 tokens are 2 MB of events, far more than the buffers between the two hold.
        deaf = await client.post(
            f"{running.url}/v1/completions", json=body(max_tokens=95_000, stream=True)
        )
        generated = 0.0
        while generated < 95_000:
            generated = (await metrics_of(client, running.url)).generation_tokens or 0.0
        async with client.post(f"{running.url}/v1/completions", json=body()) as response:
            answer = await response.json()
        deaf.close()

    assert answer["choices"][0]["finish_reason"] == "length"


async def test_a_server_that_holds_too_many_requests_answers_503(client, serving, held_clock):
    async with serving(held_clock) as running:
        # One runs, the others wait: the batch has room for 100,000 tokens, which the first one takes.
        with contextlib.suppress(PlanError):
            while True:
                running.server._streams.submit(isl=10, max_tokens=99_990)
        async with client.post(f"{running.url}/v1/completions", json=body(stream=True)) as response:
            assert response.status == 503
            assert "requests wait already" in (await response.json())["error"]["message"]
