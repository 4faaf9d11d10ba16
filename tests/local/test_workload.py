"""The Deployment and the HPA that local mode makes, read by those who act on them."""

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.workload import DRAIN_S, ServerSpec, deployment, hpa
from llmd_autoscaler.simulator import virtual
from llmd_autoscaler.simulator.deployment import StartUp
from llmd_autoscaler.simulator.deployment_controller import start_up_of
from llmd_autoscaler.simulator.hpa_resource import hpa_spec
from llmd_autoscaler.simulator.pod_process import command_of

(TARGET,) = load_config().targets
SERVER = ServerSpec("m", "/p/profile.yaml", Clock(1.0, 2.0, 10.0), seed=7)


def test_the_hpa_is_the_one_of_virtual_time():
    assert hpa_spec(hpa(TARGET)) == virtual.hpa_spec(TARGET.state)


def test_the_first_pods_are_warm_and_later_ones_start_as_the_profile_says():
    made = deployment(TARGET, SERVER, n_start=6)
    assert start_up_of(made) == StartUp(p50_s=120.0, p90_s=200.0, seed=7, n_warm=6)
    assert made["spec"]["replicas"] == 6


def test_a_pod_serves_the_profile_on_its_own_address_and_the_clock_of_the_run():
    pod = deployment(TARGET, SERVER, n_start=6)["spec"]["template"]
    command = command_of(pod, {"POD_IP": "127.64.0.1"})
    flags = dict(zip(command[4::2], command[5::2], strict=True))
    assert command[3] == "simulate-server"
    assert flags["--host"] == "127.64.0.1"
    assert flags["--profile"] == "/p/profile.yaml"
    assert flags["--clock"] == "1.0,2.0,10.0"


def test_a_pod_is_not_killed_before_its_drain_is_over():
    spec = deployment(TARGET, SERVER, n_start=6)["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] > DRAIN_S


def test_the_selector_finds_the_pods():
    spec = deployment(TARGET, SERVER, n_start=6)["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
