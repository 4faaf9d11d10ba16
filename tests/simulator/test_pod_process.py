import sys

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.pod_process import command_of, environment_of, started

POD = {"metadata": {"name": "a-0", "namespace": "llm"}}


def pod(**container):
    return POD | {"spec": {"containers": [container]}}


def test_references_in_a_command_are_replaced_as_kubernetes_does():
    given = pod(
        command=["serve", "--host", "$(POD_IP)"],
        args=["--name=$(POD_NAME)", "$(MODEL)", "$(UNKNOWN)", "$$(POD_IP)"],
        env=[{"name": "MODEL", "value": "example/model"}],
    )
    assert command_of(given, environment_of(given, "127.64.0.1")) == [
        "serve",
        "--host",
        "127.64.0.1",
        "--name=a-0",
        "example/model",
        "$(UNKNOWN)",  # stays as it is
        "$(POD_IP)",  # escaped
    ]


def test_a_variable_may_come_from_a_field_of_the_pod():
    reference = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    given = pod(env=[{"name": "NS", "valueFrom": reference}])
    assert environment_of(given, "127.64.0.1")["NS"] == "llm"


def test_a_container_without_a_command_is_a_sentence():
    with pytest.raises(ConfigError, match=r"pod a-0: its container has no command"):
        command_of(pod(image="vllm"), {})


async def test_a_command_that_does_not_exist_is_a_sentence():
    with pytest.raises(ConfigError, match=r"cannot start '/no/such/program'"):
        async with started(["/no/such/program"], {}):
            pass


async def test_the_end_of_a_process_comes_with_its_last_words():
    code = "import sys; print('first\\nmodel not found', file=sys.stderr); sys.exit(3)"
    async with started([sys.executable, "-c", code], {}) as process:
        assert await process.exited() == "the process ended with code 3: model not found"


async def test_a_process_sees_its_variables():
    code = "import os, sys; sys.exit(int(os.environ['CODE']))"
    async with started([sys.executable, "-c", code], {"CODE": "7"}) as process:
        assert (await process.exited()).startswith("the process ended with code 7")
