"""Networks that hang, clocks that jump, rights that are taken away, and hands that write where ours should."""

import asyncio
from itertools import dropwhile

import pytest
import pytest_asyncio

from models.decision_id import MAX_EPOCH
from tests.controlplane.api import MERGE, ApiError
from tests.e2e.hasty_controller import TIMING
from tests.e2e.identity import apply_roles
from tests.e2e.rivals import ROLES, rivalling

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

HOUR_S = 3600.0
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(plane, adapter, tmp_path_factory):
    async with rivalling(plane, adapter, tmp_path_factory.mktemp("rivals")) as it:
        yield it


async def test_while_the_network_of_the_adapters_hangs_the_fleet_stands(it, record_property):
    """It accepts connections and passes nothing: the adapters cannot ask who may, and so answer nobody."""
    it.adapter.network.pause()
    try:
        await it.ask()
        await it.says("cannot be asked", "did not answer a review", "who asks and what they may")
        await it.stays(2.0)
    finally:
        it.adapter.network.resume()
    await it.recovers("network of the adapters hung", record_property)


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S], ids=["ahead", "behind"])
async def test_a_clock_that_jumps_by_an_hour_moves_no_fleet_to_a_wrong_number(
    it, by_s, record_property
):
    number = it.ledger.scales[-1].after
    it.step_clocks(by_s)
    try:
        if by_s < 0.0:
            # what is decided an hour ago has ended before it is read
            await it.says("was valid until")
        n_before = len(it.ledger.statuses)
        await it.site.until(lambda: len(it.ledger.statuses) >= n_before + 2, within_s=60.0)
    finally:
        it.step_clocks(0.0)
    assert it.ledger.scales[-1].after == number
    await it.recovers(f"clocks {by_s:+.0f} s", record_property)


async def test_a_number_by_somebody_elses_hand_is_written_over_and_told_no_longer_than_it_stood(
    it, record_property
):
    number, foreign, before = it.ledger.scales[-1].after, 7, len(it.ledger.statuses)

    def since():
        """The foreign number and what came after it."""
        return list(dropwhile(lambda s: s.number != foreign, it.ledger.statuses[before:]))

    await write_status(it, {"desiredReplicas": foreign})
    await it.site.until(lambda: len(since()) > 1, within_s=60.0)
    written, healed, *_ = since()
    await it.recovers("a foreign number", record_property)
    assert (written.number, healed.number) == (foreign, number)
    forgive(it.ledger, written.seen_s, healed.seen_s, foreign)


@pytest.mark.parametrize("by", [1000, 2**31], ids=["large", "more than a lease can count"])
async def test_an_epoch_by_somebody_elses_hand_is_outdone_by_the_leader(it, by, record_property):
    """Nobody can take over by a large number: the leader counts on from there, and stays the leader."""
    epoch, before = it.epoch + by, len(it.ledger.statuses)
    leader, _ = await it.leader()
    await write_status(it, {"decisionID": f"{epoch}-1"})
    await it.site.until(lambda: it.epoch > epoch, within_s=60.0)
    await it.recovers("a foreign epoch", record_property)
    epochs = [each.decision.epoch for each in it.ledger.statuses[before:]]
    assert set(epochs[epochs.index(epoch) + 1 :]) == {epoch + 1}
    await asyncio.sleep(TIMING.renew_within_s + 1.0)
    assert await leader.leads()


async def test_an_epoch_above_all_others_stops_no_leader_and_a_person_takes_it_back(
    it, record_property
):
    """Nobody can outdo it: its own model stands until somebody puts null there, the leader leads on."""
    leader, _ = await it.leader()
    await write_status(it, {"decisionID": f"{MAX_EPOCH}-1"})
    await it.says("of an epoch that no leader can have; write null")
    assert await leader.leads()
    await write_status(it, {"decisionID": None})
    await it.recovers("an epoch above all others", record_property)
    it.ledger.statuses = [s for s in it.ledger.statuses if s.decision.epoch < MAX_EPOCH]
    assert await leader.leads()


async def test_an_older_epoch_by_somebody_elses_hand_is_refused(it):
    with pytest.raises(ApiError, match="a newer leader has decided since"):
        await write_status(it, {"decisionID": "0-1", "desiredReplicas": 7})


async def test_a_controller_without_its_rights_says_so_and_writes_again_when_they_are_back(
    it, record_property
):
    n_forbidden = forbidden(it)
    await it.site.api.call("DELETE", f"{BINDINGS}/llmd-controller")
    try:
        await it.ask()
        await it.site.until(lambda: forbidden(it) > n_forbidden)
        await it.stays(2.0)
    finally:
        await asyncio.to_thread(apply_roles, it.plane, ROLES)
    await it.recovers("controller without its role", record_property)


async def test_an_adapter_without_its_rights_answers_nobody_and_says_why(it, record_property):
    await it.site.api.call("DELETE", f"{BINDINGS}/llmd-adapter-delegator")
    try:
        await it.ask()
        await it.says("may do cannot be asked")
        await it.stays(2.0)
    finally:
        await asyncio.to_thread(apply_roles, it.plane, "base/adapter/rbac.yaml")
    await it.recovers("adapter without its role", record_property)


def forbidden(it):
    """How many ticks failed since a role was missing, by the controllers' own word."""
    lines = [line for line in it.log().splitlines() if '"tick_failed"' in line]
    return sum(": 403 " in line for line in lines)


async def write_status(it, status):
    """What somebody with the right to write statuses does by hand, as `kubectl edit --subresource status` does it."""
    path = f"{it.site.variant(it.name)}/status?fieldManager=kubectl-edit"
    await it.site.api.call("PATCH", path, {"status": status}, kind=MERGE)


def forgive(ledger, from_s, to_s, number):
    """Take out of the account that a foreign number was told as long as it stood, and followed, and no longer."""
    ledger.take_answers()
    foreign = [each for each in ledger.reads if each.value == str(number)]
    assert all(from_s - ledger.settle_s <= e.asked_s <= to_s + ledger.settle_s for e in foreign)
    ledger.reads = [each for each in ledger.reads if each not in foreign]
    ledger.by_hand_s.append((from_s, to_s + 2 * ledger.settle_s))
