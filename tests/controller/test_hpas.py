"""What an HPA would do with our number, told from its spec and its status."""

import pytest

from llmd_autoscaler.controller.hpas import Scaled, by_target, health, may_sleep, read_hpa
from llmd_autoscaler.translate.world import ScaleTarget

TARGET = ScaleTarget("apps/v1", "Deployment", "a100")
TOLERANT = {"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "0"}}


def metric(name="desired_replicas", of="a100", target=None):
    described = {"apiVersion": "autoscaling.llmd.ai/v1alpha1", "kind": "VariantAutoscaling"}
    part = {
        "describedObject": described | {"name": of},
        "metric": {"name": name},
        "target": target or {"type": "AverageValue", "averageValue": "1"},
    }
    return {"type": "Object", "object": part}


def hpa(name="follows", condition=None, **changes):
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a100"},
        "minReplicas": 1,
        "maxReplicas": 60,
        "metrics": [metric()],
        "behavior": TOLERANT,
    }
    status = {"conditions": [condition]} if condition else {}
    return {"metadata": {"name": name}, "spec": spec | changes, "status": status}


def scaled(actuation="HPA", limits=(1, 60)):
    return Scaled("a100", TARGET, actuation, *limits)


def found(*hpas, **of_scaled):
    return health(scaled(**of_scaled), [read_hpa(each) for each in hpas])


def test_the_hpa_of_our_documentation_is_healthy():
    finding = found(hpa())
    assert (finding.status, finding.reason) == ("True", "Follows")
    assert finding.message == 'HPA "follows" follows desired_replicas within 1 and 60'


def test_a_target_without_an_hpa_is_told_which_metric_to_write():
    finding = found()
    assert (finding.status, finding.reason) == ("False", "NoHPA")
    assert (
        "{type: Object, object: {describedObject: {apiVersion: autoscaling.llmd.ai/v1alpha1, "
        "kind: VariantAutoscaling, name: a100}, metric: {name: desired_replicas}, "
        'target: {type: AverageValue, averageValue: "1"}}}'
    ) in finding.message


@pytest.mark.parametrize(
    ("changes", "reason", "sentence"),
    [
        ({"metrics": [metric(target={"type": "Value", "value": "1"})]}, "ValueTarget", "runs up to maxReplicas"),
        ({"metrics": [metric(target={"type": "AverageValue", "averageValue": "2"})]}, "WrongAverage", "divides desired_replicas by 2"),
        ({"metrics": [metric("desired")]}, "UnknownMetric", "reads desired, which nobody serves; write desired_replicas"),
        ({"metrics": [metric(of="other")]}, "NoMetric", 'reads no metric of VariantAutoscaling "a100"'),
        ({"metrics": [{"type": "Resource"}]}, "NoMetric", "reads no metric"),
        ({"behavior": {}}, "Tolerance", "behavior.scaleUp and behavior.scaleDown"),
        ({"behavior": {"scaleUp": {"tolerance": "0"}}}, "Tolerance", "under behavior.scaleDown"),
        ({"minReplicas": 3}, "Clamped", "minReplicas 3, above ours, 1"),
        ({"maxReplicas": 8}, "Clamped", "maxReplicas 8, below ours, 60"),
    ],
    ids=["Value", "average", "name", "object", "resource", "no tolerance", "one tolerance", "min", "max"],
)  # fmt: skip
def test_an_hpa_that_cannot_land_on_the_number_says_what_to_write(changes, reason, sentence):
    finding = found(hpa(**changes))
    assert (finding.status, finding.reason) == ("False", reason)
    assert sentence in finding.message


def test_a_tolerance_matters_from_ten_replicas_on_only():
    # 9 to 10 is 11 %, above the tolerance of 10 %; 10 to 11 is 10 %, and ignored
    assert found(hpa(behavior={}), limits=(1, 9)).status == "True"
    assert found(hpa(behavior={}), limits=(1, 10)).reason == "Tolerance"


def test_two_hpas_on_one_target_are_both_named():
    finding = found(hpa("one"), hpa("two"))
    assert finding.reason == "AmbiguousSelector"
    assert 'HPAs "one" and "two"' in finding.message


def test_an_hpa_that_does_not_scale_is_quoted():
    condition = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetObjectMetric",
        "message": "no decision for a100 has been published yet",
    }
    finding = found(hpa(condition=condition))
    assert finding.reason == "HPAFailedGetObjectMetric"
    assert finding.message.endswith("no decision for a100 has been published yet")


def test_a_zero_by_somebody_else_is_told_what_wakes_it():
    condition = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "ScalingDisabled",
        "message": "zero",
    }
    assert "write 1 replica once" in found(hpa(condition=condition)).message


def test_every_fault_is_named_and_the_first_is_the_reason():
    finding = found(hpa(minReplicas=2, metrics=[metric("x")]))
    assert finding.reason == "UnknownMetric"
    assert "minReplicas 2" in finding.message


def test_direct_actuation_beside_an_hpa_is_a_fault():
    assert found(hpa(), actuation="Direct").reason == "HPABesideDirect"
    assert found(actuation="Direct").status == "True"


def test_a_scale_that_could_not_be_written_names_the_role_that_may_be_missing():
    finding = health(scaled("Direct"), [], unwritten="403 Forbidden")
    assert (finding.status, finding.reason) == ("False", "ScaleNotWritten")
    assert 'Deployment "a100" could not be written: 403 Forbidden' in finding.message
    assert "manifests/components/direct-actuation" in finding.message


def test_an_advisory_target_needs_no_hpa():
    assert found(actuation="Advisory").reason == "NotUsed"


def test_hpas_are_found_by_what_they_scale():
    objects = {("llm", "one"): hpa("one"), ("other", "two"): hpa("two")}
    assert [each.name for each in by_target(objects)["llm", TARGET]] == ["one"]


@pytest.mark.parametrize(
    ("hpas", "actuation", "may"),
    [
        ([hpa(minReplicas=0)], "HPA", True),
        ([hpa()], "HPA", False),  # it stops at 1
        ([], "HPA", False),
        ([hpa("a", minReplicas=0), hpa("b", minReplicas=0)], "HPA", False),
        ([hpa(minReplicas=0, metrics=[metric("load")])], "HPA", False),
        ([], "Direct", False),  # nothing would wake what we put to 0
    ],
    ids=["an HPA to 0", "an HPA to 1", "none", "two", "another metric", "Direct"],
)
def test_a_model_may_sleep_only_behind_one_hpa_that_goes_to_zero_itself(hpas, actuation, may):
    assert may_sleep(scaled(actuation), [read_hpa(each) for each in hpas]) is may
