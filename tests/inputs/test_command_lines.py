"""Command lines that cannot be right: one line that says what to write, exit code 2, and nothing started."""

import socket

import pytest

from llmd_autoscaler.__main__ import main
from llmd_autoscaler.cli import kernel_cache

NOBODY = "--api http://127.0.0.1:1"
SERVER = "simulate-server --profile llama-3.1-8b-h100"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
CANNOT_LISTEN = "cannot listen on 127.0.0.1:"
NO_CLOCK = "is not WALL_UNIX_S,SIM_UNIX_S,RATE"
NO_ADDRESS = "is no address: write one such as http://127.0.0.1:8080"

FILES = {
    "nothing.csv": b"",
    "empty.csv": AZURE.encode(),
    "bad.csv": f"{AZURE}2023-11-16 18:15:46,100,ten\n".encode(),
    "order.csv": f"{AZURE}2023-11-16 18:15:46,9,9\n2023-11-16 18:15:40,9,9\n".encode(),
    "binary.csv": b"\xb9\xfe\x00",
    "cut.csv.gz": b"\x1f\x8b\x08",
    "wrong/a.yaml": b"kind: Foo\n",
    "binary/a.yaml": b"\xde ",
    "tab/a.yaml": b"a:\n\t- b\n",
    "full/requests.csv": b"x",
}


@pytest.fixture(autouse=True)
def _resolved_cache(monkeypatch, tmp_path):
    """A process whose parent has chosen the cache, so that nothing is written elsewhere."""
    monkeypatch.setenv(kernel_cache.VARIABLE, str(tmp_path))
    monkeypatch.setenv(kernel_cache.RESOLVED, str(tmp_path))


@pytest.fixture
def folder(tmp_path):
    """Files that are all wrong, each in its way."""
    for name, content in FILES.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "files" / "none").mkdir()
    return tmp_path / "files"


@pytest.fixture
def taken():
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


WRONG = [
    ("", "the following arguments are required: COMMAND"),
    ("nosuch", "invalid choice: 'nosuch'"),
    ("--nosuch", "COMMAND"),
    ("local --sped 3", "unrecognized arguments: --sped 3"),
    ("local extra", "unrecognized arguments: extra"),
    ("local --speed 0", "'0' is no number above 0"),
    ("local --speed fast", "'fast' is no number above 0"),
    ("local --until -1", "'-1' is no number above 0"),
    ("local --rate-scale nan", "'nan' is no number above 0"),
    ("local --seed x", "invalid int value: 'x'"),
    ("local --seed", "expected one argument"),
    ("local --trace {folder}/absent.csv", "absent.csv: no such file"),
    ("local --trace {folder}", "cannot be read"),
    ("local --virtual --trace {folder}/nothing.csv", "nothing.csv:1: found the header (nothing)"),
    ("local --virtual --trace {folder}/empty.csv", "empty.csv: no request in it"),
    ("local --virtual --trace {folder}/bad.csv", "bad.csv:2: found"),
    ("local --virtual --trace {folder}/order.csv", "order.csv:3: arrives before the row above it"),
    ("local --virtual --trace {folder}/binary.csv", "cannot be read as text"),
    ("local --virtual --trace {folder}/cut.csv.gz", "cannot be read"),
    ("local --config {folder}/absent", "absent: no such file or directory"),
    ("local --config {folder}/none", "no YAML file in it"),
    ("local --config {folder}/bad.csv", "not a directory"),
    ("local --config {folder}/wrong", 'a.yaml:1: kind: found "Foo"'),
    ("local --config {folder}/binary", "a.yaml:1: found the byte 0xde"),
    ("local --config {folder}/tab", "a.yaml:2: found a tab"),
    ("local --virtual --record {folder}/full", "not empty; name a new folder"),
    ("local --virtual --record {folder}/bad.csv", "name a folder that can be made"),
    ("controller --port 70000", "'70000' is no port"),
    ("controller --port {taken} " + NOBODY, CANNOT_LISTEN),
    ("controller --period 0", "'0' is no number above 0"),
    ("controller --clock 1,2 " + NOBODY, NO_CLOCK),
    ("controller --api nonsense", NO_ADDRESS),
    ("controller --api ftp://127.0.0.1", NO_ADDRESS),
    ("controller --router nonsense " + NOBODY, NO_ADDRESS),
    ("router --port x", "'x' is no port"),
    ("router --port {taken} " + NOBODY, CANNOT_LISTEN),
    ("router --scorer nosuch " + NOBODY, "no scorer is called 'nosuch'"),
    ("router --clock a,b,c", NO_CLOCK),
    ("router --api http://", NO_ADDRESS),
    ("simulate-server", "the following arguments are required: --profile"),
    ("simulate-server --profile nosuch", "not in the catalogue"),
    ("simulate-server --profile {folder}/wrong/a.yaml", 'a.yaml:1: kind: found "Foo"'),
    (SERVER + " --port {taken}", CANNOT_LISTEN),
    (SERVER + " --shutdown-timeout x", "'x' is no number of 0 or more"),
    (SERVER + " --shutdown-timeout=-1", "'-1' is no number of 0 or more"),
    (SERVER + " --shutdown-timeout nan", "'nan' is no number of 0 or more"),
    ("simulate-cluster --hpa-period 0", "'0' is no number above 0"),
    ("simulate-cluster --port {taken}", "127.0.0.1:"),
    ("simulate-cluster --clock x", NO_CLOCK),
    ("simulate-cluster --adapter-url nonsense", NO_ADDRESS),
    ("status " + NOBODY, "no answer"),
    ("status --api nonsense", NO_ADDRESS),
    ("status --clock x", NO_CLOCK),
    ("status extra", "unrecognized arguments: extra"),
    ("warm --now", "unrecognized arguments: --now"),
    ("version --short", "unrecognized arguments: --short"),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line or "nothing" for line, _ in WRONG])
def test_a_wrong_command_line_is_one_sentence_and_exit_code_two(capsys, folder, taken, line, said):
    try:
        code = main(line.format(folder=folder, taken=taken).split())
    except SystemExit as end:
        code = end.code
    shown = capsys.readouterr()
    assert code == 2
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.out + shown.err
