"""One server of three drains, one is killed, each with two hundred requests under way: a ledger by request id.

A request has exactly one answer or one named failure: the clients' ledger takes a second end of an id for
an error, the router counts the end of each arrival, and the servers together have finished no more
requests than the clients were answered.
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
from importlib.resources import files

import aiohttp
import numpy as np
import pytest

from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.ledger import State
from llmd_autoscaler.simulator.pod_status import is_ending, serves
from llmd_autoscaler.simulator.replay import Replay
from tests.local.system import system, until

pytestmark = [pytest.mark.slow, pytest.mark.fleet, pytest.mark.timeout(180)]

# With n of these in its batch an A100 server takes 26.8 + 0.13 n ms a token, and up to a fifth of its time goes into
# prompts: 5 a second to each of three make batches of 90, and two servers are enough, with batches of 200.
N, QPS, ISL, OSL = 900, 15.0, 200, 400
N_UNDER_WAY = 220
N_LATER = 60
DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()


def requests(n):
    """Equal requests at equal distances, of the two classes in turn."""
    return Replay(
        at_s=np.arange(n) / QPS,
        isl=np.full(n, ISL, dtype=np.int64),
        osl=np.full(n, OSL, dtype=np.int64),
        class_of=np.arange(n, dtype=np.int64) % 2,
    )


def three_servers(folder):
    """The default on three instances, not more and not fewer; a new one starts within ten seconds."""
    folder.mkdir()
    (folder / "default.yaml").write_text(DEFAULT.replace("maxReplicas: 10", "maxReplicas: 3"))
    blueprint = load_config(folder)
    (target,) = blueprint.targets
    lead = dataclasses.replace(target.state.lead, p50_s=10.0, p90_s=10.0)
    state = dataclasses.replace(target.state, lead=lead)
    return dataclasses.replace(blueprint, targets=(dataclasses.replace(target, state=state),))


@contextlib.asynccontextmanager
async def two_hundred_under_way(folder):
    """The system, its clients' ledger, and their task, which ends with the last answer."""
    blueprint = three_servers(folder / "config")
    async with system(blueprint, {"llama-70b-a100": 3}, folder) as it:
        clients = it.clients(requests(N), "first")
        traffic = asyncio.create_task(clients.run(asyncio.Event()))
        try:
            await until(lambda: clients.ledger.count(State.OPEN) >= N_UNDER_WAY)
            yield it, clients.ledger, traffic
        finally:
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)


async def pages_to_the_end(it, address):
    """What a server says of itself until it is gone."""
    pages = []
    with contextlib.suppress(aiohttp.ClientError, OSError):
        while True:
            pages.append(await it.served(address))
            await asyncio.sleep(0.02)
    return pages


async def router_totals(it):
    """Arrivals, answers in full and ends of requests, over all classes and sizes."""
    counted = await it.counters("arrivals_total", "completions_total", "attained_total")
    return tuple(sum(values.values()) for values in counted.values())


async def refusal_reasons(it):
    return {labels[-1] for labels in (await it.counters("refusals_total"))["refusals_total"]}


async def of_those_left(it):
    """What the servers that are there say of themselves."""
    return [await it.served(address) for address in it.addresses(serves).values()]


async def test_a_server_that_is_scaled_in_drains_and_loses_no_request(tmp_path):
    async with two_hundred_under_way(tmp_path) as (it, ledger, traffic):
        await it.hold_at(2)
        await until(lambda: it.addresses(is_ending))
        n_under_way = ledger.count(State.OPEN)
        ((name, address),) = it.addresses(is_ending).items()
        pages = await pages_to_the_end(it, address)
        await until(lambda: name not in it.addresses())
        await traffic
        totals, reasons = await router_totals(it), await refusal_reasons(it)
        left = await of_those_left(it)
    assert n_under_way >= 200
    assert ledger.failures == {}
    assert ledger.count(State.ANSWERED) == N
    assert pages[0].n_open > 0
    assert len(left) == 2
    assert totals == (N, N, N)
    # each prompt was read by one server, and once: the last page is from long after the last new request
    assert sum(each.n_prompt_tokens for each in (*left, pages[-1])) == N * ISL
    # sent to it before the router saw the deletionTimestamp, and taken by another
    assert reasons <= {"abort"}


async def test_a_killed_server_costs_the_answers_that_it_had_begun_and_is_replaced(tmp_path):
    async with two_hundred_under_way(tmp_path) as (it, ledger, traffic):
        (name, address), *others = it.addresses(serves).items()
        number, before = it.process_id(address), await it.served(address)
        n_under_way = ledger.count(State.OPEN)
        # frozen first, so that what it has begun can be counted, and more arrives that it never begins
        os.kill(number, signal.SIGSTOP)
        n_at_it = await it.n_in_flight(name)
        await until(lambda: it.has_in_flight(name, n_at_it + 5))
        os.kill(number, signal.SIGKILL)
        await until(lambda: name not in it.addresses() and len(it.addresses(serves)) == 3)
        await traffic
        totals, reasons = await router_totals(it), await refusal_reasons(it)
        left = await of_those_left(it)
        (new,) = it.addresses(serves).keys() - dict(others).keys()
        await until(lambda: it.has_in_flight(new, 0))
        later = it.clients(requests(N_LATER), "later")
        await later.run(asyncio.Event())
        of_new = await it.served(it.addresses()[new])
    n_cut, n_answered = ledger.failures["cut"], ledger.count(State.ANSWERED)
    assert n_under_way >= 200
    assert ledger.failures.keys() == {"cut"}
    assert 0 < n_cut <= n_at_it
    assert n_answered + n_cut == N
    assert totals == (N, n_answered, N)
    # between the page of the killed server and its death at most what it had begun was answered
    assert 0 <= n_answered - sum(each.n_done for each in (*left, before)) <= n_at_it
    assert {"reset"} <= reasons <= {"reset", "connect"}
    assert later.ledger.count(State.ANSWERED) == N_LATER
    assert of_new.n_done > 0
