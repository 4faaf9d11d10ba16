"""What a client gets of a stream, and what is counted of it."""

import asyncio
import json

import aiohttp
from aiohttp import web

from llmd_autoscaler.core.slo import Bounds
from tests.router.conftest import (
    DONE,
    MODEL,
    World,
    event,
    request_class,
    sse,
    sse_then_cut,
    table,
    token,
    usage,
)

ANSWER = (
    token("a", at_s=[1000.5]),
    token("b c", at_s=[1000.6, 1000.7]),
    token("", reason="length"),
)


async def test_a_stream_goes_on_byte_for_byte_without_the_usage_event_that_nobody_asked_for(
    world: World,
) -> None:
    server = await world.server(sse(*ANSWER, usage(3, 3), DONE))
    status, body = await world.ask(stream=True)
    assert (status, body) == (200, b"".join((*ANSWER, DONE)))
    assert server.bodies[0]["stream_options"] == {"include_usage": True}


async def test_a_client_that_asks_for_usage_gets_it(world: World) -> None:
    await world.server(sse(*ANSWER, usage(3, 3), DONE))
    _, body = await world.ask(stream=True, stream_options={"include_usage": True})
    assert body == b"".join((*ANSWER, usage(3, 3), DONE))


async def test_other_stream_options_survive_the_question_for_usage(world: World) -> None:
    server = await world.server(sse(*ANSWER, usage(3, 3), DONE))
    await world.ask(stream=True, stream_options={"continuous_usage_stats": False})
    assert server.bodies[0]["stream_options"] == {
        "continuous_usage_stats": False,
        "include_usage": True,
    }


async def test_an_event_cut_in_two_by_the_network_arrives_whole(world: World) -> None:
    last = usage(3, 3)
    await world.server(sse(ANSWER[0][:20], ANSWER[0][20:] + last[:5], last[5:-1], last[-1:] + DONE))
    _, body = await world.ask(stream=True)
    assert body == ANSWER[0] + DONE


async def test_a_text_that_speaks_of_usage_is_not_taken_for_it(world: World) -> None:
    said = token('"usage": {"error": "abort"}')
    await world.server(sse(said, usage(3, 1), DONE))
    _, body = await world.ask(stream=True)
    assert body == said + DONE
    assert world.counts.value("attained_total", MODEL, "interactive", "all") == 1


async def test_a_completion_is_counted_in_its_cell_with_the_servers_own_tokens(
    world: World,
) -> None:
    await world.server(sse(*ANSWER, usage(1000, 200, hit=128), DONE))
    await world.ask(stream=True)
    # 1000 tokens lie below the edge 1024, 200 below 256 (edges 64 * sqrt(2)^i)
    cell = (MODEL, "interactive", "1024", "256")
    names = ("completions_total", "isl_tokens_total", "osl_tokens_total", "hit_tokens_total")
    assert [world.counts.value(name, *cell) for name in names] == [1, 1000, 200, 128]


async def test_stamps_in_the_stream_decide_over_the_clock(world: World) -> None:
    # arrival at 1000 by the standing clock; TTFT 0.5 s by the stamp; TPOT (1000.7 - 1000.5)/2 = 0.1 s
    world.use(table(request_class("interactive", bounds=Bounds(ttft_max_s=0.6, tpot_max_s=0.09))))
    await world.server(sse(*ANSWER, usage(3, 3), DONE))
    await world.ask(stream=True)
    assert world.counts.value("attained_total", MODEL, "interactive", "tpot") == 1


async def test_a_stream_that_ends_in_the_middle_ends_with_an_error_event_and_counts_as_failed(
    world: World,
) -> None:
    await world.server(sse_then_cut(ANSWER[0]))
    other = await world.server(sse(*ANSWER, usage(3, 3), DONE))
    world.instances()[1].n_foreign = 99.0  # the first is the cheaper one
    status, body = await world.ask(stream=True)
    parts = body.split(b"\n\n")
    assert status == 200
    assert parts[0] + b"\n\n" == ANSWER[0]
    assert json.loads(parts[1].removeprefix(b"data: "))["error"]["reason"] == "cut"
    assert parts[2] == b"data: [DONE]"
    assert other.bodies == []  # nothing after the first token is sent elsewhere
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1


async def test_a_stream_closed_cleanly_but_without_its_end_counts_as_failed(world: World) -> None:
    await world.server(sse(ANSWER[0]))
    _, body = await world.ask(stream=True)
    assert b'"reason": "cut"' in body
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1


async def test_an_answer_aborted_after_its_first_token_counts_as_failed(world: World) -> None:
    await world.server(sse(ANSWER[0], token("", reason="abort"), usage(3, 1), DONE))
    _, body = await world.ask(stream=True)
    assert body == ANSWER[0] + token("", reason="abort") + DONE
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1
    assert world.counts.value("completions_total", MODEL, "interactive", "64", "64") == 0


async def test_an_error_event_in_the_middle_goes_on_and_counts_as_failed(world: World) -> None:
    error = event({"error": {"message": "engine died", "code": 500}})
    await world.server(sse(ANSWER[0], error, DONE))
    _, body = await world.ask(stream=True)
    assert body == ANSWER[0] + error + DONE
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1


async def test_the_server_is_told_when_the_client_leaves(world: World) -> None:
    told = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await out.prepare(request)
        await out.write(ANSWER[0])
        try:
            await asyncio.Event().wait()
        finally:
            told.set()
        return out

    await world.server(endless)
    async with world.client.post(
        world.url + "/v1/completions", json={"model": MODEL, "prompt": "a", "stream": True}
    ) as response:
        assert await response.content.readany() == ANSWER[0]
        assert world.instances()[0].n_in_flight == 1
        response.close()
    async with asyncio.timeout(5):
        await told.wait()
    assert world.instances()[0].n_in_flight == 0
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1


async def test_a_client_that_leaves_before_the_first_token_ends_the_request_too(
    world: World,
) -> None:
    begun, told = asyncio.Event(), asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()
        raise AssertionError

    await world.server(silent)
    asking = asyncio.create_task(world.ask(stream=True))
    async with asyncio.timeout(5):
        await begun.wait()
        asking.cancel()
        await told.wait()


async def test_a_role_event_alone_does_not_release_the_answer(world: World) -> None:
    role = event(
        {
            "choices": [
                {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
            ]
        }
    )
    aborted = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "abort"}]})
    hello = event({"choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}]})
    await world.server(sse(role, aborted, DONE), name="a-draining")
    await world.server(sse(role, hello, usage(3, 1), DONE), name="b")
    messages = [{"role": "user", "content": "a"}]
    status, body = await world.ask("/v1/chat/completions", stream=True, messages=messages)
    assert (status, body) == (200, role + hello + DONE)


async def test_a_server_that_sends_no_usage_is_counted_apart(world: World) -> None:
    await world.server(sse(*ANSWER, DONE))
    await world.ask(stream=True)
    assert world.counts.value("uncounted_total", MODEL, "interactive") == 1
    assert world.counts.value("attained_total", MODEL, "interactive", "all") == 1


async def test_the_request_id_goes_along_and_comes_back(world: World) -> None:
    server = await world.server(sse(*ANSWER, usage(3, 3), DONE))
    await world.ask(stream=True, headers={"X-Request-ID": "r-17"})
    assert server.headers[0]["x-request-id"] == "r-17"
    async with world.client.post(
        world.url + "/v1/completions", json={"model": MODEL, "prompt": "a"}
    ) as response:
        assert response.headers["x-request-id"] == server.headers[1]["x-request-id"]
        assert len(response.headers["x-request-id"]) == 32  # one was made: 16 bytes as hexadecimal


async def test_authorization_reaches_the_server_and_encodings_do_not(world: World) -> None:
    server = await world.server(sse(*ANSWER, usage(3, 3), DONE))
    await world.ask(stream=True, headers={"Authorization": "Bearer key", "Accept-Encoding": "gzip"})
    assert server.headers[0]["authorization"] == "Bearer key"
    assert server.headers[0]["accept-encoding"] == "identity"


async def test_the_usage_event_is_removed_from_a_stream_with_carriage_returns(world: World) -> None:
    web_lines = [part.replace(b"\n\n", b"\r\n\r\n") for part in (*ANSWER, usage(3, 3), DONE)]
    await world.server(sse(*web_lines))
    _, body = await world.ask(stream=True)
    assert body == b"".join((*web_lines[:3], web_lines[4]))


async def test_an_aiohttp_error_never_reaches_the_client_as_a_500(world: World) -> None:
    await world.server(sse_then_cut(ANSWER[0][:10]))
    async with (
        aiohttp.ClientSession(trust_env=False) as client,
        client.post(
            world.url + "/v1/completions", json={"model": MODEL, "prompt": "a", "stream": True}
        ) as response,
    ):
        assert response.status == 503
