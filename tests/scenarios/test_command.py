"""`llmd-autoscaler local --scenario`."""

import json

import pytest

from llmd_autoscaler.__main__ import main
from llmd_autoscaler.simulator.scenarios import catalog
from tests.scenarios.runs import played


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that ends with 2 said, which is one line."""
    try:
        code = main(["local", *arguments])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    return said


def test_the_list_has_every_name_and_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "--scenario", "list"]) == 0
    assert capsys.readouterr().out == catalog.listing() + "\n"


def test_an_unknown_scenario_is_one_sentence_with_the_closest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refused(capsys, "--scenario", "flash_to_zero")
    assert "scenario 'flash_to_zero': no such scenario; did you mean flash-to-zero?" in said


def test_a_scenario_and_a_trace_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--scenario", "chat", "--trace", "some.csv")
    assert "not allowed with argument" in said


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_command_runs_what_the_tests_assert(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "--scenario", "spike", "--virtual", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    run = played("spike")
    assert found["requests"] == len(run.setup.replay.at_s)
    assert found["gpu_hours"] == pytest.approx(run.result.gpu_hours, abs=0.01)
    assert found["scaling_events"] == run.result.n_events
