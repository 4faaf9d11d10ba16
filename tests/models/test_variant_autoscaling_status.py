"""The status of a VariantAutoscaling beyond the worked example."""

from models.variant_autoscaling_status import VariantAutoscalingStatus


def test_it_says_when_its_decision_was_made():
    status = VariantAutoscalingStatus.from_wire({"decidedAt": "2026-11-24T09:30:00Z"})
    # 2026-11-24T09:30:00Z
    assert status.decided_at_s == 1795512600.0
    assert status.to_wire() == {"decidedAt": "2026-11-24T09:30:00Z"}
