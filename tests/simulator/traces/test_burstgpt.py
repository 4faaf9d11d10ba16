"""BurstGPT's CSV."""

from pathlib import Path

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.replay import read_trace
from llmd_autoscaler.simulator.traces.burstgpt import HEADER
from llmd_autoscaler.simulator.traces.file import read_requests

SAMPLE = Path(__file__).parents[2] / "data" / "traces" / "burstgpt.csv"
GOOD = "5,ChatGPT,472,18,490,Conversation log"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "trace.csv"
    path.write_text("\n".join((header, *rows)), encoding="utf-8")
    return path


def test_failed_calls_are_left_out() -> None:
    found = read_requests(SAMPLE)
    # of 7 rows the one at second 131 and the first at 150 have no answer
    assert [request.at_s for request in found] == [12.0, 40.0, 40.0, 150.0, 407.0]
    assert found[0] == (12.0, 410, 25)


def test_times_are_counted_from_the_first_request_and_left_where_they_are() -> None:
    assert read_trace(SAMPLE).at_s.tolist() == [0.0, 28.0, 28.0, 138.0, 395.0]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    header = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type"
    path = written(tmp_path, "7.5,a,1,GPT-4,100,10,110,API log", header=header)
    assert read_requests(path) == [(7.5, 100, 10)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("6,ChatGPT,472,18,490", ":3: found '6,ChatGPT,472,18,490'; write 6 fields, of which Timestamp, Request"),
        ("6,ChatGPT,many,18,490,API log", ":3: found"),
        ("soon,ChatGPT,472,18,490,API log", ":3: found"),
        ("6,ChatGPT,0,18,18,API log", ":3: found .* prompts have 1 to"),
        ("6,ChatGPT,-4,0,-4,API log", ":3: found .* prompts have 1 to"),
        ("6,ChatGPT,4,-1,3,API log", ":3: found .* answers 0 to as many"),
        ("inf,ChatGPT,472,18,490,API log", ":3: found .* times are finite"),
        ("4,ChatGPT,472,18,490,API log", ":3: arrives before the row above it"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_its_line(tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_trace(written(tmp_path, GOOD, wrong))


def test_a_trace_of_failed_calls_alone_has_no_request(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no request in it; give at least one row under"):
        read_trace(written(tmp_path, "6,ChatGPT,0,0,0,API log"))
