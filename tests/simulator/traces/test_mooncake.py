"""Mooncake's JSON lines."""

import json
from pathlib import Path

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.replay import read_trace
from llmd_autoscaler.simulator.traces.file import read_requests

SAMPLE = Path(__file__).parents[2] / "data" / "traces" / "mooncake-conversation.jsonl"
GOOD = '{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [0]}'


def row(**fields: object) -> str:
    return json.dumps({**json.loads(GOOD), **fields})


def written(folder: Path, *rows: str) -> Path:
    path = folder / "trace.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_the_recorded_beginning_is_read_in_seconds_and_tokens() -> None:
    found = read_requests(SAMPLE)
    # its first and its last line
    assert found[0] == (0.0, 6758, 500)
    assert found[-1] == (9.0, 15366, 344)
    assert len(found) == 32


def test_requests_of_one_stamp_are_spread_until_the_next() -> None:
    found = read_trace(SAMPLE).at_s
    # 10 requests are stamped 0, 16 stamped 3.000, 3 stamped 5.999 and 3 stamped 9.000 s
    assert [
        int(((found >= low) & (found < low + 3.0)).sum()) for low in (0, 3, 6, 9)
    ] == pytest.approx([10, 16, 3, 3], abs=1)
    assert len(set(found.tolist())) == 32


def test_a_trace_read_twice_is_the_same() -> None:
    assert read_trace(SAMPLE).at_s.tolist() == read_trace(SAMPLE).at_s.tolist()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{", r":2: found '\{'; write an object with a time in milliseconds"),
        ("[1, 2, 3]", r":2: found '\[1, 2, 3\]'; write an object"),
        ("null", ":2: found 'null'"),
        ("[" * 100_000, ":2: found"),
        (row(timestamp="0"), ":2: found"),
        (row(timestamp=True), ":2: found"),
        (row(timestamp=float("nan")), ":2: found .* times are finite"),
        (row(timestamp=10**400), ":2: found"),
        (row(timestamp=-1), ":2: arrives before the row above it"),
        (row(timestamp=10**14), ":2: arrives 100000000000 s after the first row; write times in"),
        (row(input_length=5.0), ":2: found"),
        (row(input_length=None), ":2: found"),
        (row(input_length=0), ":2: found .* prompts have 1 to 10,000,000 tokens"),
        (row(input_length=10**8), ":2: found .* prompts have 1 to"),
        (row(output_length=-1), ":2: found .* answers 0 to as many"),
        ('{"timestamp": 0, "input_length": 5}', ":2: found"),
        ('{"timestamp": 0, "input_length": ' + "9" * 5000 + "}", ":2: found"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_trace(written(tmp_path, GOOD, wrong))


def test_a_wrong_first_line_is_the_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=":1: found"):
        read_trace(written(tmp_path, '{"timestamp": 0}'))
