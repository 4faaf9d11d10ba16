"""Whose a pod is, and what it does."""

import pytest

from llmd_autoscaler.controller.pods import by_root, counts, instances, read_pods
from llmd_autoscaler.controller.selector import selects


def wire(name="p", *, phase="Running", ready="True", owner="d", ip="10.0.0.1", **metadata):
    reference = {"kind": "Deployment", "name": owner, "uid": owner, "controller": True}
    return {
        "metadata": {"name": name, "namespace": "llm", "ownerReferences": [reference]} | metadata,
        "status": {
            "phase": phase,
            "podIP": ip,
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def test_a_pod_that_ends_drains_even_while_it_is_ready():
    pods = read_pods([wire(deletionTimestamp="2026-11-24T09:30:00Z")])
    found = counts(pods)
    assert (found.n_ready, found.n_starting, found.n_draining) == (0, 0, 1)
    assert instances(pods, "a", 8000) == ()


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_ended_is_no_instance(phase):
    assert read_pods([wire(phase=phase)]) == []


def test_a_pod_that_is_not_ready_starts():
    assert counts(read_pods([wire(ready="False")])).n_starting == 1


def test_a_pod_without_an_address_has_none():
    assert [i.address for i in instances(read_pods([wire(ip="")]), "a", 8000)] == [""]


def test_an_address_of_version_six_is_bracketed():
    assert [i.address for i in instances(read_pods([wire(ip="fd00::1")]), "a", 80)] == [
        "[fd00::1]:80"
    ]


def test_a_pod_belongs_to_the_deployment_behind_its_replica_set():
    pods = read_pods([wire("a", owner="rs"), wire("b", owner="d"), wire("c", owner="other")])
    roots = {"rs": "d"}
    found = by_root(pods, lambda pod: roots.get(pod.owner.uid, pod.owner.uid))
    assert {uid: [pod.name for pod in each] for uid, each in found.items()} == {
        "d": ["a", "b"],
        "other": ["c"],
    }


def test_a_pod_that_nobody_controls_belongs_to_nobody():
    assert by_root(read_pods([wire(ownerReferences=[])]), lambda _: "") == {}


def expression(operator, *values):
    return {"matchExpressions": [{"key": "tier", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "labels", "is_selected"),
    [
        ({"matchLabels": {"app": "a"}}, {"app": "a", "x": "y"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "b"}, False),
        ({"matchLabels": {"app": "a", "x": "y"}}, {"app": "a"}, False),
        (expression("In", "gpu", "tpu"), {"tier": "gpu"}, True),
        (expression("In", "gpu"), {}, False),
        (expression("NotIn", "gpu"), {"tier": "gpu"}, False),
        (expression("NotIn", "gpu"), {}, True),
        (expression("Exists"), {"tier": ""}, True),
        (expression("DoesNotExist"), {"tier": ""}, False),
        (expression("Near", "gpu"), {"tier": "gpu"}, False),
        ({"matchLabels": {"app": "a"}} | expression("Exists"), {"app": "a"}, False),
        ({}, {"app": "a"}, False),
    ],
)
def test_a_selector_selects_as_kubernetes_does(selector, labels, is_selected):
    assert selects(selector, labels) is is_selected
