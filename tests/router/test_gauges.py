"""The two gauges of each instance."""

import asyncio

import pytest

from llmd_autoscaler.router.gauges import _read, requests_on, watch_gauges
from tests.router.conftest import World, plain

PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a} 7.0"} 3.0
vllm:num_requests_running{engine="1",model_name="a} 7.0"} 2.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a"} 4.0
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",model_name="a",reason="capacity"} 4.0
"""


def test_running_and_waiting_of_all_engines_are_summed_and_longer_names_are_not() -> None:
    assert requests_on(PAGE.encode()) == 9.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vllm:num_requests_running 5", 5.0),
        ('vllm:num_requests_running{a="b"} 5 1764000000', 5.0),
        ("vllm:num_requests_running NaN", 0.0),
        ("vllm:num_requests_running +Inf", 0.0),
        ("vllm:num_requests_running -1", 0.0),
        ("vllm:num_requests_running", 0.0),
        ("vllm:num_requests_running five", 0.0),
        ("<html>", 0.0),
    ],
)
def test_odd_lines_are_no_requests(line: str, expected: float) -> None:
    assert requests_on(f"# TYPE x gauge\n{line}".encode()) == expected


async def test_our_own_requests_are_not_foreign(world: World) -> None:
    server = await world.server(plain({}))
    server.page = PAGE
    instance = world.instances()[0]
    instance.n_in_flight = 4
    await _read(instance, world.proxy.session)
    assert instance.n_foreign == 5.0


async def test_a_page_that_cannot_be_read_leaves_our_own_account(world: World) -> None:
    instance = world.instance(1)  # nobody listens on port 1
    instance.n_foreign = 8.0
    await _read(instance, world.proxy.session)
    assert instance.n_foreign == 0.0


async def test_every_instance_is_read_in_each_round(world: World) -> None:
    for name in ("a", "b"):
        (await world.server(plain({}), name=name)).page = PAGE
    watching = asyncio.create_task(watch_gauges(world.fleet, world.proxy.session))
    async with asyncio.timeout(5):
        while not all(i.n_foreign == 9.0 for i in world.instances()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    watching.cancel()
