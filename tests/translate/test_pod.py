import pytest

from llmd_autoscaler.translate.pod import address, is_draining, is_ready, label_patch


def test_a_pod_gets_its_three_labels():
    assert label_patch({}, "a100", "mixed") == {
        "metadata": {
            "labels": {
                "autoscaling.llmd.ai/target": "a100",
                "autoscaling.llmd.ai/group": "mixed",
                "llm-d.ai/role": "prefill-decode",
            }
        }
    }


def test_only_labels_that_differ_are_written():
    labels = {"autoscaling.llmd.ai/target": "a100", "autoscaling.llmd.ai/group": "mixed"}
    assert label_patch(labels, "a100", "mixed") == {
        "metadata": {"labels": {"llm-d.ai/role": "prefill-decode"}}
    }
    assert label_patch(labels | {"llm-d.ai/role": "prefill-decode"}, "a100", "mixed") == {}


def pod(ready="True", **metadata):
    return {
        "metadata": metadata,
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_pod_serves_while_its_condition_says_so_and_nobody_asked_for_its_end():
    assert is_ready(pod())
    assert not is_ready(pod("False"))
    assert not is_ready(pod(deletionTimestamp="2026-11-24T09:30:00Z"))
    assert not is_ready({"status": {}})


def test_a_pod_drains_from_its_deletion_on():
    assert is_draining(pod(deletionTimestamp="2026-11-24T09:30:00Z"))
    assert not is_draining(pod())


@pytest.mark.parametrize(
    ("ip", "wanted"), [("10.0.0.7", "10.0.0.7:8000"), ("fd00::7", "[fd00::7]:8000"), ("", "")]
)
def test_an_address_has_ipv6_in_brackets_and_is_empty_before_there_is_an_ip(ip, wanted):
    assert address(ip, 8000) == wanted
