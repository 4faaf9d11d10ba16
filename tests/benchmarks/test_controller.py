"""The benchmark of the controller: what an audit log is read as, and what steady traffic is."""

import re

import pytest

from benchmarks.controller import writes_an_hour
from benchmarks.controller_audit import by_what, requests, status_writes, within
from benchmarks.controller_pages import SteadyPage, n_steady
from benchmarks.controller_world import name_of
from llmd_autoscaler.engines.router import read_page

USER = "system:serviceaccount:llmd-autoscaler:llmd-controller"


def event(verb="patch", resource="variantautoscalings", name="a", **changes):
    return {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": USER},
        "objectRef": {"resource": resource, "name": name, "subresource": changes.pop("sub", "")},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-24T17:00:01.500000Z",
    } | changes


class TestAudit:
    def test_a_request_is_named_by_its_verb_and_what_it_is_about(self):
        [found] = requests([event(sub="status")], USER)
        assert found.what == "patch variantautoscalings/status"
        assert found.at_s == 1795539601.5  # 2026-11-24 17:00:01.5 UTC

    def test_requests_of_others_are_not_ours(self):
        assert list(requests([event(user={"username": "admin"})], USER)) == []

    def test_a_watch_that_is_told_of_twice_is_one_request(self):
        both = [event("watch", stage=stage) for stage in ("ResponseStarted", "ResponseComplete")]
        assert [each.verb for each in requests(both, USER)] == ["watch"]

    @pytest.mark.parametrize(
        ("given", "is_of_a_tick"),
        [
            (event("patch", sub="status"), True),
            (event("create", "events"), True),
            (event("patch", "leases"), False),
            (event("watch", stage="ResponseStarted"), False),
        ],
    )
    def test_the_lease_and_the_watches_go_on_beside_the_ticks(self, given, is_of_a_tick):
        [found] = requests([given], USER)
        assert found.is_of_a_tick is is_of_a_tick

    def test_a_request_counts_when_it_came(self):
        found = list(requests([event()], USER))
        assert within(found, 1795539601.5, 1795539602.0) == found
        assert within(found, 1795539600.0, 1795539601.5) == []

    def test_requests_of_a_kind_are_added_up(self):
        found = requests([event(), event(name="b"), event("get", "leases")], USER)
        assert by_what(found) == {"patch variantautoscalings": 2, "get leases": 1}

    def test_a_status_that_was_refused_is_not_written(self):
        refused = event(sub="status", responseStatus={"code": 409})
        assert status_writes(requests([event(sub="status"), refused], USER)) == {"a": 1}


def test_writes_are_counted_for_each_of_a_models_two_objects():
    # ten models in a quarter of an hour: one write of each object, and three more of the last, which is random
    events = [event(sub="status", name=name_of(m)) for m in range(10) for _ in range(2)]
    events += [event(sub="status", name=name_of(9)) for _ in range(6)]
    found = list(requests(events, USER))
    assert writes_an_hour(found, 10, 0.25) == (4.0, 16.0)


class TestSteadyPage:
    def counts(self, text):
        return {key: n for key, n in read_page(text.encode()).arrivals.items() if n}

    def test_a_steady_model_grows_by_the_same_in_every_tick(self):
        page = SteadyPage(["a"], [False], 1)
        first, second, third = (self.counts(page.next_tick()) for _ in range(3))
        assert sum(first.values()) > 0
        assert second == {key: 2 * n for key, n in first.items()}
        assert third == {key: 3 * n for key, n in first.items()}

    def test_a_random_model_does_not(self):
        page = SteadyPage(["a"], [True], 1)
        first, second = (self.counts(page.next_tick()) for _ in range(2))
        assert second != {key: 2 * n for key, n in first.items()}

    def test_both_classes_of_every_model_are_asked_for(self):
        page = SteadyPage(["a", "b"], [False, False], 1)
        found = self.counts(page.next_tick())
        assert {(model, name) for model, name, _ in found} == {
            (model, name) for model in ("a", "b") for name in ("interactive", "relaxed")
        }


def test_the_last_tenth_of_the_models_is_random():
    assert n_steady(1000) == 900
    assert re.fullmatch(r"model-\d{4}", name_of(7))
