"""What counts as a refusal, what is tried elsewhere, and what the client is told in the end."""

import asyncio
import dataclasses
import json
import math
import socket

import pytest
from aiohttp import web

from llmd_autoscaler.translate.routing import Route, RouteSet
from tests.router.conftest import (
    DONE,
    FAST,
    MIXED,
    MODEL,
    Handler,
    World,
    completion,
    event,
    plain,
    sse,
    sse_then_cut,
    table,
    token,
    usage,
)

GOOD = (token("a"), token("", reason="stop"), usage(3, 1), DONE)


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def page(body: bytes, content_type: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type)

    return answer


REFUSALS: dict[str, tuple[Handler, str]] = {
    "error event behind 200": (
        sse(event({"error": {"message": "dead", "code": 500}}), DONE),
        "error_event",
    ),
    "abort with 0 tokens": (sse(token("", reason="abort"), usage(3, 0), DONE), "abort"),
    "reset before the head": (reset, "reset"),
    "reset after the head": (sse_then_cut(), "reset"),
    "end without an event": (sse(), "empty"),
    "only the end mark": (sse(DONE), "empty"),
    "500": (plain({"error": {"message": "no"}}, 500), "status_5xx"),
    "503": (plain({"error": {"message": "no"}}, 503), "status_5xx"),
    "429": (plain({"error": {"message": "no"}}, 429), "status_429"),
    "an HTML page": (page(b"<html><body>Sign in</body></html>", "text/html"), "no_answer"),
    "an HTML page as events": (page(b"<html>\n\n</html>\n\n", "text/event-stream"), "empty"),
    "JSON of another program": (plain({"status": "ok"}), "no_answer"),
}


@pytest.mark.parametrize(("refuses", "reason"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_before_the_first_token_is_retried_elsewhere(
    world: World, refuses: Handler, reason: str
) -> None:
    await world.server(refuses, name="a")
    await world.server(sse(*GOOD), name="b")
    status, body = await world.ask(stream=True)
    assert (status, body) == (200, b"".join((GOOD[0], GOOD[1], DONE)))
    assert world.counts.value("refusals_total", MODEL, "interactive", reason) == 1
    assert world.counts.value("retries_total", MODEL, "interactive") == 1
    assert world.counts.value("attained_total", MODEL, "interactive", "all") == 1


async def test_a_closed_port_is_a_refusal(world: World) -> None:
    with socket.socket() as bound:  # bound but not listening: the connection is refused
        bound.bind(("127.0.0.1", 0))
        world.instance(bound.getsockname()[1], name="a")
        await world.server(sse(*GOOD), name="b")
        status, _ = await world.ask(stream=True)
    assert status == 200
    assert world.counts.value("refusals_total", MODEL, "interactive", "connect") == 1


async def test_an_instance_that_refused_is_left_alone_for_a_moment(world: World) -> None:
    refuses = await world.server(plain({}, 503), name="a")
    await world.server(sse(*GOOD), name="b")
    await world.ask(stream=True)
    await world.ask(stream=True)
    assert len(refuses.bodies) == 1


async def test_an_instance_that_refused_is_asked_again_when_there_is_no_other(world: World) -> None:
    refuses = await world.server(plain({}, 503), name="a")
    await world.ask(stream=True)
    refuses.answer = sse(*GOOD)
    status, _ = await world.ask(stream=True)
    assert status == 200


async def test_a_request_is_sent_to_no_instance_twice_and_to_four_at_most(world: World) -> None:
    servers = [await world.server(plain({}, 503), name=f"pod-{i}") for i in range(6)]
    status, body = await world.ask(stream=True)
    assert status == 503
    assert json.loads(body)["error"]["reason"] == "refused_status_5xx"
    assert sorted(len(server.bodies) for server in servers) == [0, 0, 1, 1, 1, 1]
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1


async def test_when_all_say_429_so_does_the_router(world: World) -> None:
    await world.server(plain({}, 429))
    status, body = await world.ask()
    assert status == 429
    assert json.loads(body)["error"]["type"] == "RateLimitError"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_client_error_is_passed_through_and_not_retried(world: World, status: int) -> None:
    said = {"error": {"message": "max_tokens is too large", "code": status}}
    await world.server(plain(said, status), name="a")
    other = await world.server(plain(completion(3, 1)), name="b")
    assert await world.ask() == (status, json.dumps(said).encode())
    assert other.bodies == []
    assert world.counts.value("client_errors_total", MODEL, "interactive") == 1
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 0


async def test_a_client_error_in_the_first_event_of_a_stream_is_passed_through(
    world: World,
) -> None:
    error = event({"error": {"message": "prompt is too long", "code": 400}})
    await world.server(sse(error, DONE), name="a")
    other = await world.server(sse(*GOOD), name="b")
    assert await world.ask(stream=True) == (200, error + DONE)
    assert other.bodies == []
    assert world.counts.value("client_errors_total", MODEL, "interactive") == 1


async def test_an_answer_that_is_not_streamed_is_retried_until_it_is_whole(world: World) -> None:
    await world.server(plain(completion(3, 2, reason="abort")), name="a")
    await world.server(plain(completion(3, 2)), name="b")
    status, body = await world.ask()
    assert (status, json.loads(body)) == (200, completion(3, 2))
    assert world.counts.value("completions_total", MODEL, "interactive", "64", "64") == 1


async def test_an_answer_that_is_not_streamed_is_timed_by_its_stamps(world: World) -> None:
    await world.server(plain(completion(3, 2, at_s=[1000.5, 1000.6])))
    await world.ask()
    assert world.counts.value("attained_total", MODEL, "interactive", "all") == 1


async def test_a_retry_stays_with_its_target_while_that_has_another_instance(world: World) -> None:
    routes = RouteSet(float("inf"), (Route(MIXED, 0.9), Route(FAST, 0.1)))
    world.use(table(routes={"interactive": (routes,)}))
    await world.server(plain({}, 503), place=MIXED, name="a")
    same = await world.server(sse(*GOOD), place=MIXED, name="b")
    other = await world.server(sse(*GOOD), place=FAST, name="c")
    await world.ask(stream=True)
    assert (len(same.bodies), len(other.bodies)) == (1, 0)


async def test_without_an_instance_the_demand_is_counted_and_the_answer_says_why(
    world: World,
) -> None:
    status, body = await world.ask(prompt="x" * 4000)
    assert status == 503
    assert json.loads(body)["error"]["reason"] == "no_instance"
    # 4000 bytes at the starting 4 bytes a token are 1000 tokens, below the edge 1024
    assert world.counts.value("arrivals_total", MODEL, "interactive", "1024") == 1
    assert world.counts.value("arrivals_isl_tokens_total", MODEL, "interactive", "1024") == 1000
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == 1


async def test_an_unknown_model_is_a_404_and_no_arrival(world: World) -> None:
    status, body = await world.ask(model="gpt-17")
    assert status == 404
    error = json.loads(body)["error"]
    assert (error["type"], error["param"], error["reason"]) == (
        "NotFoundError",
        "model",
        "unknown_model",
    )
    assert "gpt-17" not in world.counts.page([])


async def test_an_alias_counts_as_its_model(world: World) -> None:
    server = await world.server(sse(*GOOD))
    status, _ = await world.ask(model="llama", stream=True)
    assert status == 200
    assert server.bodies[0]["model"] == "llama"
    assert world.counts.value("completions_total", MODEL, "interactive", "64", "64") == 1


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"model": 7}', b"\xff"])
async def test_a_body_without_a_model_is_a_400(world: World, raw: bytes) -> None:
    async with world.client.post(world.url + "/v1/completions", data=raw) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "BadRequestError"


async def test_before_the_first_look_at_the_cluster_no_model_is_called_unknown(
    world: World,
) -> None:
    world.fleet.tables, world.fleet.is_synced = {}, False
    status, body = await world.ask()
    assert (status, json.loads(body)["error"]["reason"]) == (503, "not_synced")
    async with world.client.get(world.url + "/health") as response:
        assert response.status == 503


async def test_the_models_are_listed_with_their_aliases(world: World) -> None:
    async with world.client.get(world.url + "/v1/models") as response:
        said = await response.json()
    assert [each["id"] for each in said["data"]] == ["llama", MODEL]


async def test_two_hundred_requests_into_a_dying_server_are_answered_or_failed_once_each(
    world: World,
) -> None:
    """A ledger by request id: half the streams of one server are cut, its later requests are refused."""
    n_seen = 0

    async def dies(request: web.Request) -> web.StreamResponse:
        nonlocal n_seen
        n_seen += 1
        handler = sse_then_cut(token("a")) if n_seen <= 50 else reset
        return await handler(request)

    await world.server(dies, name="a")
    await world.server(sse(*GOOD), name="b")

    async def one(i: int) -> tuple[int, bytes]:
        return await world.ask(stream=True, headers={"x-request-id": f"r-{i}"})

    answers = await asyncio.gather(*(one(i) for i in range(200)))
    whole = sum(body == b"".join((GOOD[0], GOOD[1], DONE)) for _, body in answers)
    cut = sum(b'"reason": "cut"' in body for _, body in answers)
    assert (whole + cut, {status for status, _ in answers}) == (200, {200})
    assert cut == min(n_seen, 50)
    assert world.counts.value("attained_total", MODEL, "interactive", "all") == whole
    assert world.counts.value("attained_total", MODEL, "interactive", "failed") == cut
    assert world.counts.value("arrivals_total", MODEL, "interactive", "64") == 200
    assert all(instance.n_in_flight == 0 for instance in world.instances())


async def ask_nobody(world: World) -> tuple[int, str | None, str]:
    """Status, Retry-After and reason of the answer to a request that nobody can serve."""
    body = {"model": MODEL, "prompt": "a b c"}
    async with world.client.post(f"{world.url}/v1/completions", json=body) as answer:
        found = await answer.json()
        return answer.status, answer.headers.get("Retry-After"), found["error"]["reason"]


async def test_a_model_that_sleeps_says_so_and_counts_who_came(world: World) -> None:
    world.use(dataclasses.replace(table(), mix={}, valid_until_s=2000.0))  # it is 1000 s
    assert await ask_nobody(world) == (503, "30", "model_asleep")
    assert world.counts.value("arrivals_total", MODEL, "interactive", "64") == 1
    assert world.counts.value("unanswered_total", "model_asleep") == 1


async def test_a_model_without_a_decision_in_force_does_not_sleep(world: World) -> None:
    for until_s in (999.0, math.inf):  # it ran out, or there never was one
        world.use(dataclasses.replace(table(), mix={}, valid_until_s=until_s))
        assert await ask_nobody(world) == (503, None, "no_instance")
