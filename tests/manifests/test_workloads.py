"""The pods that we ship: restricted, probed, bounded, and started with flags that the programs take."""

import itertools

import pytest

from adapter.__main__ import _options
from adapter.__main__ import _parser as adapter_parser
from llmd_autoscaler.cli.command_line import _parsed
from tests.manifests.kustomize import (
    OVERLAYS,
    WORKLOADS,
    Object,
    built,
    containers,
    name_of,
    of_kind,
    pod_spec,
    template,
)

ALL = [
    pytest.param(each, id=f"{overlay}:{name_of(each)}")
    for overlay in OVERLAYS
    for each in of_kind(built(f"overlays/{overlay}"), *WORKLOADS)
]
SERVERS = [each for each in ALL if each.values[0]["kind"] not in {"Job", "CronJob"}]


@pytest.mark.parametrize("workload", ALL)
def test_a_pod_keeps_the_restricted_pod_security_standard(workload):
    pods = pod_spec(workload)["securityContext"]
    assert pods["runAsNonRoot"] is True
    assert pods["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("workload", ALL)
def test_a_container_says_what_it_needs_and_its_memory_is_bounded(workload):
    for container in containers(workload):
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        # no limit of CPU: a throttled tick is a late decision
        assert set(container["resources"]["limits"]) == {"memory"}


@pytest.mark.parametrize("workload", ALL)
def test_every_mount_has_a_volume_and_every_volume_a_mount(workload):
    mounted = {m["name"] for c in containers(workload) for m in c["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod_spec(workload)["volumes"]}


@pytest.mark.parametrize("workload", SERVERS)
def test_a_server_has_probes_on_a_port_that_it_names(workload):
    (server,) = pod_spec(workload)["containers"]
    ports = {port["name"]: port["containerPort"] for port in server["ports"]}
    for kind in ("livenessProbe", "readinessProbe"):
        probe = server[kind]
        assert probe.get("httpGet", probe.get("tcpSocket"))["port"] in ports
    assert f"--port={next(iter(ports.values()))}" in server["args"]


@pytest.mark.parametrize("workload", ALL)
def test_the_image_is_ours_by_version(workload):
    assert {each["image"] for each in containers(workload)} == {"llmd-autoscaler:0.1.0"}


@pytest.mark.parametrize("workload", ALL)
def test_the_program_takes_its_flags(workload):
    for container in containers(workload):
        arguments = container["args"]
        program = (container.get("command") or ["llmd-autoscaler"])[0]
        if program == "llmd-autoscaler":
            _parsed(arguments)  # ends the process where a flag is unknown
        elif program == "llmd-adapter":
            _options(adapter_parser().parse_args(arguments))
        else:
            assert [program, *container["command"][1:]] == ["python", "/script/certificate.py"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_controller_and_the_page_know_every_router(overlay):
    objects = built(f"overlays/{overlay}")
    (router,) = of_kind(objects, "StatefulSet")
    named = [
        f"--router=http://llmd-router-{i}.{router['spec']['serviceName']}"
        f".{router['metadata']['namespace']}.svc:8080"
        for i in range(router["spec"]["replicas"])
    ]
    for name in ("llmd-controller", "llmd-page"):
        (found,) = [e for e in of_kind(objects, "Deployment") if e["metadata"]["name"] == name]
        arguments = pod_spec(found)["containers"][0]["args"]
        assert [a for a in arguments if a.startswith("--router")] == named


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_finds_the_pods_of_one_workload(overlay):
    objects = built(f"overlays/{overlay}")
    pods = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): template(each)["metadata"][
            "labels"
        ]
        for each in of_kind(objects, *WORKLOADS)
        if each["kind"] not in {"Job", "CronJob"}
    }
    for each in of_kind(objects, "Service", "PodDisruptionBudget", "NetworkPolicy", *WORKLOADS):
        selector = _selector(each)
        if selector is None:
            continue
        found = [
            key
            for key, labels in pods.items()
            if key[0] == each["metadata"]["namespace"] and selector.items() <= labels.items()
        ]
        assert len(found) == 1, f"{name_of(each)} selects {found}"


def _selector(each: Object) -> dict[str, str] | None:
    spec = each["spec"]
    if each["kind"] in {"Job", "CronJob"}:
        return None
    if each["kind"] == "Service":
        return dict(spec["selector"])
    return dict(spec.get("selector", spec.get("podSelector"))["matchLabels"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_has_two_replicas_may_lose_one_and_stands_apart(overlay):
    objects = built(f"overlays/{overlay}")
    budgets = {each["metadata"]["name"] for each in of_kind(objects, "PodDisruptionBudget")}
    several = [
        each
        for each in of_kind(objects, "Deployment", "StatefulSet")
        if each["spec"]["replicas"] > 1
    ]
    assert {each["metadata"]["name"] for each in several} == budgets
    for each in several:
        keys = [c["topologyKey"] for c in pod_spec(each)["topologySpreadConstraints"]]
        assert "kubernetes.io/hostname" in keys


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_object_stands_twice(overlay):
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in built(f"overlays/{overlay}")
    ]
    assert [name for name, n in itertools.groupby(sorted(names, key=str)) if len(list(n)) > 1] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_hpa_is_led_to_v1beta2_and_the_certificate_is_always_checked(overlay):
    services = of_kind(built(f"overlays/{overlay}"), "APIService")
    assert {e["spec"]["version"]: e["spec"]["versionPriority"] for e in services} == {
        "v1beta1": 100,
        "v1beta2": 200,
    }
    for each in services:
        assert "insecureSkipTLSVerify" not in each["spec"]
        assert each["metadata"]["name"] == f"{each['spec']['version']}.{each['spec']['group']}"


def test_external_metrics_are_asked_for_by_flags_that_the_adapter_takes():
    objects = built("overlays/default", "external-metrics")
    (adapter,) = [
        each
        for each in of_kind(objects, "Deployment")
        if each["metadata"]["name"] == "llmd-adapter"
    ]
    (server,) = containers(adapter)
    options = _options(adapter_parser().parse_args(server["args"]))
    (service,) = [
        each["spec"]["service"]
        for each in of_kind(objects, "APIService")
        if each["spec"]["group"] == "external.metrics.k8s.io"
    ]
    assert options.external_service == f"{service['namespace']}/{service['name']}"
    told = of_kind(objects, "Job", "CronJob")
    for each in told:
        (container,) = containers(each)
        assert container["args"][-1] == "--api-service=v1beta1.external.metrics.k8s.io"
