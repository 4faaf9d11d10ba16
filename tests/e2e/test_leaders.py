"""A leader dies, stands still, or is cut off: the other goes on, and what the first still writes is never served (check 13)."""

import contextlib
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.rivals import kill, rivalling

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(plane, adapter, tmp_path_factory):
    async with rivalling(plane, adapter, tmp_path_factory.mktemp("rivals")) as it:
        yield it


async def test_a_killed_leader_is_followed_by_the_other_with_a_newer_epoch(it, record_property):
    epoch, (leader, _) = it.epoch, await it.leader()
    kill(leader.program)
    try:
        await it.recovers("leader killed", record_property)
    finally:
        leader.program.start()
        it.plane.renew_guard()
    assert it.epoch > epoch


async def test_a_paused_leader_that_goes_on_writes_nothing_and_follows(it, record_property):
    leader, other = await it.leader()
    epoch = it.epoch
    leader.program.pause()
    try:
        await it.recovers("leader paused", record_property)
        assert it.epoch > epoch
        n_before = len(it.ledger.statuses)
    finally:
        leader.program.resume()
    await it.site.until(leader.follows)
    await it.site.until(lambda: len(it.ledger.statuses) >= n_before + 2)
    assert await other.leads()
    assert {each.decision.epoch for each in it.ledger.statuses[n_before:]} == {it.epoch}


async def test_a_write_that_the_network_held_back_until_another_leads_is_refused(
    it, record_property
):
    """The leader had every right to it when it wrote; only the server can tell how late it arrives."""
    n_refused = len(refused_writes(it.plane))
    leader, other = await cut_off_at_a_write(it)
    epoch = it.epoch
    try:
        leader.program.pause()  # or it would hang up before
        await it.recovers("leader cut off", record_property)
        assert it.epoch > epoch
        leader.network.resume()
        await it.site.until(lambda: len(refused_writes(it.plane)) > n_refused)
    finally:
        leader.network.resume()
        leader.program.resume()
    await it.site.until(leader.follows)
    assert await other.leads()
    assert it.ledger.statuses[-1].decision.epoch == it.epoch


async def test_while_nobody_leads_the_last_number_ends_and_is_withheld_and_the_fleet_stands(
    it, record_property
):
    epoch, n_asked = it.epoch, len(it.ledger.scales)
    for each in it.rivals:
        kill(each.program)
    try:
        await it.ask()
        await it.says("was valid until")
        await it.stays(2.0)
    finally:
        for each in it.rivals:
            each.program.start()
        it.plane.renew_guard()
    assert len(it.ledger.scales) == n_asked
    await it.recovers("both controllers killed", record_property)
    assert it.epoch > epoch


async def cut_off_at_a_write(it):
    """The leader, whose network holds a status back, and the other; tried again where nothing was on its way in time."""
    while True:
        leader, other = await it.leader()
        n_before = len(it.ledger.statuses)
        await it.site.until(lambda n=n_before: len(it.ledger.statuses) > n)
        leader.network.pause()
        with contextlib.suppress(TimeoutError):
            await it.site.until(lambda port=leader.network_port: held(port), within_s=3.0)
            return leader, other
        leader.network.resume()


def held(port):
    """Whether a connection to a port has bytes of a whole status that nobody reads: a look at the lease has half of it."""
    fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    queued = [each[4].split(":")[1] for each in fields if each[1].endswith(f":{port:04X}")]
    return any(int(n_bytes, 16) > 3000 for n_bytes in queued)


def refused_writes(plane):
    """Statuses of a controller that the API server found to be invalid."""
    return [
        event["requestURI"]
        for event in plane.audit_events()
        if event.get("responseStatus", {}).get("code") == 422
        and event["user"]["username"].endswith(":llmd-controller")
    ]
