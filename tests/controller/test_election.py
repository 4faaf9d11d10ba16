"""Who of several controllers writes: a lease on the small API server, and clocks that the tests turn."""

import asyncio

import pytest

from llmd_autoscaler.controller.cluster import KubeCluster, KubeDoor
from llmd_autoscaler.controller.election import Candidate, Election, leader_page
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.kube.resources import EVENTS, LEASES, VARIANT_AUTOSCALINGS
from tests.controller.conftest import NOW_S, following, until
from tests.controller.test_cluster import has_ready, publication

PLACE = ("llm", "llmd-controller")


class Seconds:
    """A clock that only the test turns."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


class Deaf:
    """A door behind which nobody answers."""

    async def get(self, *_):
        raise ObservationError("no answer")


@pytest.fixture
def clock():
    return Seconds()


def candidate(world, name, clock, door=None):
    return Election(
        door or KubeDoor(world.kube), Candidate(name, PLACE), now_s=lambda: NOW_S, monotonic_s=clock
    )


async def lease(world):
    return (await world.get(LEASES, PLACE[1]))["spec"]


async def test_the_first_takes_the_lease_and_the_second_waits(world, clock):
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    await first.stand(0)
    await second.stand(0)
    assert (first.is_leader, second.is_leader) == (True, False)
    assert (await lease(world))["holderIdentity"] == "a"


async def test_times_of_a_lease_have_six_digits_of_a_second(world, clock):
    await candidate(world, "a", clock).stand(0)
    # 2023-11-14T22:13:20Z is NOW_S; a real API server refuses any other number of digits
    assert (await lease(world))["renewTime"] == "2023-11-14T22:13:20.000000Z"


async def test_a_lease_that_is_renewed_is_never_taken(world, clock):
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    for _ in range(20):  # 40 s, the lease is 15 s long
        await first.stand(0)
        await second.stand(0)
        clock.s += 2.0
    assert (first.is_leader, second.is_leader) == (True, False)


async def test_a_leader_stops_before_its_lease_can_be_taken(world, clock):
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    await first.stand(0)
    await second.stand(0)  # the second's own clock starts here
    clock.s += 10.0
    await second.stand(0)
    assert (first.is_leader, second.is_leader) == (False, False)
    clock.s += 5.1  # 15.1 s after the renewal was seen
    await second.stand(0)
    assert (first.is_leader, second.is_leader) == (False, True)


async def test_each_reign_has_a_number_above_all_that_was_used(world, clock):
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    await first.stand(7)  # 7 stands in some status
    await second.stand(7)
    clock.s += 16.0
    await second.stand(7)
    assert (first.reign, second.reign) == (8, 9)
    assert (await lease(world))["leaseTransitions"] == 9


async def test_a_lease_counts_no_further_than_it_can_and_reigns_go_on(world, clock):
    """leaseTransitions is an int32: a real API server refuses any other, and nobody could renew."""
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    await first.stand(2**31)
    assert (await lease(world))["leaseTransitions"] == 2**31 - 1
    clock.s += 2.0
    await first.stand(2**31 + 7)
    assert (await lease(world))["leaseTransitions"] == 2**31 - 1
    clock.s += 16.0
    await second.stand(2**31 + 7)
    clock.s += 16.0
    await second.stand(2**31 + 7)
    assert (first.reign, second.reign) == (2**31 + 1, 2**31 + 8)


async def test_an_epoch_that_rose_within_a_reign_is_below_the_next(world, clock):
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    await first.stand(0)
    await first.stand(41)  # a model that was moved here brought 40, and we use 41
    await first.release()
    await second.stand(0)  # the status with 41 has not reached it yet
    assert second.reign == 42


async def test_a_lease_that_was_given_back_is_taken_at_once(world, clock):
    first, second = candidate(world, "a", clock), candidate(world, "b", clock)
    await first.stand(0)
    await first.release()
    await second.stand(0)
    assert (first.is_leader, second.is_leader) == (False, True)


async def test_a_leader_without_an_api_server_stops_by_its_own_clock(world, clock):
    one = candidate(world, "a", clock)
    await one.stand(0)
    one._door = Deaf()
    clock.s += 9.9
    await one.stand(0)
    before = one.is_leader
    clock.s += 0.2  # 10.1 s since the last renewal
    assert (before, one.is_leader) == (True, False)


async def test_of_two_who_find_the_lease_free_one_gets_it(world, clock):
    first, second, third = (candidate(world, name, clock) for name in "abc")
    await third.stand(0)
    await third.release()
    await asyncio.gather(first.stand(0), second.stand(0))
    assert sorted([first.is_leader, second.is_leader]) == [False, True]


async def test_a_process_of_the_same_name_is_another_leader(world, clock):
    first, again = candidate(world, "a", clock), candidate(world, "a", clock)
    await first.stand(0)
    await again.stand(0)
    assert not again.is_leader  # started again with its old name, it waits like anybody


async def test_a_reign_that_begins_is_an_event_of_the_lease(world, clock):
    one = candidate(world, "a", clock)
    for _ in range(3):
        await one.stand(0)
    events, _ = await world.kube.list(EVENTS, "llm")
    assert [(e["reason"], e["involvedObject"]["kind"]) for e in events] == [
        ("LeaderElection", "Lease")
    ]


async def test_a_status_is_not_written_once_the_lease_has_ended(world, clock):
    await world.all_of_one_model()
    one = candidate(world, "a", clock)
    await one.stand(0)
    async with following(world, leadership=one) as cluster:
        view = await until(cluster, has_ready(1))
        clock.s += 11.0
        with pytest.raises(ObservationError, match="the lease ended before"):
            await cluster.publish([publication(view)], now_s=NOW_S)
    assert "status" not in await world.get(VARIANT_AUTOSCALINGS, "a100")


async def test_a_follower_labels_no_pod(world, clock):
    await world.all_of_one_model()
    async with following(world, leadership=candidate(world, "b", clock)) as cluster:
        await until(cluster, has_ready(1))
        await cluster.publish([], now_s=NOW_S)
        labels = cluster._mirrors["Pod"].objects["llm", "a100-0"]["metadata"]["labels"]
    assert labels == {"app": "a100"}


async def test_the_highest_epoch_of_any_status_is_known(world):
    await world.all_of_one_model()
    await world.kube.apply_status(
        VARIANT_AUTOSCALINGS, "llm", "a100", {"decisionID": "12-3"}, manager="other"
    )
    cluster = KubeCluster(world.kube, "llm")
    assert cluster.highest_epoch() == 0  # nothing was read yet
    async with following(world) as cluster:
        await until(cluster, has_ready(1))
        assert cluster.highest_epoch() == 12


def test_the_metrics_page_says_who_leads():
    assert leader_page(is_leader=True).splitlines()[-1] == b"llmd_autoscaler_leader 1.0"
    assert leader_page(is_leader=False).splitlines()[-1] == b"llmd_autoscaler_leader 0.0"
