"""A real Prometheus over a real run: every expression of the dashboard has something to show."""

import asyncio
import contextlib
from importlib.resources import files

import numpy as np
import pytest

from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.simulator.replay import Replay
from tests.dashboards.prometheus import expressions, scraping
from tests.local.system import system

pytestmark = [pytest.mark.slow, pytest.mark.fleet, pytest.mark.timeout(240)]

# What a good run does not show: each of these series begins with the event that it counts.
EVENTS = (
    "llmd_router_unanswered_total",
    "llmd_router_refusals_total",
    "llmd_router_retries_total",
    'bound!="all"',
    "llmd_autoscaler_tick_failures_total",
    "llmd_autoscaler_scrape_failures_total",
    "llmd_autoscaler_failing_condition",
    "llmd_adapter_withheld_total",
    # one controller alone stands for no election
    "llmd_autoscaler_leader",
    # plain HTTP on loopback has no certificate
    "llmd_adapter_certificate_expiry_seconds",
)
QPS, ISL, OSL, SPAN_S = 6.0, 300, 100, 900.0
PROMPTLY_S = 60.0
DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()


def traffic():
    """Equal requests at equal distances, of the two classes in turn; longer than the test takes."""
    n = int(QPS * SPAN_S)
    return Replay(
        at_s=np.arange(n) / QPS,
        isl=np.full(n, ISL, dtype=np.int64),
        osl=np.full(n, OSL, dtype=np.int64),
        class_of=np.arange(n, dtype=np.int64) % 2,
    )


def is_event(expression):
    return any(part in expression for part in EVENTS)


async def empty(prometheus):
    """The expressions without a number."""
    found = [each for each in expressions() if not is_event(each)]
    results = await asyncio.gather(*(prometheus.result(each) for each in found))
    return [
        each
        for each, result in zip(found, results, strict=True)
        if not any(series["value"][1] not in {"NaN", "+Inf"} for series in result)
    ]


async def test_every_expression_has_numbers_in_a_run_but_those_of_events(tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "default.yaml").write_text(DEFAULT)
    async with contextlib.AsyncExitStack() as stack:
        it = await stack.enter_async_context(
            system(load_config(config), {"llama-70b-a100": 3}, tmp_path)
        )
        targets = {
            name: it.fleet.url(name).removeprefix("http://")
            for name in ("controller", "router", "adapter")
        }
        prometheus = await stack.enter_async_context(scraping(targets, tmp_path))
        clients = asyncio.create_task(it.clients(traffic(), "d").run(asyncio.Event()))
        missing = ["not asked yet"]
        try:
            async with asyncio.timeout(PROMPTLY_S):
                while missing := await empty(prometheus):  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(1.0)
        except TimeoutError:
            pytest.fail(f"without a number after {PROMPTLY_S:.0f} s: {missing}")
        finally:
            clients.cancel()
            await asyncio.gather(clients, return_exceptions=True)
        # and what waits for an event is an expression that a real Prometheus understands
        for each in filter(is_event, expressions()):
            await prometheus.result(each)
