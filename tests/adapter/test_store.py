"""When a number is served and when it is withheld."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.store import MAX_SILENCE_S, Key, Store, WithheldError
from tests.adapter.conftest import NOW_S, status

KEY = Key("llm", "a")


def store(*written: dict[str, object], heard_at_s: float = 0.0) -> Store:
    made = Store(is_synced=True, is_connected=True, heard_at_s=heard_at_s)
    for each in written:
        made.put(KEY, {}, each, now_s=NOW_S)
    return made


def value(of: Store, metric: str = "desired_replicas", *, now_s: float = NOW_S) -> str:
    return of.served(KEY, metric, now_s=now_s, monotonic_s=0.0).value


def reason(of: Store, metric: str = "desired_replicas", *, now_s: float = NOW_S) -> str:
    with pytest.raises(WithheldError) as caught:
        of.served(KEY, metric, now_s=now_s, monotonic_s=0.0)
    return caught.value.reason


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("desired_replicas", "4"),
        ("load", "3210m"),
        ("utilization", "1070m"),
        ("mixed_desired_instances", "4"),
        ("mixed_load", "3210m"),
    ],
)
def test_what_is_served_is_what_was_published(metric: str, expected: str) -> None:
    assert value(store(status()), metric) == expected


def test_an_expired_value_is_withheld_not_repeated() -> None:
    of = store(status())
    assert value(of, now_s=NOW_S + 600.0) == "4"  # validUntil is 10 minutes after NOW_S
    assert reason(of, now_s=NOW_S + 600.1) == "expired"


def test_an_epoch_that_no_leader_can_have_is_withheld_and_not_remembered() -> None:
    of = store(status(4, decision="7-1"), status(9, decision="999999999999999999-1"))
    assert reason(of) == "unreadable"
    of.put(KEY, {}, status(3, decision="6-9"), now_s=NOW_S)
    assert reason(of) == "older_epoch"
    of.put(KEY, {}, status(5, decision="7-2"), now_s=NOW_S)
    assert value(of) == "5"


def test_a_status_without_validity_is_withheld() -> None:
    written = status()
    del written["validUntil"]
    assert reason(store(written)) == "expired"


def test_a_value_of_an_older_leader_is_withheld_until_the_newer_one_writes_again() -> None:
    of = store(status(4, decision="7-1"), status(5, decision="8-1"), status(3, decision="7-2"))
    assert reason(of) == "older_epoch"
    of.put(KEY, {}, status(6, decision="8-2"), now_s=NOW_S)
    assert value(of) == "6"


def test_the_newest_epoch_outlives_an_unreadable_and_an_empty_status() -> None:
    of = store(status(decision="8-1"), {"desiredReplicas": "four"}, {}, status(decision="7-9"))
    assert reason(of) == "older_epoch"


def test_an_object_made_anew_starts_without_a_past() -> None:
    of = store(status(decision="8-1"))
    of.remove(KEY)
    of.put(KEY, {}, status(decision="1-1"), now_s=NOW_S)
    assert value(of) == "4"


def test_an_unknown_number_is_never_zero() -> None:
    written = status()
    del written["desiredReplicas"]
    assert reason(store(written)) == "unknown_metric"
    assert reason(store(status()), "prefill_load") == "unknown_metric"


def test_an_object_without_a_decision_is_withheld() -> None:
    assert reason(store({})) == "not_published"


def test_an_object_that_nobody_knows_is_withheld() -> None:
    assert reason(store()) == "unknown_object"


@pytest.mark.parametrize("load", ["NaN", "-1", "1e3", "", 3.21, None, [], "inf"])
def test_a_load_that_is_no_number_never_becomes_one(load: object) -> None:
    assert reason(store(status(load=load)), "load") in {"unreadable", "unknown_metric"}


def test_what_the_hpa_cannot_count_is_withheld() -> None:
    # 2^31 would overflow there and scale to the minimum
    assert reason(store(status(load="2147483648")), "load") == "unknown_metric"


def test_before_the_first_list_nothing_is_served() -> None:
    of = store(status())
    of.is_synced = False
    assert reason(of) == "not_synced"


def beaten(*beats_s: float) -> Store:
    of = store(status())
    for each in beats_s:
        of.beat(each)
    return of


def is_served(of: Store, monotonic_s: float) -> bool:
    try:
        of.served(KEY, "desired_replicas", now_s=NOW_S, monotonic_s=monotonic_s)
    except WithheldError:
        return False
    return True


def test_whoever_stood_still_serves_nothing_before_and_until_a_second_after_its_next_beat() -> None:
    of = beaten(10.0, 10.25)
    assert [is_served(of, at_s) for at_s in (10.3, 12.2)] == [True, True]
    assert not is_served(of, 13.0)  # woken by a question, 2.75 s after the last beat
    of.beat(13.0)
    assert [is_served(of, at_s) for at_s in (13.0, 13.9, 14.1)] == [False, False, True]


def test_whoever_stood_still_and_has_lost_the_watch_serves_nothing_until_it_is_back() -> None:
    of = beaten(10.0, 13.0)
    of.is_connected = False
    for beat_s in (13.9, 14.8, 15.7):
        of.beat(beat_s)
    assert not is_served(of, 15.7)
    of.is_connected = True
    of.beat(15.9)
    assert is_served(of, 16.8)


def test_a_beat_that_is_a_little_late_is_no_standstill() -> None:
    assert is_served(beaten(10.0, 11.9), 12.0)


def test_a_silent_watch_withholds_everything_after_a_bound() -> None:
    of = store(status())
    of.served(KEY, "load", now_s=NOW_S, monotonic_s=MAX_SILENCE_S)
    with pytest.raises(WithheldError, match="heard nothing from the API server for 91 s"):
        of.served(KEY, "load", now_s=NOW_S, monotonic_s=MAX_SILENCE_S + 1)


def test_the_timestamp_is_the_decisions_as_written() -> None:
    of = store(status(decidedAt="2026-11-24T09:29:58Z"))
    served = of.served(KEY, "load", now_s=NOW_S + 60, monotonic_s=0.0)
    assert served.timestamp == "2026-11-24T09:29:58Z"


def test_without_a_time_of_decision_it_is_when_the_decision_was_first_seen() -> None:
    of = store(status())
    of.put(KEY, {}, status(load="3.3"), now_s=NOW_S + 60)  # the same decisionID
    assert (
        of.served(KEY, "load", now_s=NOW_S + 90, monotonic_s=0.0).timestamp
        == "2026-11-24T09:30:00Z"
    )
    of.put(KEY, {}, status(decision="7-1483"), now_s=NOW_S + 60)
    assert (
        of.served(KEY, "load", now_s=NOW_S + 90, monotonic_s=0.0).timestamp
        == "2026-11-24T09:31:00Z"
    )


def test_a_field_of_a_newer_version_is_no_reason_to_withhold() -> None:
    assert value(store(status(somethingNew={"a": 1}))) == "4"


def test_a_list_forgets_what_it_does_not_hold() -> None:
    of = store(status())
    of.keep_only(set())
    assert len(of) == 0


@given(
    written=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    field=st.sampled_from(
        ["decisionID", "validUntil", "decidedAt", "load", "groups", "desiredReplicas"]
    ),
)
def test_no_status_makes_the_store_fail_or_serve_anything_but_a_quantity(
    written: object, field: str
) -> None:
    of = store(status() | {field: written})
    for metric in ("load", "desired_replicas", "mixed_load"):
        try:
            served = value(of, metric)
        except WithheldError:
            continue
        assert served.removesuffix("m").isdecimal()
