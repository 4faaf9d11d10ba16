import pytest

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.kubeapi.kinds import EVENT, VARIANT_AUTOSCALING
from llmd_autoscaler.simulator.kubeapi.selectors import Selector, parse_selector
from llmd_autoscaler.simulator.kubeapi.status import ApiError
from llmd_autoscaler.simulator.kubeapi.store import Store

KEY = ("llm", "a")


@pytest.fixture
def store():
    # rate so low that simulated time stands at 1,700,000,000 s = 2023-11-14 22:13:20 UTC
    return Store(Clock.starting_at(1_700_000_000.0, 1e-9), n_changes_kept=4)


def written(store, **fields):
    return store.write(VARIANT_AUTOSCALING, KEY, {"spec": {}, **fields})


def test_creation_is_stamped_with_simulated_time(store):
    assert written(store)["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z"


def test_a_write_that_changes_nothing_keeps_the_resource_version(store):
    first = written(store, status={"load": "1"})
    assert written(store, status={"load": "1"}) is first


def test_a_write_that_changes_nothing_is_not_logged(store):
    written(store)
    revision = store.revision
    written(store)
    assert store.collection(VARIANT_AUTOSCALING).since(revision) == []


def test_generation_counts_changes_of_the_spec_only(store):
    written(store, spec={"n": 1})
    written(store, spec={"n": 2})
    written(store, spec={"n": 2}, status={"x": 1})
    labelled = written(store, spec={"n": 2}, metadata={"labels": {"a": "b"}})
    assert labelled["metadata"]["generation"] == 2


def test_an_event_has_no_generation(store):
    assert "generation" not in store.write(EVENT, KEY, {})["metadata"]


def test_an_object_keeps_its_uid_for_life_and_its_successor_gets_another(store):
    first = written(store)["metadata"]["uid"]
    assert written(store, spec={"n": 1})["metadata"]["uid"] == first
    store.remove(VARIANT_AUTOSCALING, KEY)
    assert written(store)["metadata"]["uid"] != first


def test_a_reader_that_is_behind_the_log_is_told_so(store):
    for n in range(20):  # the log keeps at least 4 and at most 8
        written(store, spec={"n": n})
    with pytest.raises(ApiError) as failure:
        store.collection(VARIANT_AUTOSCALING).since(2)
    assert failure.value.code == 410


def test_a_reader_within_the_log_gets_exactly_what_it_missed(store):
    for n in range(20):
        written(store, spec={"n": n})
    # revisions 2..21 were given out; after 19 come 20 and 21
    assert [change.revision for change in store.collection(VARIANT_AUTOSCALING).since(19)] == [
        20,
        21,
    ]


def test_an_object_that_begins_to_match_is_added_and_one_that_ceases_is_deleted(store):
    written(store)
    written(store, metadata={"labels": {"app": "x"}})
    written(store)
    selector = parse_selector("app=x")
    lines = [change.line("", selector) for change in store.collection(VARIANT_AUTOSCALING).since(0)]
    kinds = [line.partition(b",")[0] for line in lines]
    assert kinds == [b"", b'{"type":"ADDED"', b'{"type":"DELETED"']


def test_another_namespace_is_none_of_a_readers_business(store):
    written(store)
    (change,) = store.collection(VARIANT_AUTOSCALING).since(0)
    assert change.line("other", Selector()) == b""
