"""Our kinds as the real API server takes them (check 16): what it accepts, what it fills in, and what it refuses in which words."""

import copy
from pathlib import Path

import pytest
import yaml

from models.service_level import ServiceLevelSpec
from models.variant_autoscaling import VariantAutoscalingSpec
from tests.controlplane.api import MERGE, SSA, ApiError

GROUP = "/apis/autoscaling.llmd.ai/v1alpha1"
DOCUMENTS = {
    each["kind"]: each
    for each in yaml.safe_load_all((Path(__file__).parents[1] / "data/api.yaml").read_text())
}
PLURALS = {
    "ServiceLevel": "servicelevels",
    "VariantAutoscaling": "variantautoscalings",
    "CapacityProfile": "capacityprofiles",
    "AcceleratorStock": "acceleratorstocks",
}


@pytest.fixture
def collection(namespace):
    """Where the objects of a kind are."""

    def found(kind):
        where = "" if kind == "AcceleratorStock" else f"/namespaces/{namespace}"
        return f"{GROUP}{where}/{PLURALS[kind]}"

    return found


def example(kind, namespace, **changes):
    """The worked example of a kind, in a namespace, with parts of its spec replaced; ... removes one."""
    made = copy.deepcopy(DOCUMENTS[kind])
    if kind != "AcceleratorStock":
        made["metadata"]["namespace"] = namespace
    for dotted, value in changes.items():
        *path, last = (int(p) if p.isdecimal() else p for p in dotted.split("__"))
        here = made["spec"]
        for step in path:
            here = here[step]
        if value is ...:
            del here[last]
        else:
            here[last] = value
    return made


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


async def columns(api, path, accept="application/json;as=Table;g=meta.k8s.io;v=v1"):
    """The table that kubectl prints: titles to cells of the first row, and the titles of -o wide."""
    table = await api.call("GET", path, accept=accept)
    titles = [each["name"] for each in table["columnDefinitions"]]
    wide = {each["name"] for each in table["columnDefinitions"] if each["priority"]}
    return dict(zip(titles, table["rows"][0]["cells"], strict=True)), wide


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (
            "VariantAutoscaling",
            {
                "Model": "meta-llama/Llama-3.1-70B-Instruct",
                "Accelerator": "A100-80GB",
                "Groups": "mixed",
                "Replicas": 4,
                "Desired": 4,
                "Load": "3.21",
                "Cost/h": "56.00",
                "Ready": 3,
                "Reason": "DemandUp",
            },
        ),
        (
            "ServiceLevel",
            {
                "Model": "meta-llama/Llama-3.1-70B-Instruct",
                "Classes": "3",
                "QPS": "8.31",
                "SLO": "0.996",
                "Predicted": "0.993",
                "Cost/h": "74.50",
                "$/1M tokens": "1.67",
                "Feasible": "True",
            },
        ),
    ],
)
async def test_a_list_shows_the_columns_of_the_design_in_their_order(
    api, namespace, collection, kind, shown
):
    body = example(kind, namespace)
    path, name, status = collection(kind), body["metadata"]["name"], body.pop("status")
    await api.call("POST", path, body)
    patch = {"apiVersion": body["apiVersion"], "kind": kind, "status": status}
    query = "fieldManager=llmd-controller"
    await api.call(
        "PATCH", f"{path}/{name}/status?{query}", patch | {"metadata": {"name": name}}, kind=SSA
    )
    row, wide = await columns(api, path)
    narrow = {title: cell for title, cell in row.items() if title not in wide}
    assert list(narrow) == ["Name", *shown, "Age"]
    assert {title: narrow[title] for title in shown} == shown
    assert row["Decision"] == "7-1482"


async def test_kubectl_explain_has_words_for_every_field(api):
    """It reads this document."""
    document = await api.get("/openapi/v3/apis/autoscaling.llmd.ai/v1alpha1")
    level = document["components"]["schemas"]["ai.llmd.autoscaling.v1alpha1.ServiceLevel"]
    classes = level["properties"]["spec"]["properties"]["classes"]
    assert classes["description"] == (
        "Classes in the order of matching; exactly one is the default."
    )
    slo = classes["items"]["properties"]["slo"]["properties"]["percentile"]
    assert slo["description"] == "Share of requests that must attain every bound, below 1."


async def test_all_our_namespaced_kinds_answer_to_one_word(api):
    """`kubectl get llmd`."""
    found = await api.get(GROUP)
    kinds = {each["name"]: each for each in found["resources"] if "/" not in each["name"]}
    assert {name for name, each in kinds.items() if "llmd" in each["categories"]} == set(
        PLURALS.values()
    )
    assert {each["shortNames"][0] for each in kinds.values()} == {"sl", "va", "cprof", "stock"}
