"""Servers under faults, with real processes: killed, hung, slow, talking rubbish, never ready, scaled in under a burst.

Every test begins and ends with a closed loop. What an HPA was told is checked after each (conftest.it).
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys

import pytest

from llmd_autoscaler.kube.resources import DEPLOYMENTS, PODS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.local.ledger import State
from llmd_autoscaler.simulator.pod_status import is_ending
from llmd_autoscaler.translate.json_object import items
from tests.faults.controller_process import PERIOD_S
from tests.faults.stage import N_INSTANCES, QPS, TARGET, n_answered, steady
from tests.local.system import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fleet,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

SLOWER = 1.3
N_BURST = 40


async def container_of_the_deployment(it):
    namespace = it.system.fleet.blueprint.namespace
    deployment = await it.system.kube.get(DEPLOYMENTS, namespace, TARGET)
    (container,) = items(deployment, "spec", "template", "spec", "containers")
    return container


async def run_in_new_pods(it, container):
    """A new template; the pods that run go on as they are."""
    template = {"spec": {"containers": [container]}}
    namespace = it.system.fleet.blueprint.namespace
    await it.system.kube.merge(DEPLOYMENTS, namespace, TARGET, {"spec": {"template": template}})


async def replace_one(it):
    """Let one pod drain; returns the name of the one that takes its place."""
    before = it.system.addresses()
    namespace = it.system.fleet.blueprint.namespace
    await it.system.kube.delete(PODS, namespace, min(it.ready()))
    await until(lambda: it.system.addresses().keys() - before.keys())
    (name,) = it.system.addresses().keys() - before.keys()
    return name


@contextlib.asynccontextmanager
async def one_pod_runs(it, *command):
    """A pod whose container has another command while the context lasts, then a good one again."""
    good = await container_of_the_deployment(it)
    await run_in_new_pods(it, {**good, "command": list(command)})
    try:
        yield await replace_one(it)
    finally:
        await run_in_new_pods(it, good)


async def remove(it, name):
    namespace = it.system.fleet.blueprint.namespace
    await it.system.kube.delete(PODS, namespace, name)
    await until(lambda: name not in it.system.addresses())


async def condition(it, kind):
    namespace = it.system.fleet.blueprint.namespace
    variant = await it.system.kube.get(VARIANT_AUTOSCALINGS, namespace, TARGET)
    (found,) = (c for c in items(variant, "status", "conditions") if c["type"] == kind)
    return found


async def is_named_unreachable(it, name):
    """Whether the status says of a pod that it could not be asked, and that others could."""
    said = await condition(it, "MetricsAvailable")
    return said["reason"] == "SomeUnreachable" and name in said["message"]


async def completions(it):
    """What every server that is ready has answered, by pod."""
    return {name: (await it.system.served(address)).n_done for name, address in it.ready().items()}


async def test_a_killed_server_costs_what_it_had_begun_and_is_replaced_without_a_flap(it):
    began_s, failed_before, scales_before = it.now_s, it.failures, len(it.account.scales)
    name, address = min(it.ready().items())
    n_at_it = await it.system.n_in_flight(name)
    os.kill(it.system.process_id(address), signal.SIGKILL)
    await until(lambda: name not in it.system.addresses())
    await it.recovery("server killed")
    lost = it.failures - failed_before
    assert lost.keys() <= {"cut"}
    # between the count and the kill a few more may have come
    assert lost["cut"] <= n_at_it + 10
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_requests_at_a_hung_server_wait_for_it_and_the_others_go_on(it):
    began_s, failed_before, scales_before = it.now_s, it.failures, len(it.account.scales)
    name, address = min(it.ready().items())
    number = it.system.process_id(address)
    answered_before, arrived_before = n_answered(it), it.clients.ledger.n_arrived
    with it.stopped(number):
        await it.wait_s(6 * PERIOD_S)
        is_named = await is_named_unreachable(it, name)
        n_stuck = await it.system.n_in_flight(name)
        n_answered_meanwhile = n_answered(it) - answered_before
        n_arrived_meanwhile = it.clients.ledger.n_arrived - arrived_before
    await it.recovery("server hung for six ticks")
    await until(lambda: n_answered(it) - answered_before >= n_arrived_meanwhile)
    assert is_named
    assert it.failures == failed_before
    assert n_stuck < n_answered_meanwhile / 2
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_a_server_slower_by_a_third_gets_fewer_requests_and_fails_none(it):
    began_s, failed_before = it.now_s, it.failures
    profile = it.system.fleet.folder / f"profile-{TARGET}.yaml"
    slow = profile.with_name("profile-slow.yaml")
    said = json.loads(profile.read_text())
    said["spec"]["step"] = {k: str(float(v) * SLOWER) for k, v in said["spec"]["step"].items()}
    slow.write_text(json.dumps(said))
    good = await container_of_the_deployment(it)
    command = [str(slow) if word == str(profile) else word for word in good["command"]]
    async with one_pod_runs(it, *command) as name:
        await it.recovery("server replaced by one that is slower by 30 %")
        before = await completions(it)
        await it.wait_s(5 * PERIOD_S)
        after = await completions(it)
    n_done = {pod: after[pod] - before[pod] for pod in after}
    of_slow = n_done.pop(name)
    await remove(it, name)
    await it.recovery("slow server removed")
    assert it.failures == failed_before
    assert of_slow < min(n_done.values())
    assert it.numbers_since(began_s) == {N_INSTANCES}


async def test_a_server_that_talks_rubbish_answers_nobody_and_is_named(it):
    began_s, failed_before = it.now_s, it.failures
    program = (sys.executable, "-m", "tests.faults.garbage_server")
    async with one_pod_runs(it, *program, "--host", "$(POD_IP)", "--port", "8000") as name:
        await until(lambda: is_named_unreachable(it, name))
        refusals = (await it.system.counters("refusals_total"))["refusals_total"]
    await remove(it, name)
    await it.recovery("server that talks rubbish removed")
    # each was tried again elsewhere: nobody saw the rubbish
    assert it.failures == failed_before
    assert "no_answer" in {labels[-1] for labels in refusals}
    assert it.numbers_since(began_s) == {N_INSTANCES}


async def test_a_pod_that_never_becomes_ready_is_shown_as_starting_and_no_more_are_asked_for(it):
    began_s, scales_before = it.now_s, len(it.account.scales)
    sleeper = "import time; time.sleep(3600)"
    async with one_pod_runs(it, sys.executable, "-c", sleeper) as name:
        await until(lambda: len(it.ready()) == N_INSTANCES - 1)
        seen_s = it.now_s
        await until(lambda: len(it.account.lines(seen_s)) >= 6)
        said = await condition(it, "TargetResolved")
        n_pods = len(it.system.addresses())
    await remove(it, name)
    await it.recovery("pod that never became ready removed")
    assert f"{N_INSTANCES - 1} ready, 1 starting" in said["message"]
    assert n_pods == N_INSTANCES
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_a_scale_in_during_a_burst_loses_no_request(it):
    began_s, failed_before = it.now_s, it.failures
    # 40 requests within two seconds, on top of the steady ones
    every = steady(N_BURST)
    burst = it.system.clients(dataclasses.replace(every, at_s=every.at_s * QPS / 20.0), "burst")
    async with it.held_at(N_INSTANCES - 1):
        traffic = asyncio.create_task(burst.run(asyncio.Event()))
        await until(lambda: it.system.addresses(is_ending))
        n_open = burst.ledger.count(State.OPEN) + it.clients.ledger.count(State.OPEN)
        await traffic
    await it.recovery("scale-in during a burst, and out again")
    await until(lambda: len(it.system.addresses()) == N_INSTANCES)
    assert n_open > 0
    assert burst.ledger.failures == {}
    assert burst.ledger.count(State.ANSWERED) == N_BURST
    assert it.failures == failed_before
    # the burst is demand, too: one more for a while is no mistake
    assert it.numbers_since(began_s) <= {N_INSTANCES, N_INSTANCES + 1}
