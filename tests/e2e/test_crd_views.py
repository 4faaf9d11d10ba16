"""Our kinds as people look at them with kubectl: columns, explanations, one word for all (check 16)."""

import pytest

from tests.controlplane.api import SSA
from tests.e2e.kinds import GROUP, PLURALS, example


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
