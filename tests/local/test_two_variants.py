"""Two variants and three classes with real processes: requests go where the decision's routes say."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.ledger import State
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.scenario import replay_of
from llmd_autoscaler.simulator.pod_status import serves
from llmd_autoscaler.translate.routing import read_routing_table
from tests.local.system import system, until

pytestmark = [pytest.mark.slow, pytest.mark.fleet, pytest.mark.timeout(180)]

CONFIG = Path(__file__).with_name("config-two-variants")
START = {"llama-70b-a100": 2, "llama-70b-h100": 3}


def published(blueprint, journal):
    """(time, routing table) of every status of the ServiceLevel that has routes, as the router reads it."""
    (level,) = (each.body for each in blueprint.objects if each.kind == "ServiceLevel")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [
        (line["at_s"], read_routing_table({**level, "status": line["status"]}))
        for line in lines
        if line["kind"] == "ServiceLevel" and line["status"].get("routes")
    ]


def due(tables, answers, class_names, *, start_s, since_s):
    """Prompt tokens of each target by the fractions that were in force when their requests arrived."""
    found = Counter()
    for at_s, c, isl in zip(answers.at_s, answers.class_of, answers.isl, strict=True):
        if at_s < since_s:
            continue
        *_, table = (table for from_s, table in tables if from_s - start_s <= at_s)
        for route in table.route_set(class_names[c], int(isl)).routes:
            found[route.place.target] += route.fraction * int(isl)
    return found


async def tokens_read(it):
    """Prompt tokens that each target has read."""
    read = Counter()
    for pod, address in it.addresses(serves).items():
        read[pod.rpartition("-")[0]] += (await it.served(address)).n_prompt_tokens
    return read


async def test_each_target_gets_the_requests_that_the_routes_give_it(tmp_path):
    blueprint = load_config(CONFIG)
    replay = replay_of(blueprint, Options(config=CONFIG, until_s=180.0))
    journal = tmp_path / "statuses.jsonl"
    async with system(blueprint, START, tmp_path) as it:
        clients = it.clients(replay, "two")
        traffic = asyncio.create_task(clients.run(asyncio.Event()))
        await until(lambda: published(blueprint, journal))
        before, since_s = await tokens_read(it), it.fleet.clock.now_s() - clients.start_s
        await traffic
        read = await tokens_read(it) - before
        ended = (await it.counters("attained_total"))["attained_total"]
    answers, tables = clients.ledger.answers(), published(blueprint, journal)
    names = [each.qos.name for each in blueprint.classes]
    expected = due(tables, answers, names, start_s=clients.start_s, since_s=since_s)
    n_of_class = Counter(names[c] for c in answers.class_of)
    assert clients.ledger.count(State.ANSWERED) == len(replay.at_s)
    assert len(n_of_class) == 3
    for name in names:  # no class took the way of another
        ends = sum(n for (_, of_class, _), n in ended.items() if of_class == name)
        assert ends == n_of_class[name]
    assert expected.keys() == read.keys() == START.keys()
    for target, n in expected.items():
        # the router sees a new decision a moment before or after the journal of this test does
        assert abs(read[target] - n) <= 0.02 * expected.total()
