"""The command line from outside: one sentence and exit code 2 for what somebody must write otherwise."""

import socket
import subprocess
import sys
from importlib.resources import files

import pytest

from llmd_autoscaler.__main__ import main
from llmd_autoscaler.cli import kernel_cache

HEADER = "arrival_s,input_tokens,output_tokens\n"


@pytest.fixture(autouse=True)
def _resolved_cache(monkeypatch, tmp_path):
    """A process whose parent has chosen the cache, so that nothing is written elsewhere."""
    monkeypatch.setenv(kernel_cache.VARIABLE, str(tmp_path))
    monkeypatch.setenv(kernel_cache.RESOLVED, str(tmp_path))


def refused(capsys, *arguments):
    """What a command that ends with 2 said, which is one line."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    return said


def test_an_unknown_flag_is_told_in_the_words_of_its_command(capsys):
    said = refused(capsys, "local", "--sped", "3")
    assert said == (
        "llmd-autoscaler local: unrecognized arguments: --sped 3; see llmd-autoscaler local --help\n"
    )


def test_an_abbreviated_flag_is_unknown(capsys):
    assert "unrecognized arguments: --virt" in refused(capsys, "local", "--virt")


def test_no_command_at_all_is_an_error(capsys):
    assert "COMMAND" in refused(capsys)


@pytest.mark.parametrize("flag", ["--speed", "--until", "--rate-scale"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "fast"])
def test_a_number_that_must_be_above_zero_is(capsys, flag, value):
    assert f"{value!r} is no number above 0" in refused(capsys, "local", f"{flag}={value}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: found the header (nothing)"),
        (HEADER, ": no request in it"),
        (HEADER + "5,5,1\n1,5,1\n", ":3: arrives before the row above it"),
    ],
)
def test_a_trace_that_cannot_be_replayed_is_one_sentence(capsys, tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    assert f"trace {path}{said}" in refused(capsys, "local", "--virtual", "--trace", str(path))


def test_a_missing_trace_is_named(capsys, tmp_path):
    path = tmp_path / "none.csv"
    assert f"trace {path}: no such file" in refused(capsys, "local", "--trace", str(path))


def test_a_bad_row_of_a_trace_has_its_line_number(capsys, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}0.0,10,20\n1.0,ten,20\n")
    # the header is line 1
    assert f"trace {path}:3: found '1.0,ten,20'" in refused(capsys, "local", "--trace", str(path))


def test_an_empty_config_folder_is_told_what_it_lacks(capsys, tmp_path):
    said = refused(capsys, "local", "--config", str(tmp_path))
    assert f"config {tmp_path}: no YAML file in it" in said


def test_a_wrong_resource_has_its_file_and_line(capsys, tmp_path):
    (tmp_path / "a.yaml").write_text("apiVersion: autoscaling.llmd.ai/v1alpha1\nkind: ServiceLvl\n")
    assert f"{tmp_path}/a.yaml:2: kind: found" in refused(
        capsys, "local", "--config", str(tmp_path)
    )


DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('percentile: "0.99"', "percentile: 0.99", ": spec.classes[0].slo.percentile: found 0.99"),
        ("routing: Obeyed", "minInstances: -1", ": spec.minInstances: found -1 (a number); write 0 or more"),
        ("minReplicas: 3", "minReplicas: -1", ": spec.minReplicas: found -1 (a number); write 0 or more"),
        ("Count: 4", "Count: 8", "the profile has acceleratorCount 4, but spec.acceleratorCount is 8"),
        ("llama-3.1-70b-a100-tp4}", "llama-3.1-8b-h100}", "the profile has model meta-llama/Llama-3.1-8B"),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_run_is_one_sentence(capsys, tmp_path, right, wrong, said):
    (tmp_path / "a.yaml").write_text(DEFAULT.replace(right, wrong))
    assert said in refused(capsys, "local", "--virtual", "--config", str(tmp_path))


def test_a_record_is_never_mixed_with_what_a_folder_holds(capsys, tmp_path):
    (tmp_path / "requests.csv").write_text(HEADER)
    said = refused(capsys, "local", "--virtual", "--record", str(tmp_path))
    assert f"--record {tmp_path}: not empty" in said


def test_a_rate_that_leaves_no_request_is_refused(capsys):
    said = refused(capsys, "local", "--until", "1", "--rate-scale", "0.000001")
    assert "--rate-scale 1e-06 leaves no request" in said


def test_a_bad_clock_is_told_how_to_be_written(capsys):
    assert "--clock '1,2' is not WALL_UNIX_S,SIM_UNIX_S,RATE" in refused(
        capsys, "router", "--clock", "1,2"
    )


def test_an_unknown_profile_is_told_the_known_ones(capsys):
    assert "llama-3.1-8b-h100" in refused(capsys, "simulate-server", "--profile", "llama-9")


@pytest.mark.parametrize(
    "command",
    [
        "simulate-cluster",
        "simulate-server --profile llama-3.1-8b-h100",
        "router --api http://127.0.0.1:1",
        "controller --api http://127.0.0.1:1",
    ],
)
def test_a_given_port_in_use_is_an_error(capsys, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused(capsys, *command.split(), "--port", str(port))


@pytest.mark.parametrize("command", ["router", "controller"])
def test_a_host_without_an_address_is_told_as_that(capsys, command):
    # of an interface that there is not: refused by the resolver without asking anybody
    flags = ["--api", "http://127.0.0.1:1", "--host", "fe80::1%nosuch", "--port", "8080"]
    said = refused(capsys, command, *flags)
    assert "cannot listen on fe80::1%nosuch:8080 (" in said
    assert "Unknown error" not in said


def test_a_port_beyond_the_last_is_none(capsys):
    assert "'65536' is no port" in refused(capsys, "router", "--port", "65536")


def test_the_version_is_printed(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out == "llmd-autoscaler 0.1.0\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "foreign"),
    [
        ("router --clock x", {"numba", "highspy", "numpy"}),
        ("simulate-cluster --clock x", {"numba", "highspy", "kubernetes"}),
        ("simulate-server --profile llama-3.1-8b-h100 --clock x", {"highspy", "kubernetes"}),
        ("version", {"numba", "aiohttp", "pydantic"}),
    ],
)
def test_a_command_does_not_import_what_only_others_need(command, foreign):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmd_autoscaler", *command.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & foreign
