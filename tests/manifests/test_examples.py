"""The examples: our kinds as our models read them, HPAs as the simulator's arithmetic reads them, servers that drain."""

import json

import pytest
import yaml

from llmd_autoscaler.simulator.hpa import Goal, Source
from llmd_autoscaler.simulator.hpa_resource import hpa_spec, metric_path
from llmd_autoscaler.translate.yaml_file import parse_resources
from models.capacity_profile import CapacityProfile
from models.group import Group
from models.service_level import ServiceLevel
from models.variant_autoscaling import VariantAutoscaling
from tests.manifests.kustomize import MANIFESTS, built, of_kind, pod_spec

EXAMPLES = sorted(path.name for path in (MANIFESTS / "examples").iterdir())
OURS = ("ServiceLevel", "VariantAutoscaling", "CapacityProfile", "AcceleratorStock")
CATALOG = MANIFESTS.parent / "models" / "catalog"


def resources(example):
    """Our kinds, read as the controller reads them."""
    objects = of_kind(built(f"examples/{example}"), *OURS)
    return parse_resources(yaml.safe_dump_all(objects), example)


def variants(example):
    return {e.metadata.name: e for e in resources(example) if isinstance(e, VariantAutoscaling)}


def deployments(example):
    return {e["metadata"]["name"]: e for e in of_kind(built(f"examples/{example}"), "Deployment")}


def autoscalers(example):
    return of_kind(built(f"examples/{example}"), "HorizontalPodAutoscaler")


def server(deployment):
    (found,) = pod_spec(deployment)["containers"]
    return found


def flags(deployment):
    """The flags of a server, by name."""
    return dict(word.removeprefix("--").split("=", 1) for word in server(deployment)["args"])


@pytest.fixture(params=EXAMPLES)
def example(request):
    return request.param


def test_each_object_is_read_by_the_models_without_a_complaint(example):
    assert {each.kind for each in resources(example)} == set(OURS)


def test_profiles_are_those_of_the_catalogue(example):
    for path in (MANIFESTS / "examples" / example / "profiles").iterdir():
        assert path.read_text() == (CATALOG / path.name).read_text()


def test_a_variant_scales_a_deployment_of_its_model_by_one_hpa_and_has_its_profile(example):
    profiles = {e.metadata.name: e for e in resources(example) if isinstance(e, CapacityProfile)}
    (level,) = [e for e in resources(example) if isinstance(e, ServiceLevel)]
    found = variants(example)
    scaled = [each["spec"]["scaleTargetRef"]["name"] for each in autoscalers(example)]
    assert sorted(scaled) == sorted(v.spec.scale_target_ref.name for v in found.values())
    for variant in found.values():
        profile = profiles[variant.spec.profile_ref.name]
        deployment = deployments(example)[variant.spec.scale_target_ref.name]
        assert profile.spec.model == variant.spec.model_id == level.spec.model_id
        assert flags(deployment)["model"] == variant.spec.model_id
        assert profile.spec.accelerator == variant.spec.accelerator
        limits = server(deployment)["resources"]["limits"]
        assert limits["nvidia.com/gpu"] == str(variant.spec.accelerator_count)


def test_an_hpa_lands_on_the_number_and_nowhere_else(example):
    for body in autoscalers(example):
        spec = hpa_spec(body)
        (metric,) = spec.metrics
        # 1 a replica: ceil(desired / 1) = desired
        assert (metric.source, metric.goal, metric.target_milli) == (
            Source.OBJECT,
            Goal.AVERAGE_VALUE,
            1000,
        )
        for rules in (spec.behavior.up, spec.behavior.down):
            assert (rules.tolerance, rules.window_s) == (0.0, 0.0)
            assert rules.policies[0].value >= spec.max_replicas
        name = body["metadata"]["name"]
        assert metric_path(body, 0).endswith(
            f"/namespaces/llm/variantautoscalings.autoscaling.llmd.ai/{name}/desired_replicas"
        )


def test_an_hpa_has_the_limits_of_its_variant(example):
    found = variants(example)
    for body in autoscalers(example):
        spec, variant = hpa_spec(body), found[body["metadata"]["name"]].spec
        assert (spec.min_replicas, spec.max_replicas) == (
            variant.min_replicas,
            variant.max_replicas,
        )


def test_no_deployment_says_replicas(example):
    for each in deployments(example).values():
        assert "replicas" not in each["spec"]


def test_a_server_may_end_its_answers_before_it_is_killed(example):
    for each in deployments(example).values():
        waited_s = server(each)["lifecycle"]["preStop"]["sleep"]["seconds"]
        drained_s = int(flags(each)["shutdown-timeout"])
        assert waited_s + drained_s < pod_spec(each)["terminationGracePeriodSeconds"]


def test_a_server_has_the_limits_that_its_profile_was_made_with(example):
    profiles = {e.metadata.name: e for e in resources(example) if isinstance(e, CapacityProfile)}
    for name, variant in variants(example).items():
        profile, given = (
            profiles[variant.spec.profile_ref.name].spec,
            flags(deployments(example)[name]),
        )
        kv = profile.kv
        each_gpu = kv.tokens * kv.bytes_per_token // variant.spec.accelerator_count
        assert int(given["kv-cache-memory-bytes"]) == each_gpu
        assert int(given["max-num-batched-tokens"]) == profile.engine.max_num_batched_tokens
        assert int(given["max-num-seqs"]) == profile.engine.max_num_seqs
        assert int(given.get("tensor-parallel-size", "1")) == variant.spec.accelerator_count


def test_caches_outlive_the_pod_and_are_a_variants_own(example):
    folders = set()
    for each in deployments(example).values():
        environment = {e["name"]: e.get("value", "") for e in server(each)["env"]}
        folders |= {environment["VLLM_CACHE_ROOT"], environment["TRITON_CACHE_DIR"]}
        (cache,) = [v for v in pod_spec(each)["volumes"] if v["name"] == "cache"]
        assert cache["persistentVolumeClaim"] == {"claimName": "vllm-cache"}
    assert len(folders) == 2 * len(deployments(example))


def test_prefill_gives_and_decode_takes_in_one_domain():
    found = variants("prefill-decode")
    assert len({variant.spec.kv_domain for variant in found.values()} - {""}) == 1
    roles = {Group.PREFILL: "kv_producer", Group.DECODE: "kv_consumer"}
    for name, variant in found.items():
        (group,) = variant.spec.groups
        given = json.loads(flags(deployments("prefill-decode")[name])["kv-transfer-config"])
        assert given == {"kv_connector": "NixlConnector", "kv_role": roles[group]}


def test_host_memory_holds_the_offloaded_blocks_and_the_server():
    (deployment,) = deployments("kv-offload").values()
    given = json.loads(flags(deployment)["kv-transfer-config"])["kv_connector_extra_config"]
    gib = 2**30
    assert given["cpu_bytes_to_use"] == 64 * gib
    assert server(deployment)["resources"]["limits"]["memory"] == "128Gi"
    (tier,) = given["secondary_tiers"]
    mounts = {mount["mountPath"] for mount in server(deployment)["volumeMounts"]}
    assert tier["root_dir"] in mounts
