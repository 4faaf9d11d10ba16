"""The worked example of all four kinds is read as it stands, and written back as it was meant."""

import re
from pathlib import Path

import pytest
import yaml

from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile
from models.decimal_text import read_decimal, write_decimal
from models.duration import read_duration_s, write_duration
from models.service_level import ServiceLevel
from models.variant_autoscaling import VariantAutoscaling

KINDS = (ServiceLevel, VariantAutoscaling, CapacityProfile, AcceleratorStock)
DOCUMENTS = list(yaml.safe_load_all((Path(__file__).parents[1] / "data/api.yaml").read_text()))


def canonical(value):
    """The same data with its durations and decimals in their one spelling."""
    if isinstance(value, dict):
        return {key: canonical(each) for key, each in value.items()}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    if isinstance(value, str) and re.fullmatch(r"([0-9.]+(ms|s|m|h))+", value):
        return write_duration(read_duration_s(value))
    if isinstance(value, str) and re.fullmatch(r"[0-9]+\.[0-9]+", value):
        return write_decimal(read_decimal(value))
    return value


@pytest.mark.parametrize(
    ("kind", "document"),
    list(zip(KINDS, DOCUMENTS, strict=True)),
    ids=lambda each: getattr(each, "__name__", ""),
)
class TestExample:
    def test_it_is_written_back_as_it_was_meant(self, kind, document):
        assert kind.from_wire(document).to_wire() == canonical(document)

    def test_what_was_written_is_read_back_as_the_same(self, kind, document):
        read = kind.from_wire(document)
        assert kind.from_wire(read.to_wire()) == read

    def test_a_second_writing_changes_nothing(self, kind, document):
        written = kind.from_wire(document).to_wire()
        assert kind.from_wire(written).to_wire() == written


def test_a_status_is_read_into_our_units():
    status = ServiceLevel.from_wire(DOCUMENTS[0]).status
    assert status is not None
    # 2026-11-24T09:40:00Z is ten minutes after decidedAt
    assert status.valid_until_s is not None
    assert status.decided_at_s is not None
    assert status.valid_until_s - status.decided_at_s == 600.0
    assert status.mix[0].tier_s == 0.08
    assert status.mix[0].step.per_attention_m_token_sq_ms == 2.9
    assert status.decision_id is not None
    assert status.decision_id.epoch == 7


def test_what_the_example_leaves_out_has_its_documented_default():
    spec = dict(DOCUMENTS[1]["spec"])
    for name in ("actuation", "paused", "metrics", "minReplicas", "kvDomain"):
        del spec[name]
    read = VariantAutoscaling.from_wire(DOCUMENTS[1] | {"spec": spec}).spec
    assert (read.actuation, read.paused, read.metrics.port, read.min_replicas, read.kv_domain) == (
        "HPA",
        False,
        8000,
        1,
        "",
    )
