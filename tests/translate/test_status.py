"""The status of a ServiceLevel as it is written."""

import dataclasses

import numpy as np

from llmd_autoscaler.core.world import Infeasible, Reason, ReasonCode, Route
from llmd_autoscaler.translate.routing import read_routing_table
from llmd_autoscaler.translate.status import Seen, Served, service_level_status
from llmd_autoscaler.translate.variant_status import Stamp, Subject
from models.service_level_status import ServiceLevelStatus
from tests.translate.decisions import CLASSES, NOW_S, decided, decision, outcomes, target

STAMP = Stamp("7-1482", NOW_S, NOW_S + 600.0)
BOTH = (decided(), decided("h100", 1, tier_s=float("inf")))
SERVED = (Served(target(), 8000), Served(target("h100"), 8001))


def written(choice=None, *, stored=None, source="router", realised=None):
    seen = Seen(CLASSES, source, realised)
    subject = Subject(3, (), stored or {})
    return service_level_status(choice or decision(*BOTH), STAMP, subject, seen, SERVED)


def test_it_can_be_read_back():
    status = written(realised=outcomes())
    assert ServiceLevelStatus.from_wire(status).to_wire() == status


def test_the_same_decision_over_its_own_status_changes_nothing():
    first = written()
    assert written(stored=first) == first


def test_the_summary_has_the_worst_class_of_those_that_are_known():
    assert written(realised=outcomes())["summary"] == {
        "classes": "2",
        "qps": "7.51",  # 5.3123 + 2.2
        "attainment": "0.996",  # 996 of 1000; of the other class none ended
        "predicted": "0.9931",
        "feasible": "True",
    }


def test_traffic_and_forecast_stand_by_class():
    status = written()
    assert status["traffic"] == {
        "source": "router",
        "window": "1m",
        "classes": [
            {"name": "interactive", "qps": "5.31", "islMean": 1155, "oslMean": 211, "prefixHit": "0.12"},
            {"name": "relaxed", "qps": "2.2", "prefixHit": "0"},
        ],
    }  # fmt: skip
    # the quantile is the median x 1.25
    assert status["forecast"][0] == {
        "class": "interactive",
        "horizon": "3m",
        "qpsP50": "5.6",
        "qpsP90": "7",
    }


def test_the_mix_carries_what_the_router_needs():
    entry = written()["mix"][0]
    assert (entry["tier"], entry["instances"], entry["port"], entry["kvTokens"]) == (
        "80ms",
        4,
        8000,
        310000,
    )
    assert entry["step"] == {
        "baseMs": "26.1",
        "perDecodeMs": "0.05",
        "perPrefillTokenMs": "0.16",
        "perContextKTokenMs": "0.08",
        "perAttentionMTokenSqMs": "2.9",
    }
    assert entry["frontEnd"]["perRequestMs"] == "6"


def test_a_target_of_no_tier_has_none():
    assert "tier" not in written()["mix"][1]


def asleep(*served):
    none = decision(decided("a100", 0), decided("h100", 0), routes=())
    seen, subject = Seen(CLASSES, "router", None), Subject(3, (), {})
    return service_level_status(none, STAMP, subject, seen, served)


def test_a_model_that_sleeps_has_no_mix_by_which_a_router_knows_it():
    gone = [Served(target(name, n_ready=0, n_starting=0), 8000) for name in ("a100", "h100")]
    assert asleep(*gone)["mix"] == []


def test_pods_that_still_serve_a_model_falling_asleep_keep_their_places():
    last = Served(target("a100", n_ready=1, n_starting=0), 8000)
    gone = Served(target("h100", n_ready=0, n_starting=0), 8000)
    assert [each["target"] for each in asleep(last, gone)["mix"]] == ["a100", "h100"]


def test_routes_stand_with_their_longest_prompt_and_fractions():
    assert [(r.get("islUpTo"), r["target"], r["fraction"]) for r in written()["routes"]] == [
        (4096, "a100", "0.7"),
        (4096, "h100", "0.3"),
        (None, "a100", "1"),
    ]


def test_fractions_sum_to_one_after_rounding():
    third = Route("relaxed", None, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    routes = written(decision(*BOTH, routes=(third,)))["routes"]
    # 0.3334 + 0.3333 + 0.3333
    assert round(sum(float(r["fraction"]) for r in routes), 9) == 1.0


def test_the_router_reads_what_is_written():
    spec = {
        "modelID": "m",
        "classes": [
            {
                "name": "interactive",
                "match": {"default": True},
                "slo": {"percentile": "0.9", "tpot": {"max": "1s"}},
            }
        ],
    }
    wire = {
        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
        "kind": "ServiceLevel",
        "metadata": {"name": "m"},
        "spec": spec,
        "status": written(),
    }
    routing = read_routing_table(wire).route_set("interactive", 1000)
    assert [(r.place.target, r.fraction) for r in routing.routes] == [("a100", 0.7), ("h100", 0.3)]


def test_attainment_names_the_bound_that_was_missed_most():
    assert written(realised=outcomes())["attainment"] == [
        {
            "class": "interactive",
            "window": "1h",
            "predicted": "0.9931",
            "realised": "0.996",
            "worst": "ttft",
        },
        {"class": "relaxed", "window": "1h"},
    ]


def test_a_failed_request_counts_as_missed_under_no_bounds_name():
    only_failures = outcomes()
    counts = only_failures.counts.copy()
    counts[0] = [996, 0, 0, 0, 4]
    entry = written(realised=dataclasses.replace(only_failures, counts=counts))["attainment"][0]
    assert (entry["realised"], "worst" in entry) == ("0.996", False)


def infeasible(bound):
    lack = Infeasible("relaxed", bound, 1.0, "relaxed: 1.00 req/s are more than the limits carry")
    return written(decision(*BOTH, infeasible=(lack,), binding="a100"))


def test_a_lack_of_capacity_is_said_as_what_it_is():
    assert [each["bound"] for each in infeasible("capacity")["infeasible"]] == ["capacity"]


def test_an_infeasible_slo_is_a_condition_with_the_same_sentence():
    status = infeasible("e2e")
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"]) == ("SLOFeasible", "False")
    assert condition["message"] == status["infeasible"][0]["text"]
    assert status["binding"] == {"limit": "maxReplicas", "of": "a100"}
    assert status["summary"]["feasible"] == "False"


def test_traffic_that_nobody_saw_is_left_out_and_not_zero():
    unseen = (Reason(ReasonCode.NOT_OBSERVED, "no router could be asked"),)
    status = written(decision(*BOTH, reasons=unseen, qps=np.zeros(2), predicted=None))
    assert ("traffic" in status, status["summary"]) == (
        False,
        {"classes": "2", "feasible": "Unknown"},
    )


def test_no_traffic_is_a_rate_of_zero():
    quiet = (Reason(ReasonCode.NO_TRAFFIC, "no request arrived"),)
    status = written(decision(*BOTH, reasons=quiet, qps=np.zeros(2), forecast=None))
    assert (status["summary"]["qps"], status["forecast"]) == ("0", [])
