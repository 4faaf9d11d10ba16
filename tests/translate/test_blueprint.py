"""One model from a set of resources, or a sentence that says why it is none."""

from importlib.resources import files

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.blueprint import read_blueprint
from llmd_autoscaler.translate.yaml_file import parse_resources

DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()
LEVEL, VARIANT, STOCK = DEFAULT.split("---\n")


def read(*documents):
    resources = [each for text in documents for each in parse_resources(text, "test")]
    return read_blueprint(resources, "test")


def test_a_profile_that_no_file_has_comes_from_the_catalogue():
    (target,) = read(LEVEL, VARIANT).targets
    assert target.state.profile.kv_tokens == 432576  # models/catalog/llama-3.1-70b-a100-tp4.yaml
    assert target.state.lead.p90_s == 200.0


def test_a_profile_goes_to_the_servers_as_a_resource_of_its_own():
    (target,) = read(LEVEL, VARIANT).targets
    assert target.profile["kind"] == "CapacityProfile"
    assert target.profile["metadata"] == {"name": "llama-70b-a100"}


def test_without_a_price_of_its_own_an_instance_costs_its_accelerators():
    (target,) = read(LEVEL, VARIANT.replace('costPerHour: "14.00"', 'linkGbps: "1"'), STOCK).targets
    assert target.state.usd_per_hour == 14.0  # 4 x 3.50


def test_a_status_in_a_file_is_not_applied():
    with_status = VARIANT + 'status: {desiredReplicas: 9, decisionID: "3-1"}\n'
    applied = read(LEVEL, with_status).objects
    assert all("status" not in each.body for each in applied)


def test_what_belongs_to_the_whole_cluster_has_no_namespace():
    assert [(each.kind, each.namespace) for each in read(LEVEL, VARIANT, STOCK).objects] == [
        ("ServiceLevel", "llm"),
        ("VariantAutoscaling", "llm"),
        ("AcceleratorStock", ""),
    ]


def test_resources_without_namespace_are_in_default():
    texts = [text.replace("namespace: llm", "labels: {}") for text in (LEVEL, VARIANT)]
    assert read(*texts).namespace == "default"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ((VARIANT,), "holds 0 resources of kind ServiceLevel"),
        ((LEVEL,), "nothing serves"),
        ((LEVEL, VARIANT.replace("namespace: llm", "namespace: b")), 'is in namespace "b"'),
        ((LEVEL, VARIANT.replace("70B-Instruct", "8B-Instruct")), r"spec\.modelID: found"),
        ((LEVEL, VARIANT.replace("kind: Deployment", "kind: Job")), "runs an apps/v1 Deployment"),
        ((LEVEL, VARIANT.replace("actuation: HPA", "actuation: Direct")), "scales by HPA"),
        ((LEVEL, VARIANT.replace("a100-tp4", "b200")), "not in the catalogue"),
        (
            (LEVEL, VARIANT.replace("acceleratorCount: 4", "acceleratorCount: 8")),
            "of the same variant",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(texts, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read(*texts)
