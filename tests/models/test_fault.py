"""Sentences about wrong values that no single kind accounts for."""

import pytest
from pydantic import ValidationError

from models.capacity_profile import CapacityProfile
from models.fault import Fault, closest, faults, field_path
from models.object_meta import ObjectMeta
from models.service_level_status import ServiceLevelStatus


def complaints(model, wire, written=lambda _: ""):
    with pytest.raises(ValidationError) as caught:
        model.from_wire(wire)
    return [fault.text() for fault in faults(caught.value, model, written)]


def test_a_place_is_written_as_people_write_it():
    assert field_path(("spec", "classes", 0, "slo")) == "spec.classes[0].slo"


def test_a_fault_of_the_whole_has_no_place():
    assert Fault((), "found nothing; write something").text() == "found nothing; write something"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("clases", "did you mean classes?"),
        ("SLO", "did you mean slo?"),
        ("zzz", "write one of classes, slo and name"),
    ],
)
def test_a_name_is_answered_with_the_nearest_or_with_all(name, answer):
    assert closest(name, ["classes", "slo", "name"]) == answer


def test_where_nothing_is_known_nothing_belongs():
    assert closest("zzz", []) == "write nothing there"


def test_a_number_is_quoted_as_the_file_spells_it():
    wire = {"name": "a", "labels": {"version": 0.3}}
    assert complaints(ObjectMeta, wire, {("labels", "version"): "0.30"}.__getitem__) == [
        'labels.version: found 0.30 (a number); write "0.30" in quotes'
    ]


def test_a_list_is_no_text():
    assert complaints(ObjectMeta, {"name": "a", "labels": {"b": []}}) == [
        "labels.b: found a list; write a text"
    ]


@pytest.mark.parametrize(
    ("value", "was"), [(7, "7 (a number)"), ({}, "a mapping"), (None, "nothing")]
)
def test_what_stands_where_text_belongs_is_named(value, was):
    wire = {
        "conditions": [{"type": "A", "status": "True", "reason": "B", "lastTransitionTime": value}]
    }
    assert complaints(ServiceLevelStatus, wire) == [
        f'conditions[0].lastTransitionTime: found {was}; write a time in UTC, such as "2026-11-24T09:30:00Z"'
    ]


def test_a_decision_is_named_by_text():
    assert complaints(ServiceLevelStatus, {"decisionID": 7}) == [
        'decisionID: found 7 (a number); write leader epoch and counter, such as "7-1482"'
    ]


def test_half_a_character_is_no_text():
    assert complaints(ObjectMeta, {"name": "\ud800"}) == [
        "found a text with half a character; write whole ones"
    ]


def test_whatever_is_no_mapping_is_refused():
    assert complaints(CapacityProfile, ["metadata"]) == ["found a list; write a mapping"]
