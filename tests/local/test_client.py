"""The load generator against a server on loopback."""

import asyncio
import contextlib

import numpy as np
import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.local.client import REQUEST_ID, Asker, LoadGenerator
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.ledger import Ledger
from llmd_autoscaler.router.replies import error_response
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.vllm_server.answers import Answer
from llmd_autoscaler.simulator.vllm_server.prompts import ServedModel, read_call, read_json

MODEL = ServedModel("m", 10_000)
START_S = 1000.0


class Server:
    """Answers each request at once, or as its test wants it; remembers what was asked."""

    def __init__(self, handler=None):
        self.seen = []
        self._handler = handler

    async def handle(self, request):
        call = read_call(read_json(await request.read()), MODEL, is_chat=False)
        self.seen.append((request.headers.copy(), call))
        if self._handler is not None:
            return await self._handler(request)
        return self.whole(request, call)

    def whole(self, request, call):
        answer = Answer(call, model="m", request_id="", now_s=0.0)
        stamps = [START_S + 5.0 + i for i in range(call.max_tokens)]
        headers = {REQUEST_ID: request.headers[REQUEST_ID], "content-type": "text/event-stream"}
        return web.Response(
            body=answer.chunk(stamps, "length") + answer.end(len(stamps)), headers=headers
        )


@contextlib.asynccontextmanager
async def served(server):
    app = web.Application()
    app.router.add_post("/v1/completions", server.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/completions"
    finally:
        await runner.cleanup()


def replay(n=3, gap_s=1.0):
    """Requests of 5, 6, 7 ... tokens in and 2 out, alternating between the two default classes."""
    return Replay(
        at_s=np.arange(n) * gap_s,
        isl=np.arange(n) + 5,
        osl=np.full(n, 2),
        class_of=np.arange(n) % 2,
    )


def generator(url, requests):
    """At a thousand times the wall clock."""
    asker = Asker(url=url, model="m", classes=load_config().classes, run_id="t")
    clock = Clock.starting_at(START_S, 1000.0)
    return LoadGenerator(asker, requests, clock, START_S, Ledger(requests))


async def played(server, requests):
    async with served(server) as url:
        load = generator(url, requests)
        await load.run(asyncio.Event())
    return load.ledger


async def test_every_request_is_asked_as_recorded():
    server = Server()
    await played(server, replay())
    asked = sorted((call.isl, call.max_tokens, call.is_streamed) for _, call in server.seen)
    assert asked == [(5, 2, True), (6, 2, True), (7, 2, True)]


async def test_every_request_has_an_identity_of_its_own():
    server = Server()
    await played(server, replay())
    assert sorted(headers[REQUEST_ID] for headers, _ in server.seen) == ["t-0", "t-1", "t-2"]


async def test_a_class_is_told_by_the_header_of_its_service_level_and_the_default_by_none():
    server = Server()
    await played(server, replay())
    found = {headers[REQUEST_ID]: headers.get("x-llm-class") for headers, _ in server.seen}
    assert found == {"t-0": "interactive", "t-1": None, "t-2": "interactive"}


async def test_times_of_answers_are_stamps_counted_from_the_start_of_the_replay():
    ledger = await played(Server(), replay(1))
    answers = ledger.answers()
    # stamped at START_S + 5 and one second later
    assert (answers.first_s[0], answers.last_s[0]) == (5.0, 6.0)
    assert (answers.isl[0], answers.osl[0]) == (5, 2)


async def test_no_request_is_sent_before_its_time():
    ledger = await played(Server(), replay(5, gap_s=20.0))
    assert (ledger.answers().at_s >= np.arange(5) * 20.0).all()


async def test_a_refusal_is_a_failure_by_the_routers_word():
    async def refuse(request):
        return error_response(
            503, "none", reason="no_instance", request_id=request.headers[REQUEST_ID]
        )

    ledger = await played(Server(refuse), replay())
    assert ledger.failures == {"no_instance": 3}


async def test_the_answer_to_another_request_is_not_taken():
    server = Server()

    async def mixed_up(request):
        _, call = server.seen[-1]
        response = server.whole(request, call)
        response.headers[REQUEST_ID] = "t-9"
        return response

    server._handler = mixed_up
    ledger = await played(server, replay(1))
    assert ledger.failures == {"answer_of_another": 1}


async def test_a_server_that_hangs_up_is_a_named_failure():
    async def hang_up(request):
        request.transport.abort()
        return web.Response()

    ledger = await played(Server(hang_up), replay(1))
    (reason,) = ledger.failures
    assert reason.startswith("connection_")


async def test_a_port_without_a_server_is_a_named_failure():
    async with served(Server()) as url:
        pass
    load = generator(url, replay(1))
    await load.run(asyncio.Event())
    (reason,) = load.ledger.failures
    assert reason.startswith("connection_")


async def test_once_stopped_nothing_more_is_sent_but_what_is_open_ends():
    server, stopped = Server(), asyncio.Event()

    async def stop(request):
        stopped.set()
        return server.whole(request, server.seen[-1][1])

    server._handler = stop
    async with served(server) as url:
        load = generator(url, replay(3, gap_s=600.0))
        await load.run(stopped)
    assert len(server.seen) == 1
    assert load.ledger.n_arrived == 1
    assert not load.ledger.failures


async def test_a_cancelled_run_leaves_no_request_open():
    reached = asyncio.Event()

    async def never(_):
        reached.set()
        await asyncio.Event().wait()

    async with served(Server(never)) as url:
        load = generator(url, replay(1))
        running = asyncio.create_task(load.run(asyncio.Event()))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert load.ledger.failures == {"unfinished": 1}
