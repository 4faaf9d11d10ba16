"""The account itself: of each kind of wrong answer, that it would be found."""

import asyncio
import json

import pytest
import pytest_asyncio

from llmd_autoscaler.clock import Clock
from tests.e2e.served import accounted

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def account(plane, api, site, tmp_path):
    """Of a variant of four, by the first leader."""
    answers, log = tmp_path / "answers.jsonl", tmp_path / "controllers.log"
    answers.touch()
    async with accounted(plane, api, (site.namespace, "v"), answers=[answers], log=log) as ledger:
        ledger.settle_s = 0.0
        await site.declare("v")
        await decided(site, ledger, 4, "1-1")
        yield ledger


async def decided(site, ledger, number, decision, **options):
    """A decision that a controller has made, and published."""
    before = len(ledger.statuses)
    line = {
        "event": "tick_decided",
        "at_s": Clock().now_s(),
        "decision_id": decision,
        "mix": {"v": number},
        "qps": None,
        "reasons": [],
    }
    with ledger.log.open("a") as log:
        log.write(json.dumps(line) + "\n")
    await site.publish("v", number, decision=decision, **options)
    await site.until(lambda: len(ledger.statuses) > before)


def answered(ledger, number, *, decided_at=None, later_s=0.0):
    """An answer in the words of the adapter."""
    [file] = ledger.files
    item = {"value": str(number), "timestamp": decided_at or ledger.statuses[-1].decided_at}
    said = {
        "asked_s": Clock().now_s() + later_s,
        "path": ledger.path_of_metric,
        "code": 200,
        "body": json.dumps({"items": [item]}),
    }
    with file.open("a") as answers:
        answers.write(json.dumps(said) + "\n")


async def test_the_number_that_was_published_is_no_mistake(account):
    answered(account, 4)
    assert account.mistakes() == []
    assert len(account.reads) == 1


async def test_a_number_that_was_never_published_is_found(account):
    answered(account, 5)
    [found] = account.mistakes()
    assert "no status said so" in found


async def test_a_number_that_no_controller_has_decided_is_found(account, site):
    await site.publish("v", 7, decision="1-2")
    await site.until(lambda: account.statuses[-1].number == 7)
    answered(account, 7)
    [found] = account.mistakes()
    assert "the controller never decided so" in found


async def test_a_number_past_its_time_is_found(account):
    answered(account, 4, later_s=601.0)
    [found] = account.mistakes()
    assert "expired" in found


async def test_a_number_of_a_leader_before_the_last_is_found(account, site):
    old = account.statuses[-1]
    await asyncio.sleep(1.0)  # the times of decisions are whole seconds
    await decided(site, account, 4, "2-1")
    answered(account, old.number, decided_at=old.decided_at)
    [found] = account.mistakes()
    assert "a newer leader than that of 1-1 had been seen" in found


async def test_a_fleet_that_moves_without_an_answer_is_found(account, site):
    await site.until(lambda: account.scales != [])
    await site.scale("v", 3)
    await site.until(lambda: account.scales[-1].after == 3)
    [found] = account.mistakes()
    assert "scaled to 3" in found
