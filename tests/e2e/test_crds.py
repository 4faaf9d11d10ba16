"""Our kinds as the real API server takes them (check 16): what it accepts, what it fills in, and what it refuses in which words."""

import copy

import pytest

from models.service_level import ServiceLevelSpec
from models.variant_autoscaling import VariantAutoscalingSpec
from tests.controlplane.api import MERGE, SSA, ApiError
from tests.e2e.kinds import DOCUMENTS, example


async def refusal(api, path, body):
    """What the server says of an object that it does not take."""
    with pytest.raises(ApiError) as failure:
        await api.call("POST", f"{path}?fieldValidation=Strict&dryRun=All", body)
    assert failure.value.code in {400, 422}
    return str(failure.value)


@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_the_example_is_taken_and_kept_as_it_is(api, namespace, collection, kind):
    body = example(kind, namespace)
    status = body.pop("status", None)
    body["metadata"]["name"] += f"-{namespace}"
    path = collection(kind)
    await api.call("POST", f"{path}?fieldValidation=Strict", body)
    name = body["metadata"]["name"]
    if status is not None:
        patch = {
            "apiVersion": body["apiVersion"],
            "kind": kind,
            "metadata": {"name": name},
            "status": status,
        }
        query = "fieldManager=llmd-controller&fieldValidation=Strict"
        await api.call("PATCH", f"{path}/{name}/status?{query}", patch, kind=SSA)
    kept = await api.get(f"{path}/{name}")
    if kind == "AcceleratorStock":
        await api.call("DELETE", f"{path}/{name}")
    assert kept.get("status") == status
    assert contains(kept["spec"], body["spec"])


def contains(found, wanted):
    """Whether all that was written is there; the server adds defaults."""
    if isinstance(wanted, dict):
        return all(key in found and contains(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(contains, found, wanted))
    return found == wanted


async def test_what_is_left_out_is_filled_in_as_the_model_would(api, namespace, collection):
    optional = ("actuation", "paused", "metrics", "minReplicas", "groups", "acceleratorCount")
    body = example("VariantAutoscaling", namespace, **dict.fromkeys(optional, ...))
    spec = (await api.call("POST", collection("VariantAutoscaling"), body))["spec"]
    assert VariantAutoscalingSpec.from_wire(spec) == VariantAutoscalingSpec.from_wire(body["spec"])
    assert spec["metrics"] == {"port": 8000, "path": "/metrics", "scheme": "http"}
    level = example("ServiceLevel", namespace, routing=..., minInstances=...)
    spec = (await api.call("POST", collection("ServiceLevel"), level))["spec"]
    assert ServiceLevelSpec.from_wire(spec) == ServiceLevelSpec.from_wire(level["spec"])
    assert (spec["routing"], spec["minInstances"]) == ("Uncontrolled", 1)


REFUSED_VARIANTS = {
    "no profile": ({"profileRef": ...}, "write exactly one of profileRef and profile"),
    "both profiles": (
        {"profile": DOCUMENTS["CapacityProfile"]["spec"]},
        "write exactly one of profileRef and profile",
    ),
    "max below min": (
        {"minReplicas": 5, "maxReplicas": 3},
        "found 3, below minReplicas 5; write 5 or more",
    ),
    "no max": ({"maxReplicas": ...}, "spec.maxReplicas: Required value"),
    "min below 0": (
        {"minReplicas": -1},
        "spec.minReplicas in body should be greater than or equal to 0",
    ),
    "max above int32": (
        {"maxReplicas": 2**31},
        "spec.maxReplicas in body should be less than or equal to 2147483647",
    ),
    "a group twice": ({"groups": ["mixed", "mixed"]}, "Duplicate value"),
    "no group": ({"groups": []}, "should have at least 1 items"),
    "an unknown group": (
        {"groups": ["mixd"]},
        'supported values: "prefill", "decode", "mixed", "batch"',
    ),
    "an unknown actuation": (
        {"actuation": "Auto"},
        'supported values: "HPA", "Direct", "Advisory"',
    ),
    "a number without quotes": ({"costPerHour": 14.5}, "must be of type string"),
    "a cost in words": (
        {"costPerHour": "cheap"},
        'write a number in quotes, in plain digits, such as "14" or "0.99"',
    ),
    "a cost below 0": (
        {"costPerHour": "-1"},
        'write a number in quotes, in plain digits, such as "14" or "0.99"',
    ),
    "a name in capitals": ({"profileRef": {"name": "Llama"}}, 'such as "llama-70b"'),
    "no model": ({"modelID": ""}, "should be at least 1 chars long"),
    "a path without a slash": (
        {"metrics": {"path": "metrics"}},
        'write a path that begins with "/"',
    ),
    "port 0": ({"metrics": {"port": 0}}, "should be greater than or equal to 1"),
    "an unknown scheme": (
        {"metrics": {"scheme": "ftp"}},
        'supported values: "http", "https"',
    ),
    "an unknown field": ({"maxReplica": 3}, 'unknown field "spec.maxReplica"'),
    "a secret without its key": (
        {"metrics": {"bearerTokenSecretRef": {"name": "token"}}},
        "bearerTokenSecretRef.key: Required value",
    ),
}

REFUSED_LEVELS = {
    "minInstances below 0": (
        {"minInstances": -1},
        "spec.minInstances in body should be greater than or equal to 0",
    ),
    "no class": ({"classes": []}, "spec.classes"),
    "no default class": (
        {"classes__1__match": {"objective": "relaxed"}},
        "write match: {default: true} in exactly one class",
    ),
    "two default classes": (
        {"classes__2__match": {"default": True}},
        "write match: {default: true} in exactly one class",
    ),
    "default false": (
        {"classes__2__match": {"default": False}},
        "write true, or leave it out",
    ),
    "two classes of one name": ({"classes__1__name": "interactive"}, "Duplicate value"),
    "two rules in a match": (
        {"classes__1__match": {"default": True, "objective": "relaxed"}},
        "write exactly one of header, objective and default: true",
    ),
    "no rule in a match": (
        {"classes__0__match": {}},
        "write exactly one of header, objective and default: true",
    ),
    "no bound": (
        {"classes__1__slo": {"percentile": "0.95"}},
        "write at least one of ttft, tpot, e2e and deadline",
    ),
    "a percentile of 1": (
        {"classes__1__slo__percentile": "1"},
        'write a share above 0 and below 1, such as "0.99"',
    ),
    "a percentile of 99": (
        {"classes__1__slo__percentile": "99"},
        'write a share above 0 and below 1, such as "0.99"',
    ),
    "a percentile of 0": (
        {"classes__1__slo__percentile": "0.0"},
        'write a share above 0 and below 1, such as "0.99"',
    ),
    "a duration without its unit": (
        {"classes__1__slo__e2e__max": "60"},
        'with its unit, such as "500ms", "90s" or "1h30m"',
    ),
    "a duration of 0": (
        {"classes__1__slo__e2e__max": "0s"},
        'with its unit, such as "500ms", "90s" or "1h30m"',
    ),
    "a duration below 0": ({"idleAfter": "-5m"}, "write a duration"),
    "a duration that Go cannot hold": ({"idleAfter": "9999999h"}, "spec.idleAfter"),
    "a class in capitals": ({"classes__1__name": "Relaxed"}, 'such as "interactive"'),
    "an unknown routing": (
        {"routing": "Maybe"},
        'supported values: "Obeyed", "ByLabel", "Uncontrolled"',
    ),
    "a priority beyond int32": (
        {"classes__1__priority": -(2**31) - 1},
        "should be greater than or equal to -2147483648",
    ),
    "a header without a value": (
        {"classes__0__match": {"header": {"name": "x"}}},
        "header.value: Required value",
    ),
}

REFUSED_PROFILES = {
    "a step that takes no time": (
        {"step__baseMs": "0", "step__perDecodeMs": "0"},
        "write baseMs or perDecodeMs above 0",
    ),
    "p90 below p50": (
        {"startup__p90": "60s"},
        "found p90 60s below p50 120s; write p90 at least as long",
    ),
    "a step below 0": ({"step__baseMs": "-1"}, "write a number in quotes"),
    "an unknown trust": ({"trust": "guessed"}, 'supported values: "measured", "predicted"'),
    "no KV cache": ({"kv__tokens": 0}, "should be greater than or equal to 1"),
    "a day as a moment": ({"provenance__at": "2026-11-20"}, "spec.provenance.at"),
    "no engine": ({"engine": ...}, "spec.engine: Required value"),
}

REFUSED_STOCKS = {
    "two shares of a namespace": (
        {"shares": [{"namespace": "llm", "max": 1}, {"namespace": "llm", "max": 2}]},
        "Duplicate value",
    ),
    "a limit below 0": ({"limit": -1}, "should be greater than or equal to 0"),
    "a price below 0": ({"pricePerHour": "-3"}, "write a number in quotes"),
    "none on a node": ({"perNode": 0}, "should be greater than or equal to 1"),
    "no accelerator": ({"accelerator": ...}, "spec.accelerator: Required value"),
}

REFUSED = [
    pytest.param(kind, changes, sentence, id=f"{kind}: {what}")
    for kind, cases in (
        ("VariantAutoscaling", REFUSED_VARIANTS),
        ("ServiceLevel", REFUSED_LEVELS),
        ("CapacityProfile", REFUSED_PROFILES),
        ("AcceleratorStock", REFUSED_STOCKS),
    )
    for what, (changes, sentence) in cases.items()
]


@pytest.mark.parametrize(("kind", "changes", "sentence"), REFUSED)
async def test_what_a_model_refuses_the_server_refuses_in_a_sentence(
    api, namespace, collection, kind, changes, sentence
):
    body = example(kind, namespace, **changes)
    body.pop("status", None)
    assert sentence in await refusal(api, collection(kind), body)


async def test_the_profile_within_a_variant_is_checked_like_one_of_its_own(
    api, namespace, collection
):
    profile = copy.deepcopy(DOCUMENTS["CapacityProfile"]["spec"])
    profile["step"] |= {"baseMs": "0", "perDecodeMs": "0"}
    body = example("VariantAutoscaling", namespace, profileRef=..., profile=profile)
    said = await refusal(api, collection("VariantAutoscaling"), body)
    assert "spec.profile.step" in said
    assert "write baseMs or perDecodeMs above 0" in said


class TestEpoch:
    """A leader that was paused and writes late must not be taken for the one that stands."""

    @pytest.fixture(params=["VariantAutoscaling", "ServiceLevel"])
    async def decide(self, request, api, namespace, collection):
        body = example(request.param, namespace)
        del body["status"]
        await api.call("POST", collection(request.param), body)
        path = f"{collection(request.param)}/{body['metadata']['name']}/status"

        async def decide(decision, manager="llmd-controller"):
            patch = {key: body[key] for key in ("apiVersion", "kind")}
            patch |= {"metadata": {"name": body["metadata"]["name"]}}
            patch |= {"status": {"decisionID": decision}}
            query, form = f"fieldManager={manager}&force=true", SSA
            if decision is None:
                query, form = f"fieldManager={manager}", MERGE
            after = await api.call("PATCH", f"{path}?{query}", patch, kind=form)
            return after.get("status", {}).get("decisionID")

        return decide

    async def test_a_status_of_an_older_epoch_is_refused(self, decide):
        await decide("7-1482")
        with pytest.raises(ApiError) as failure:
            await decide("6-99999")
        assert failure.value.code == 422
        assert "a newer leader has decided since (7-1482, found 6-99999)" in str(failure.value)

    async def test_it_is_refused_from_another_manager_too(self, decide):
        await decide("7-1482")
        with pytest.raises(ApiError):
            await decide("6-1483", manager="somebody")

    async def test_epochs_are_numbers_and_not_texts(self, decide):
        await decide("9-1")
        assert await decide("10-1") == "10-1"

    async def test_a_new_leader_begins_its_counter_anew(self, decide):
        await decide("7-1482")
        assert await decide("8-1") == "8-1"

    async def test_a_person_can_take_back_an_epoch_that_nobody_can_reach(self, decide):
        """A slip such as 99999999-1 would lock out every leader for ever; null in a merge patch removes it."""
        await decide("99999999-1")
        await decide(None, manager="somebody")
        assert await decide("8-1") == "8-1"

    async def test_what_is_no_decision_is_refused(self, decide):
        with pytest.raises(ApiError, match="decisionID"):
            await decide("late")
