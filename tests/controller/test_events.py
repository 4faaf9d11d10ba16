"""Events are for people: not one a tick."""

from llmd_autoscaler.controller.events import EventLimiter, Notice, event_body

NOW_S = 1795512600.0  # 2026-11-24T09:30:00Z


def passed(*sent):
    limiter = EventLimiter()
    return [limiter.passes(uid, reason, now_s=now_s) for uid, reason, now_s in sent]


def test_the_same_reason_of_an_object_passes_once_a_minute():
    assert passed(("u", "Up", 0.0), ("u", "Up", 59.0), ("u", "Up", 60.0)) == [True, False, True]


def test_another_reason_and_another_object_pass_at_once():
    assert passed(("u", "Up", 0.0), ("u", "Down", 1.0), ("v", "Up", 1.0)) == [True, True, True]


def test_a_clock_that_stepped_back_silences_nobody():
    assert passed(("u", "Up", 1000.0), ("u", "Up", 10.0)) == [True, True]


def test_an_event_says_what_it_is_about_and_when():
    about = {
        "apiVersion": "v",
        "kind": "K",
        "metadata": {"name": "a", "namespace": "llm", "uid": "u", "resourceVersion": "7"},
    }
    body = event_body(about, Notice("AtLimit", "x" * 2000, is_warning=True), now_s=NOW_S + 0.9)
    assert body["metadata"] == {"generateName": "a.", "namespace": "llm"}
    assert body["involvedObject"] == {
        "apiVersion": "v",
        "kind": "K",
        "namespace": "llm",
        "name": "a",
        "uid": "u",
        "resourceVersion": "7",
    }
    assert (body["type"], body["reason"], body["lastTimestamp"], len(body["message"])) == (
        "Warning",
        "AtLimit",
        "2026-11-24T09:30:00Z",
        1024,  # the most that the API server takes
    )
