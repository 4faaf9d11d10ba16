"""How long pods take to serve, and what is said of those that take too long."""

from llmd_autoscaler.controller.lead_times import LeadTimes
from llmd_autoscaler.controller.pods import read_pods
from llmd_autoscaler.controller.starts import starts
from llmd_autoscaler.core.variant import LeadTime
from llmd_autoscaler.translate.condition import rfc3339_seconds

KEY = ("llm", "a100")
CREATED_S = 1_700_000_000.0
LEAD = LeadTime(60.0, 100.0)


def wire(name="p", *, ready_after_s=None, created_s=CREATED_S, **spec):
    is_ready = ready_after_s is not None
    at = rfc3339_seconds(created_s + (ready_after_s or 0.0))
    ready = {"type": "Ready", "status": str(is_ready), "lastTransitionTime": at}
    created = rfc3339_seconds(created_s)
    return {
        "metadata": {"name": name, "namespace": "llm", "uid": name, "creationTimestamp": created},
        "spec": {"nodeName": "n"} | spec,
        "status": {"phase": "Running", "conditions": [ready]},
    }


def seen(lead_times, *wires):
    lead_times.observe({KEY: tuple(read_pods(wires))})


def started(lead_times, *took_s):
    """Pods that were seen starting, and then ready after so long."""
    seen(lead_times, *(wire(f"p{i}") for i, _ in enumerate(took_s)))
    seen(lead_times, *(wire(f"p{i}", ready_after_s=s) for i, s in enumerate(took_s)))


def test_five_starts_make_a_lead_time():
    lead_times = LeadTimes()
    started(lead_times, 50.0, 90.0, 70.0, 60.0, 80.0)
    found = lead_times.of(KEY)
    # of five in order, 50 60 70 80 90: the third, and the fifth (0.9 of 5 is 4.5)
    assert (found.lead, found.n_samples) == (LeadTime(70.0, 90.0), 5)


def test_four_starts_are_too_few():
    lead_times = LeadTimes()
    started(lead_times, 50.0, 60.0, 70.0, 80.0)
    assert lead_times.of(KEY) is None


def test_a_pod_that_was_ready_when_it_was_first_seen_is_no_start():
    lead_times = LeadTimes()
    seen(lead_times, *(wire(f"p{i}", ready_after_s=60.0) for i in range(9)))
    assert lead_times.of(KEY) is None


def test_a_pod_that_flaps_counts_once():
    lead_times = LeadTimes()
    started(lead_times, 50.0, 50.0, 50.0, 50.0)
    for ready_after_s in (60.0, None, 400.0):
        seen(lead_times, wire("p4", ready_after_s=ready_after_s))
    # p4 was first seen ready: its 60 s are not known to be a start; later it was seen starting, until 400 s
    assert lead_times.of(KEY).lead.p90_s == 400.0


def test_only_the_last_twenty_starts_count():
    lead_times = LeadTimes()
    for n, took_s in enumerate([500.0] * 20 + [50.0] * 20):
        seen(lead_times, wire(f"q{n}"))
        seen(lead_times, wire(f"q{n}", ready_after_s=took_s))
    assert (lead_times.of(KEY).lead.p90_s, lead_times.of(KEY).n_samples) == (50.0, 20)


def said(*wires, after_s):
    return starts(read_pods(wires), LEAD, now_s=CREATED_S + after_s)


def test_a_start_within_its_time_is_not_spoken_of():
    assert said(wire(), after_s=250.0) is None


def test_a_start_three_times_as_long_as_the_p90_is_named():
    finding = said(wire("slow"), after_s=301.0)
    assert (finding.status, finding.reason) == ("False", "StuckStart")
    assert finding.message == (
        "slow has been starting for 301 s, and 90 % start within 100 s; "
        "look at it with kubectl describe pod slow"
    )


def test_a_pod_behind_a_gate_waits_for_capacity():
    gate = {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}], "nodeName": ""}
    finding = said(wire("gated", **gate), wire("other"), after_s=90.0)
    assert finding.reason == "WaitingForCapacity"
    assert finding.message == (
        "1 of 2 starting instances wait for capacity, gated for 90 s "
        "(gated by kueue.x-k8s.io/admission); no more are asked for because of them"
    )


def test_a_pod_without_a_node_says_why_in_the_schedulers_words():
    pod = wire("p", nodeName="")
    pod["status"]["conditions"].append(
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/4 nodes are available: 4 Insufficient nvidia.com/gpu.",
        }
    )
    assert "4 Insufficient nvidia.com/gpu." in said(pod, after_s=61.0).message
    assert said(pod, after_s=59.0) is None  # a scheduler is given a minute
