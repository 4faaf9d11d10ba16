"""What can be acted on, and one sentence for each thing that cannot."""

import pytest

from llmd_autoscaler.controller.lead_times import ObservedLead
from llmd_autoscaler.controller.observed import Observed
from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.controller.ports import ModelKey
from llmd_autoscaler.controller.readings import Unreadable
from llmd_autoscaler.controller.view import picture
from llmd_autoscaler.core.variant import LeadTime
from llmd_autoscaler.translate.condition import FALSE, Finding
from llmd_autoscaler.translate.world import read_level, read_profile, read_stock, read_variant
from tests.controller.conftest import EXAMPLE

MODEL = ModelKey("llm", "meta-llama/Llama-3.1-70B-Instruct")


def wire(position, name, created="2026-11-24T09:00:00Z", namespace="llm", **changes):
    metadata = {"name": name, "namespace": namespace, "uid": name, "creationTimestamp": created}
    if position == 3:
        del metadata["namespace"]
    return EXAMPLE[position] | {
        "metadata": metadata | {"generation": 1},
        "spec": EXAMPLE[position]["spec"] | changes,
    }


def level(name="llama", **changes):
    return read_level(wire(0, name, **changes))


def variant(name="a100", **changes):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return read_variant(wire(1, name, **({"scaleTargetRef": target} | changes)))


def pod(name, **state):
    facts = {"is_ready": True, "is_draining": False} | state
    return Pod("llm", name, "10.0.0.1", {}, None, **facts)


def seen(
    *,
    levels=None,
    variants=None,
    pods=None,
    stocks=(),
    statuses=None,
    unreadable=None,
    selectors=None,
    now_s=0.0,
    **more,
):
    levels = [level()] if levels is None else levels
    variants = [variant()] if variants is None else variants
    profile = read_profile(wire(2, "llama-3.1-70b-a100-tp4"))
    found = pods if pods is not None else {each.name: (pod("p"),) for each in variants}
    observed = Observed(
        now_s=now_s,
        selectors=selectors or {},
        levels={(each.namespace, each.name): each for each in levels},
        variants={(each.namespace, each.name): each for each in variants},
        profiles={("llm", profile.name): profile},
        stocks={stock.accelerator: stock for stock in stocks},
        pods={("llm", name): each for name, each in found.items()},
        status=lambda kind, key: (statuses or {}).get((kind, key[1]), {}),
        unreadable=unreadable or {},
        **more,
    )
    return picture(observed, ())


def troubles(found):
    of_models = [trouble for model in found.view.models for trouble in model.troubles]
    return [(t.name, t.condition, t.reason) for t in (*of_models, *found.view.troubles)]


def test_a_model_is_its_level_its_variants_and_their_pods():
    pods = (pod("r"), pod("s", is_ready=False), pod("d", is_ready=False, is_draining=True))
    (model,) = seen(pods={"a100": pods}).view.models
    (target,) = model.targets
    assert (model.key, model.service_level, model.troubles) == (MODEL, "llama", ())
    assert (target.n_ready, target.n_starting, target.n_draining) == (1, 1, 1)
    assert [(i.name, i.address, i.is_ready) for i in model.instances] == [
        ("r", "10.0.0.1:8000", True),
        ("s", "10.0.0.1:8000", False),
    ]


def test_what_was_published_last_is_taken_from_the_status():
    statuses = {
        ("VariantAutoscaling", "a100"): {"desiredReplicas": 4, "decisionID": "7-3"},
        ("ServiceLevel", "llama"): {"decisionID": "6-9"},
    }
    (model,) = seen(statuses=statuses).view.models
    assert (model.targets[0].desired, model.stored_epoch) == (4, 7)


def test_a_variant_in_trouble_still_tells_its_epoch():
    broken = variant("b", profileRef={"name": "nobody"})
    statuses = {("VariantAutoscaling", "b"): {"decisionID": "9-1"}}
    (model,) = seen(variants=[variant(), broken], statuses=statuses).view.models
    assert model.stored_epoch == 9


def test_the_older_of_two_levels_acts_and_both_say_so():
    younger = read_level(wire(0, "a-second", created="2026-11-24T10:00:00Z"))
    found = seen(levels=[younger, level()])
    assert [model.service_level for model in found.view.models] == ["llama"]
    assert troubles(found) == [
        ("llama", "Conflict", "SecondServiceLevel"),
        ("a-second", "Conflict", "SecondServiceLevel"),
    ]


def test_one_model_in_two_namespaces_is_two_models():
    elsewhere = read_level(wire(0, "llama", namespace="other"))
    assert troubles(seen(levels=[level(), elsewhere])) == [("llama", "SLOFeasible", "NoTargets")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"profileRef": {"name": "nobody"}}, ("ProfileTrusted", "ProfileDoesNotFit")),
        ({"accelerator": "H100-80GB"}, ("ProfileTrusted", "ProfileDoesNotFit")),
        ({"groups": ["decode"]}, ("OptimizationReady", "UnsupportedGroups")),
        ({"costPerHour": None}, ("OptimizationReady", "NoPrice")),
        (
            {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a100"}},
            ("TargetResolved", "TargetTaken"),
        ),
    ],
    ids=["no profile", "other hardware", "groups", "price", "taken"],
)
def test_a_variant_that_cannot_be_acted_on_is_left_out_and_the_others_go_on(changes, expected):
    found = seen(variants=[variant(), variant("b", **changes)])
    (model,) = found.view.models
    assert [target.name for target in model.targets] == ["a100"]
    assert troubles(found) == [("b", *expected)]


def test_a_variant_without_its_deployment_is_not_resolved():
    found = seen(variants=[variant(), variant("b")], pods={"a100": (pod("p"),)})
    assert troubles(found) == [("b", "TargetResolved", "NotFound")]


def test_a_variant_of_a_model_without_a_level_says_so():
    found = seen(levels=[])
    assert (found.view.models, troubles(found)) == (
        (),
        [("a100", "OptimizationReady", "NoServiceLevel")],
    )


def test_a_level_without_a_variant_is_no_model_yet():
    found = seen(variants=[])
    assert (found.view.models, troubles(found)) == ((), [("llama", "SLOFeasible", "NoTargets")])


def test_the_catalogues_profile_serves_where_the_namespace_has_none():
    spec = {"profileRef": {"name": "llama-3.1-70b-h100-tp4"}, "accelerator": "H100-80GB"}
    (model,) = seen(variants=[variant("h100", **spec)]).view.models
    # 14.6 ms is not the A100's step: the profile is the catalogue's own
    assert model.targets[0].profile.step.base_s < 0.0261


def test_a_profile_that_cannot_be_read_is_not_replaced_by_the_catalogues():
    name = "llama-3.1-70b-h100-tp4"
    spec = {"profileRef": {"name": name}, "accelerator": "H100-80GB"}
    broken = {"CapacityProfile": {("llm", name): Unreadable(("llm", name), "spec.step: missing")}}
    found = seen(variants=[variant("h100", **spec)], unreadable=broken)
    assert ("h100", "ProfileTrusted", "ProfileDoesNotFit") in troubles(found)
    assert (name, "Fitted", "Unreadable") in troubles(found)


def stock(**changes):
    return read_stock(wire(3, "stock", **changes))


def test_an_instance_without_a_price_costs_its_accelerators():
    (model,) = seen(variants=[variant(costPerHour=None)], stocks=[stock()]).view.models
    assert model.targets[0].usd_per_hour == 14.0  # 4 x 3.50


def test_a_model_may_use_what_the_others_leave_of_the_stock():
    other = level("other", modelID="other/model")
    profile = EXAMPLE[2]["spec"] | {"model": "other/model"}
    foreign = variant("b", modelID="other/model", profileRef=None, profile=profile)
    statuses = {("VariantAutoscaling", "b"): {"desiredReplicas": 5}}
    found = seen(
        levels=[level(), other],
        variants=[variant(), foreign],
        stocks=[stock(limit=64, shares=[{"namespace": "llm", "max": 48}])],
        statuses=statuses,
    )
    left = {model.service_level: dict(model.stock) for model in found.view.models}
    # the share of 48 less 5 x 4 of the other; less 1 x 4 (one pod, nothing published yet)
    assert left == {"llama": {"A100-80GB": 28}, "other": {"A100-80GB": 44}}


def test_a_kind_that_nobody_limits_is_not_limited():
    (model,) = seen(stocks=[stock(limit=None, shares=[])]).view.models
    assert model.stock == {}


def notes(found, name="a100"):
    return [(note.type, note.status, note.reason) for note in found.targets["llm", name].notes]


def test_a_kind_that_cannot_be_scaled_is_said_in_the_words_of_who_found_out():
    target = {"apiVersion": "v1", "kind": "Pod", "name": "b"}
    other = variant("b", scaleTargetRef=target)
    finding = Finding("TargetResolved", FALSE, "UnsupportedKind", "v1 Pod has no /scale")
    why = {("llm", other.scale_target): finding}
    found = seen(variants=[variant(), other], unscalable=why)
    assert troubles(found) == [("b", "TargetResolved", "UnsupportedKind")]


def test_a_lead_time_that_was_observed_is_what_is_planned_by():
    lead = ObservedLead(LeadTime(30.0, 45.0), 7)
    found = seen(leads={("llm", "a100"): lead})
    (model,) = found.view.models
    assert (model.targets[0].lead, found.targets["llm", "a100"].n_lead_samples) == (lead.lead, 7)


def test_a_target_that_no_hpa_scales_is_acted_on_and_says_so():
    found = seen()
    assert ("HPAHealthy", "False", "NoHPA") in notes(found)
    assert troubles(found) == []


def test_what_is_said_of_an_hpa_is_part_of_the_view_so_that_a_change_is_written_at_once():
    (model,) = seen().view.models
    assert ("a100", "HPAHealthy", "NoHPA") in model.said


def test_a_model_is_asleep_when_zero_was_published_for_all_its_targets():
    both = [variant(), variant("b")]
    at_zero = {"desiredReplicas": 0}
    one = seen(variants=both, statuses={("VariantAutoscaling", "a100"): at_zero})
    all_ = seen(
        variants=both,
        statuses={("VariantAutoscaling", name): at_zero for name in ("a100", "b")},
    )
    assert [found.view.models[0].is_asleep for found in (one, all_)] == [False, True]
