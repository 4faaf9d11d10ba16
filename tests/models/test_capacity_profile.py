"""What a profile and a stock may not say, and what we answer."""

import pytest
from pydantic import ValidationError

from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile
from models.fault import faults

STEP = {
    "baseMs": "26.1",
    "perDecodeMs": "0.05",
    "perPrefillTokenMs": "0.16",
    "perContextKTokenMs": "0.08",
    "perAttentionMTokenSqMs": "2.9",
}
LEAST = {
    "model": "llama",
    "accelerator": "A100-80GB",
    "engine": {"name": "vllm", "version": "0.26.0"},
    "trust": "predicted",
    "provenance": {"by": "tables", "at": "2026-11-20T00:00:00Z"},
    "step": STEP,
    "kv": {"tokens": 310000},
    "startup": {"p50": "2m", "p90": "3m"},
}


def profile(**spec):
    return {"metadata": {"name": "llama-a100"}, "spec": LEAST | spec}


def complaints(kind, wire):
    with pytest.raises(ValidationError) as caught:
        kind.from_wire(wire)
    return [fault.text() for fault in faults(caught.value, kind)]


def test_the_engines_flags_have_vllms_defaults():
    engine = CapacityProfile.from_wire(profile()).spec.engine
    assert (engine.max_num_batched_tokens, engine.max_num_seqs, engine.api_servers) == (
        8192,
        256,
        1,
    )


def test_a_version_without_quotes_is_no_text():
    assert complaints(CapacityProfile, profile(engine={"name": "vllm", "version": 0.32})) == [
        'spec.engine.version: found 0.32 (a number); write "0.32" in quotes'
    ]


def test_a_step_that_gets_shorter_with_work_is_refused():
    assert complaints(CapacityProfile, profile(step=STEP | {"perDecodeMs": "-0.05"})) == [
        'spec.step.perDecodeMs: found "-0.05"; write 0 or more'
    ]


def test_a_decode_step_takes_time():
    # an engine of such steps would do endless work at one moment
    assert complaints(
        CapacityProfile, profile(step=STEP | {"baseMs": "0", "perDecodeMs": "0"})
    ) == ["spec.step: a decode step would take no time; write baseMs or perDecodeMs above 0"]


def test_quantiles_are_in_order():
    assert complaints(CapacityProfile, profile(startup={"p50": "300s", "p90": "200s"})) == [
        "spec.startup: found p90 3m20s below p50 5m; write p90 at least as long"
    ]


def test_a_time_without_its_zone_is_refused():
    wire = profile(provenance={"by": "tables", "at": "2026-11-20"})
    assert complaints(CapacityProfile, wire) == [
        'spec.provenance.at: found "2026-11-20"; write a time in UTC, such as "2026-11-24T09:30:00Z"'
    ]


def test_a_list_where_a_mapping_belongs_is_named():
    assert complaints(CapacityProfile, profile(kv=[1])) == [
        "spec.kv: found a list; write a mapping"
    ]


def test_nothing_where_a_number_belongs_is_named():
    assert complaints(CapacityProfile, profile(kv={"tokens": None})) == [
        "spec.kv.tokens: found nothing; write a whole number"
    ]


def test_a_boolean_among_names_gets_its_quotes():
    condition = {
        "type": "Fitted",
        "status": True,
        "reason": "Ok",
        "lastTransitionTime": "2026-11-20T00:00:00Z",
    }
    wire = profile() | {"status": {"conditions": [condition]}}
    assert complaints(CapacityProfile, wire) == [
        'status.conditions[0].status: found true (a boolean); write "True" in quotes'
    ]


def test_a_stock_belongs_to_no_namespace():
    wire = {"metadata": {"name": "a100", "namespace": "llm"}, "spec": {"accelerator": "A100-80GB"}}
    assert complaints(AcceleratorStock, wire) == [
        'metadata: found namespace "llm"; leave it out, an AcceleratorStock belongs to the whole cluster'
    ]


def test_a_namespace_has_one_share_of_a_stock():
    shares = [{"namespace": "llm", "max": 48}, {"namespace": "llm", "max": 4}]
    wire = {"metadata": {"name": "a100"}, "spec": {"accelerator": "A100-80GB", "shares": shares}}
    assert complaints(AcceleratorStock, wire) == [
        'spec.shares: found two shares of namespace "llm"; write one'
    ]
