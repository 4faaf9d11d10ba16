"""The controlling side under faults, with real processes: router, adapter, controller, API server, foreign writers.

Every test begins and ends with a closed loop. What an HPA was told is checked after each (conftest.it).
"""

import signal

import pytest

from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from tests.faults.stage import N_INSTANCES, QPS, TARGET, n_answered
from tests.local.system import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fleet,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

HOUR_S = 3600.0


async def write_status(it, status):
    """What somebody with the right to write statuses does by hand."""
    namespace = it.system.fleet.blueprint.namespace
    await it.system.kube.apply_status(
        VARIANT_AUTOSCALINGS, namespace, TARGET, status, manager="somebody"
    )


async def test_a_killed_router_is_no_fall_of_demand(it):
    began_s, failed_before, scales_before = it.now_s, it.failures, len(it.account.scales)
    it.tell("router", signal.SIGKILL)
    await it.recovery("router killed")
    lines = it.account.lines(began_s)
    lost = it.failures - failed_before
    assert min(line.qps for line in lines if line.is_judged) >= 0.0
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before
    # what it had open, and what found nobody until it was back and knew its instances
    assert {reason.partition("_")[0] for reason in lost} <= {"connection", "not", "no"}, lost


async def test_while_the_adapter_hangs_and_dies_the_hpa_holds_and_later_goes_on(it):
    began_s, scales_before = it.now_s, len(it.account.scales)
    number = it.process_id("adapter")
    with it.stopped(number):
        await until(lambda: any(not read.value for read in it.account.reads_since(began_s)))
        it.tell("adapter", signal.SIGKILL)
    await it.recovery("adapter killed")
    assert it.process_id("adapter") != number
    assert {read.value for read in it.account.reads_since(began_s)} == {"", str(N_INSTANCES)}
    assert len(it.account.scales) == scales_before


async def test_a_killed_controller_goes_on_from_the_stored_number_in_a_new_epoch(it):
    began_s, scales_before = it.now_s, len(it.account.scales)
    epoch = it.account.statuses[-1].decision.epoch
    it.tell("controller", signal.SIGKILL)
    await it.recovery("controller killed")
    first, *_ = (line for line in it.account.lines(began_s) if line.decision.epoch == epoch + 1)
    assert not first.is_judged
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_decisions_of_a_paused_controller_run_out_and_are_withheld_until_it_goes_on(it):
    scales_before = len(it.account.scales)
    with it.stopped(it.process_id("controller")):
        await until(lambda: "was valid until" in it.account.reads[-1].why)
        withheld_s, last = it.now_s, it.account.statuses[-1]
    continued_s = it.now_s
    await it.recovery("controller paused beyond its decisions' validity")
    assert withheld_s > last.valid_until_s
    assert it.numbers_since(continued_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


@pytest.mark.parametrize("by_s", [300.0, HOUR_S])
async def test_a_clock_that_steps_ahead_takes_no_instance_away(it, by_s):
    began_s, scales_before = it.now_s, len(it.account.scales)
    it.step_clock(by_s)
    try:
        await until(lambda: len(it.account.lines(began_s)) >= 4)
    finally:
        it.step_clock(0.0)
    await it.recovery(f"controller's clock {by_s:g} s ahead, and right again")
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_what_a_clock_an_hour_behind_decides_is_withheld_and_the_hpa_holds(it):
    began_s, scales_before = it.now_s, len(it.account.scales)
    it.step_clock(-HOUR_S)
    try:
        await until(lambda: "was valid until" in it.account.reads[-1].why)
    finally:
        it.step_clock(0.0)
    await it.recovery("controller's clock an hour behind, and right again")
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_an_api_server_that_hangs_for_a_minute_costs_no_request_and_no_instance(it):
    began_s, failed_before, scales_before = it.now_s, it.failures, len(it.account.scales)
    answered_before = n_answered(it)
    with it.stopped(it.process_id("cluster")):
        await it.wait_s(60.0)
        n_meanwhile = n_answered(it) - answered_before
    await it.recovery("API server away for a minute")
    assert it.failures == failed_before
    # 60 s of arrivals, less what was still on its way: the servers and the router need no API server
    assert n_meanwhile > 30.0 * QPS
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert len(it.account.scales) == scales_before


async def test_a_number_that_somebody_wrote_is_written_over_at_the_next_tick(it):
    began_s = it.now_s
    await write_status(it, {"desiredReplicas": 6})
    await until(lambda: it.account.statuses[-1].number == 6)
    await until(lambda: it.account.statuses[-1].number == N_INSTANCES)
    n_ticks = len(it.account.lines(began_s))
    healed_s = it.now_s
    await it.recovery("a foreign number")
    # for as long as our decisionID stands beside it, nobody can tell it from ours
    foreign = [read for read in it.account.reads_since(began_s) if read.value == "6"]
    it.account.reads = [read for read in it.account.reads if read not in foreign]
    it.account.by_hand_s.append((began_s, it.now_s))
    assert all(read.asked_s <= healed_s + it.account.settle_s for read in foreign)
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert n_ticks <= 1


async def test_a_decision_of_an_older_leader_is_withheld_and_written_over_at_the_next_tick(it):
    began_s = it.now_s
    await write_status(it, {"decisionID": "0-1", "desiredReplicas": 6})
    await until(lambda: it.account.statuses[-1].decision.epoch == 0)
    await until(lambda: it.account.statuses[-1].decision.epoch > 0)
    n_ticks = len(it.account.lines(began_s))
    await it.recovery("a decision of an older leader")
    assert it.numbers_since(began_s) == {N_INSTANCES}
    assert {read.value for read in it.account.reads_since(began_s)} <= {"", str(N_INSTANCES)}
    assert n_ticks <= 1
