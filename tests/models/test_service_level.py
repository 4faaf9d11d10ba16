"""What a ServiceLevel may not say, and what we answer."""

import pytest
from pydantic import ValidationError

from models.fault import faults
from models.service_level import ServiceLevel

RELAXED = {
    "name": "relaxed",
    "match": {"default": True},
    "slo": {"percentile": "0.95", "e2e": {"max": "60s"}},
}


def level(**spec):
    return {
        "metadata": {"name": "llama"},
        "spec": {"modelID": "llama", "classes": [RELAXED], **spec},
    }


def of_class(**fields):
    return level(classes=[RELAXED | fields])


def complaints(wire):
    with pytest.raises(ValidationError) as caught:
        ServiceLevel.from_wire(wire)
    return [fault.text() for fault in faults(caught.value, ServiceLevel)]


def test_the_least_that_can_be_said_is_one_default_class():
    spec = ServiceLevel.from_wire(level()).spec
    assert (spec.min_instances, spec.routing, spec.classes[0].priority) == (1, "Uncontrolled", 0)


def test_a_model_may_sleep_after_an_idle_time():
    spec = ServiceLevel.from_wire(level(minInstances=0, idleAfter="5m")).spec
    assert (spec.min_instances, spec.idle_after_s) == (0, 300.0)


def test_one_class_must_be_the_default():
    strict = RELAXED | {"match": {"objective": "chat"}}
    assert complaints(level(classes=[strict])) == [
        "spec.classes: found no default class; write match: {default: true} in one"
    ]


def test_only_one_class_can_be_the_default():
    assert complaints(level(classes=[RELAXED, RELAXED | {"name": "other"}])) == [
        "spec.classes: found 2 default classes (relaxed, other); leave one"
    ]


def test_two_classes_of_one_name_cannot_be_told_apart():
    assert complaints(level(classes=[RELAXED, RELAXED | {"match": {"objective": "chat"}}])) == [
        'spec.classes: found 2 classes named "relaxed"; give each a name of its own'
    ]


def test_a_model_without_classes_promises_nothing():
    assert complaints(level(classes=[])) == ["spec.classes: found a list; write at least one item"]


@pytest.mark.parametrize(
    ("match", "was"),
    [({}, "no rule"), ({"objective": "chat", "default": True}, "objective and default")],
)
def test_a_match_is_exactly_one_rule(match, was):
    assert complaints(of_class(match=match)) == [
        f"spec.classes[0].match: found {was}; write exactly one of header, objective and default: true"
    ]


def test_a_class_is_not_made_the_default_by_false():
    assert complaints(of_class(match={"default": False})) == [
        "spec.classes[0].match.default: found false; write true, or leave it out"
    ]


def test_a_number_is_no_claim():
    assert complaints(of_class(match={"default": 1})) == [
        "spec.classes[0].match.default: found 1 (a number); write true or false"
    ]


@pytest.mark.parametrize("percentile", ["0", "1", "99", "-0.5"])
def test_a_percentile_is_a_share_between_0_and_1(percentile):
    assert complaints(of_class(slo={"percentile": percentile, "e2e": {"max": "1s"}})) == [
        f'spec.classes[0].slo.percentile: found "{percentile}"; write a share above 0 and below 1, such as "0.99"'
    ]


def test_a_percentile_without_quotes_is_no_text():
    assert complaints(of_class(slo={"percentile": 0.99, "e2e": {"max": "1s"}})) == [
        'spec.classes[0].slo.percentile: found 0.99 (a number); write "0.99" in quotes: Kubernetes has no floats here'
    ]


def test_a_percentile_that_is_no_number_at_all_is_named():
    assert complaints(of_class(slo={"percentile": True, "e2e": {"max": "1s"}})) == [
        'spec.classes[0].slo.percentile: found true (a boolean); write a number in quotes, such as "0.99"'
    ]


def test_an_slo_without_a_bound_promises_nothing():
    assert complaints(of_class(slo={"percentile": "0.99"})) == [
        "spec.classes[0].slo: found no bound; write at least one of ttft, tpot, e2e and deadline"
    ]


def test_a_deadline_alone_is_an_slo():
    wire = of_class(slo={"percentile": "0.99", "deadline": "6h"})
    assert ServiceLevel.from_wire(wire).spec.classes[0].slo.deadline_s == 21_600.0


@pytest.mark.parametrize(
    "slo", [{"ttft": {"max": "0s"}}, {"tpot": {"max": "-1s"}}, {"deadline": "0"}]
)
def test_a_bound_of_no_time_cannot_be_kept(slo):
    assert "write more than 0" in complaints(of_class(slo={"percentile": "0.99", **slo}))[0]


def test_a_name_that_no_metric_label_of_kubernetes_carries_is_refused():
    assert complaints(of_class(name="Very Fast")) == [
        'spec.classes[0].name: found "Very Fast"; write at most 63 of a-z, 0-9 and \'-\', such as "interactive"'
    ]


def test_every_fault_is_reported_with_its_place():
    wire = level(modelID="", minInstances="1", classes=[RELAXED | {"priority": 1.5}])
    assert complaints(wire) == [
        'spec.modelID: found ""; write a text that is not empty',
        'spec.minInstances: found "1"; write 1 without quotes',
        "spec.classes[0].priority: found 1.5 (a number); write a whole number",
    ]
