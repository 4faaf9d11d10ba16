"""Who stands for election, as the command line says it."""

import argparse

import pytest

from llmd_autoscaler.cli import controller
from llmd_autoscaler.cli.parser import Parser
from llmd_autoscaler.errors import ConfigError


def candidate(*flags):
    parser = Parser()
    commands = parser.add_subparsers()
    controller.add_to(commands)
    given: argparse.Namespace = parser.parse_args(["controller", *flags])
    return controller._candidate(given)


def test_in_a_cluster_it_stands_for_election():
    one = candidate()
    assert one.lease == (
        "default",
        "llmd-controller",
    )  # outside of a pod there is no other namespace


def test_in_a_pod_the_lease_is_in_the_pods_namespace(tmp_path, monkeypatch):
    file = tmp_path / "namespace"
    file.write_text("llmd-autoscaler")
    monkeypatch.setattr(controller, "_NAMESPACE_FILE", file)
    assert candidate().lease == ("llmd-autoscaler", "llmd-controller")


def test_beside_an_api_server_of_its_own_it_is_alone_unless_it_is_told():
    address = ("--api", "http://127.0.0.1:8001")
    assert candidate(*address) is None
    assert candidate(*address, "--leader-elect") is not None
    assert candidate("--no-leader-elect") is None


def test_two_processes_of_one_host_have_two_identities():
    assert candidate().identity != candidate().identity


def test_an_identity_and_a_lease_are_taken_as_they_are_given():
    one = candidate("--identity", "a", "--lease", "llm/mine")
    assert (one.identity, one.lease) == ("a", ("llm", "mine"))


@pytest.mark.parametrize("lease", ["mine", "/mine", "llm/", "a/b/c"])
def test_a_lease_without_its_namespace_is_told_how_to_be_written(lease):
    with pytest.raises(ConfigError, match=f"--lease {lease}: write NAMESPACE/NAME"):
        candidate("--lease", lease)
