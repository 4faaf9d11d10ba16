"""What a VariantAutoscaling may not say, and what we answer."""

import pytest
from pydantic import ValidationError

from models.fault import faults
from models.variant_autoscaling import VariantAutoscaling

LEAST = {
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
    "modelID": "llama",
    "accelerator": "A100-80GB",
    "maxReplicas": 10,
    "profileRef": {"name": "llama-a100"},
}


def variant(**spec):
    return {"metadata": {"name": "llama"}, "spec": LEAST | spec}


def complaints(wire):
    with pytest.raises(ValidationError) as caught:
        VariantAutoscaling.from_wire(wire)
    return [fault.text() for fault in faults(caught.value, VariantAutoscaling)]


def test_the_least_that_can_be_said_is_enough():
    spec = VariantAutoscaling.from_wire(variant()).spec
    assert (spec.groups, spec.accelerator_count, spec.metrics.path) == (("mixed",), 1, "/metrics")


def test_fewest_instances_are_none_or_more():
    assert VariantAutoscaling.from_wire(variant(minReplicas=0)).spec.min_replicas == 0
    assert complaints(variant(minReplicas=-1)) == [
        "spec.minReplicas: found -1 (a number); write 0 or more"
    ]


def test_most_instances_are_no_less_than_fewest():
    assert complaints(variant(minReplicas=4, maxReplicas=3)) == [
        "spec.maxReplicas: found 3, below minReplicas 4; write 4 or more"
    ]


def test_one_instance_always_is_allowed():
    assert (
        VariantAutoscaling.from_wire(variant(minReplicas=3, maxReplicas=3)).spec.max_replicas == 3
    )


def test_more_instances_than_kubernetes_can_count_are_refused():
    assert complaints(variant(maxReplicas=2**31)) == [
        "spec.maxReplicas: found 2147483648 (a number); write 2147483647 or less"
    ]


def test_a_group_that_we_do_not_know_is_answered_with_those_that_we_know():
    assert complaints(variant(groups=["mixd"])) == [
        'spec.groups[0]: found "mixd"; write prefill, decode, mixed or batch'
    ]


def test_an_object_serves_some_group():
    assert complaints(variant(groups=[])) == ["spec.groups: found a list; write at least one item"]


def test_a_group_stands_once():
    assert complaints(variant(groups=["mixed", "decode", "mixed"])) == [
        'spec.groups: found "mixed" twice; write each group once'
    ]


def test_an_actuation_that_we_do_not_know_is_refused():
    assert complaints(variant(actuation="hpa")) == [
        'spec.actuation: found "hpa"; write HPA, Direct or Advisory'
    ]


def test_a_variant_has_a_profile():
    assert complaints(variant(profileRef=None)) == [
        "spec: found no profile; write exactly one of profileRef and profile"
    ]


def test_a_variant_has_one_profile():
    profile = {
        "model": "llama",
        "accelerator": "A100-80GB",
        "engine": {"name": "vllm", "version": "0.26.0"},
        "trust": "predicted",
        "provenance": {"by": "tables", "at": "2026-11-20T00:00:00Z"},
        "step": {
            "baseMs": "26.1",
            "perDecodeMs": "0",
            "perPrefillTokenMs": "0",
            "perContextKTokenMs": "0",
            "perAttentionMTokenSqMs": "0",
        },
        "kv": {"tokens": 310000},
        "startup": {"p50": "2m", "p90": "2m"},
    }
    assert (
        VariantAutoscaling.from_wire(variant(profileRef=None, profile=profile)).spec.profile
        is not None
    )
    assert complaints(variant(profile=profile)) == [
        "spec: found both profileRef and profile; write exactly one of profileRef and profile"
    ]


def test_a_port_that_tcp_does_not_have_is_refused():
    assert complaints(variant(metrics={"port": 80000})) == [
        "spec.metrics.port: found 80000 (a number); write 65535 or less"
    ]


def test_a_path_starts_at_the_root():
    assert complaints(variant(metrics={"path": "metrics"})) == [
        'spec.metrics.path: found "metrics"; write a text that matches ^/'
    ]


def test_a_negative_price_is_refused():
    assert complaints(variant(costPerHour="-14")) == [
        'spec.costPerHour: found "-14"; write 0 or more'
    ]


def test_a_missing_field_is_named_with_what_it_says():
    wire = variant()
    del wire["spec"]["maxReplicas"]
    assert complaints(wire) == ["spec.maxReplicas: missing; write maxReplicas: most instances"]


def test_a_slip_in_a_name_is_reported_before_what_is_missing_by_it():
    wire = variant(maxreplicas=10)
    del wire["spec"]["maxReplicas"]
    assert complaints(wire) == [
        "spec.maxreplicas: unknown field; did you mean maxReplicas?",
        "spec.maxReplicas: missing; write maxReplicas: most instances",
    ]


def test_an_unknown_field_that_resembles_none_is_answered_with_all_of_them():
    assert complaints(variant(profileRef={"name": "a", "zzz": 1})) == [
        "spec.profileRef.zzz: unknown field; write name"
    ]


def test_a_wrong_name_of_an_object_is_shown_on_one_line():
    wire = variant() | {"metadata": {"name": "a\nb" + "c" * 100}}
    assert complaints(wire) == [
        f"metadata.name: found \"a\\nb{'c' * 54}...\"; write at most 253 of a-z, 0-9, '-' and '.', such as \"llama-70b\""
    ]
