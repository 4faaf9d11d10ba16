"""The tables that people read."""

import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.status_table import level_table, print_status, variant_table
from llmd_autoscaler.errors import ObservationError
from tests.controller.conftest import EXAMPLE

CREATED_S = 1795512600.0  # 2026-11-24T09:30:00Z


def named(position, **changes):
    metadata = EXAMPLE[position]["metadata"] | {"creationTimestamp": "2026-11-24T09:30:00Z"}
    return EXAMPLE[position] | {"metadata": metadata} | changes


def cells(table):
    return [[cell.strip() for cell in line.split("   ") if cell] for line in table.splitlines()]


def test_a_level_is_a_line():
    head, line = cells(level_table([named(0)], now_s=CREATED_S + 90))
    assert dict(zip(head, line, strict=True)) == {
        "NAMESPACE": "llm",
        "NAME": "servicelevel/llama-70b",
        "MODEL": "meta-llama/Llama-3.1-70B-Instruct",
        "CLASSES": "3",
        "QPS": "8.31",
        "SLO": "0.996",
        "PREDICTED": "0.993",
        "COST/H": "74.50",
        "$/1M TOKENS": "1.67",
        "FEASIBLE": "True",
        "AGE": "90s",
    }


def test_a_variant_is_a_line():
    head, line = cells(variant_table([named(1)], now_s=CREATED_S + 7200))
    assert dict(zip(head, line, strict=True)) == {
        "NAMESPACE": "llm",
        "NAME": "variantautoscaling/llama-70b-a100",
        "MODEL": "meta-llama/Llama-3.1-70B-Instruct",
        "ACCELERATOR": "A100-80GB",
        "GROUPS": "mixed",
        "REPLICAS": "4",
        "DESIRED": "4",
        "LOAD": "3.21",
        "COST/H": "56.00",
        "READY": "3",
        "REASON": "DemandUp",
        "AGE": "2h",
    }


@pytest.mark.parametrize(
    ("age_s", "text"),
    [(-5, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (172799, "47h"), (172800, "2d")],
)
def test_an_age_is_as_short_as_it_can_be(age_s, text):
    assert cells(level_table([named(0)], now_s=CREATED_S + age_s))[1][-1] == text


def test_what_was_not_decided_reads_as_none():
    line = cells(variant_table([named(1, status={})], now_s=CREATED_S))[1]
    assert line[5:11] == ["<none>"] * 6


def test_a_variant_in_trouble_shows_its_failing_condition():
    failing = {"type": "ProfileTrusted", "status": "False", "reason": "ProfileDoesNotFit"}
    table = variant_table([named(1, status={"conditions": [failing]})], now_s=CREATED_S)
    assert cells(table)[1][10] == "ProfileDoesNotFit"


def test_columns_are_aligned():
    lines = level_table([named(0), named(0, spec={})], now_s=CREATED_S).splitlines()
    assert len({line.index("servicelevel/") for line in lines[1:]}) == 1


async def test_the_tables_come_from_an_api_server(world):
    await world.all_of_one_model()
    text = await print_status(world.address, clock=Clock())
    assert ["servicelevel/llama" in text, "variantautoscaling/a100" in text] == [True, True]


async def test_an_empty_cluster_says_so(world):
    assert await print_status(world.address) == "no ServiceLevels\n\nno VariantAutoscalings\n"


async def test_an_api_server_that_is_not_there_is_an_observation_error():
    with pytest.raises(ObservationError, match="no answer"):
        await print_status("http://127.0.0.1:1")
