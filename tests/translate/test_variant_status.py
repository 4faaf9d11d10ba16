"""The status of a VariantAutoscaling as it is written."""

from llmd_autoscaler.core.variant import LeadTime
from llmd_autoscaler.core.world import Reason, ReasonCode
from llmd_autoscaler.translate.condition import TRUE, Finding
from llmd_autoscaler.translate.variant_status import Stamp, Subject, rounded, variant_status
from models.variant_autoscaling_status import VariantAutoscalingStatus
from tests.translate.decisions import NOW_S, decided, target

STAMP = Stamp("7-1482", NOW_S, NOW_S + 600.0)
RESOLVED = Finding("TargetResolved", TRUE, "Resolved", "3 ready")


def written(state=None, choice=None, stored=None):
    subject = Subject(2, (RESOLVED,), stored or {})
    return variant_status(state or target(), choice or decided(), STAMP, subject)


def test_it_is_written_as_the_worked_example_has_it():
    status = written(stored={"desiredReplicas": 3})
    assert status == {
        "observedGeneration": 2,
        "decisionID": "7-1482",
        "decidedAt": "2026-11-24T09:30:00Z",
        "validUntil": "2026-11-24T09:40:00Z",
        "groupNames": "mixed",
        "costPerHour": "56",  # 4 x 14
        "reason": "DemandUp",
        "replicas": 4,  # 3 ready + 1 starting
        "readyReplicas": 3,
        "desiredReplicas": 4,
        "load": "3.21",
        "utilization": "1.07",
        "groups": [
            {
                "name": "mixed",
                "desired": 4,
                "current": 3,
                "starting": 1,
                "readyBy": "2026-11-24T09:33:20Z",  # decided + p90 of 200 s
                "load": "3.21",
            }
        ],
        "leadTime": {"p50": "2m", "p90": "3m20s", "source": "profile"},
        "reasons": [{"code": "DemandUp", "message": "5.3 req/s is load 3.21: 3 → 4"}],
        "history": [{"at": "2026-11-24T09:30:00Z", "from": 3, "to": 4, "code": "DemandUp"}],
        "conditions": [
            {
                "type": "TargetResolved",
                "status": "True",
                "reason": "Resolved",
                "message": "3 ready",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-11-24T09:30:00Z",
            }
        ],
    }


def test_it_can_be_read_back():
    assert VariantAutoscalingStatus.from_wire(written()).to_wire() == written()


def test_the_same_decision_over_its_own_status_changes_nothing():
    first = written()
    assert written(stored=first) == first


def test_the_first_number_is_no_change():
    assert written(stored={})["history"] == []


def test_a_readiness_that_was_announced_does_not_slip_while_the_number_stays():
    announced = {"name": "mixed", "readyBy": "2026-11-24T09:31:00Z"}
    stored = {"desiredReplicas": 4, "groups": [announced]}
    assert written(stored=stored)["groups"][0]["readyBy"] == "2026-11-24T09:31:00Z"


def test_nothing_is_announced_once_all_are_ready():
    assert "readyBy" not in written(target(n_ready=4, n_starting=0))["groups"][0]


def test_a_load_that_nobody_saw_is_left_out_and_not_zero():
    unseen = Reason(ReasonCode.NOT_OBSERVED, "no router could be asked")
    status = written(choice=decided(load=0.0, utilization=0.0, reasons=(unseen,)))
    assert [key for key in ("load", "utilization") if key in status] == []
    assert "load" not in status["groups"][0]
    assert status["desiredReplicas"] == 4


def test_a_number_is_rounded_and_never_minus_zero():
    assert (rounded(3.2149), str(rounded(-0.001))) == (3.21, "0.0")


def test_a_lead_time_that_was_observed_says_of_how_many_starts():
    subject = Subject(2, (RESOLVED,), {}, n_lead_samples=6)
    status = variant_status(target(lead=LeadTime(91.0, 140.0)), decided(), STAMP, subject)
    assert status["leadTime"] == {
        "p50": "1m31s",
        "p90": "2m20s",
        "source": "observed",
        "samples": 6,
    }


def test_a_readiness_moves_on_while_instances_wait_for_a_node():
    announced = {"name": "mixed", "readyBy": "2026-11-24T09:31:00Z"}
    stored = {"desiredReplicas": 4, "groups": [announced]}
    subject = Subject(2, (RESOLVED,), stored, is_waiting=True)
    status = variant_status(target(), decided(), STAMP, subject)
    # now, 09:30:00, and the p90 of 200 s: a start that has not begun ends no sooner
    assert status["groups"][0]["readyBy"] == "2026-11-24T09:33:20Z"


def test_a_model_that_wakes_is_a_change_from_zero():
    status = written(stored={"desiredReplicas": 0})
    assert [(each["from"], each["to"]) for each in status["history"]] == [(0, 4)]
