"""Traps that other autoscalers were caught in, where no test beside a module holds them."""

import math
from pathlib import Path

import pytest

from llmd_autoscaler.engines import vllm
from llmd_autoscaler.kube.resources import DEPLOYMENTS, SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from tests.controller.test_source import counted, source, view
from tests.controller.test_source import pages as pages  # noqa: PLC0414 (a fixture)
from tests.controller.test_source import vllm as page_of
from tests.inputs.running import running

_PAGES = Path(__file__).parents[1] / "data/vllm"
_RECORDED = sorted(path.name for path in _PAGES.glob("metrics-*.txt"))


def relabelled(text):
    """The page as one passes it on that adds its own labels, as a federation or a proxy does."""
    lines = []
    for line in text.splitlines():
        name, brace, rest = line.partition("{")
        added = 'namespace="monitoring",exported_namespace="llm",'
        lines.append(f"{name}{{{added}{rest}" if brace and not line.startswith("#") else line)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", _RECORDED)
def test_labels_that_others_added_change_nothing_that_is_read(name):
    text = (_PAGES / name).read_text(encoding="utf-8")
    as_sent, passed_on = vllm.read_page(text.encode()), vllm.read_page(relabelled(text).encode())
    assert passed_on == as_sent


async def test_a_pod_whose_counters_are_nan_has_no_traffic_and_is_named(pages):
    at = await pages.at("p", page_of(finished=math.nan, running=math.nan, waiting=math.nan))
    async with source() as (counting, _):
        (found,) = (await counting.counts(view(pods={"p": at}), now_s=1000.0)).values()
    assert found.traffic == {}
    assert found.unreachable[0].startswith("llm/p: ")


async def test_a_router_whose_counters_are_nan_is_not_believed(pages):
    at = await pages.at("r", counted().replace(" 3.0\n", " NaN\n").replace(" 3\n", " NaN\n"))
    async with source() as (counting, _):
        (found,) = (await counting.counts(view(routers=(at,)), now_s=1000.0)).values()
    assert found.traffic == {}
    assert found.unreachable[0].startswith("router ")


async def test_an_instance_has_its_price_while_none_runs(world):
    async with running(world, n_ready=0) as it:
        await it.ticks(1)
        # what is desired is paid for, and nothing was desired yet but one
        assert it.decision.targets[0].desired * 14.0 == it.decision.usd_per_hour
        (target,) = it.recorder.decisions[-1].view.targets
    assert target.usd_per_hour == 14.0


async def test_instances_that_start_are_neither_counted_twice_nor_forgotten(world):
    async with running(world, qps=12.0) as it:
        number = (await it.ticks(6))[-1]
        deployment = await world.get(DEPLOYMENTS, "a100")
        for n in range(1, number):
            await world.pod(f"a100-{n}", deployment, is_ready=False)
        await it.seen(lambda v: v.models[0].targets[0].n_starting == number - 1)
        numbers = await it.ticks(3)
        (target,) = it.recorder.decisions[-1].view.targets
    assert number > 2
    assert numbers == [number] * 3
    assert (target.n_ready, target.n_present) == (1, number)


async def test_nobody_but_the_hpa_writes_the_scale(world):
    async with running(world, qps=12.0) as it:
        before = await world.get(DEPLOYMENTS, "a100")
        numbers = await it.ticks(8)
        after = await world.get(DEPLOYMENTS, "a100")
    assert numbers[-1] > 1
    assert after == before


async def test_a_wrong_model_id_is_told_and_not_published_as_desired(world):
    async with running(world) as it:
        await it.change(SERVICE_LEVELS, "llama", {"spec": {"modelID": "meta-llama/Llama-3.1-70B"}})
        await it.ticks_without_a_model(1)
        variant = await it.condition("OptimizationReady")
        level = await it.condition("SLOFeasible", SERVICE_LEVELS, "llama")
        status = await it.status()
    assert variant[:2] == ("False", "NoServiceLevel")
    assert level[:2] == ("Unknown", "NoTargets")
    assert "desiredReplicas" not in status


async def test_a_model_that_is_moved_to_another_name_keeps_its_history_in_its_status(world):
    async with running(world, qps=12.0) as it:
        number = (await it.ticks(8))[-1]
        await it.change(SERVICE_LEVELS, "llama", {"spec": {"modelID": "moved"}})
        await it.change(VARIANT_AUTOSCALINGS, "a100", {"spec": {"modelID": "moved"}})
        await it.ticks_without_a_model(1)
        status = await it.status()
    # its profile is of the old name: the sentence says that, the number stands and so does its history
    assert status["desiredReplicas"] == number
    assert status["history"]
