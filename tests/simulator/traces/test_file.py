"""Any file at all: it is a trace, or it is refused with a sentence."""

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.replay import read_trace
from llmd_autoscaler.simulator.traces import file as trace_file
from llmd_autoscaler.simulator.traces.azure import PUBLISHED_HEADER, SECONDS_HEADER
from llmd_autoscaler.simulator.traces.burstgpt import HEADER

MOONCAKE = '{"timestamp": 0, "input_length": 5, "output_length": 1}'
BEGINNINGS = [
    "",
    SECONDS_HEADER + "\n0,5,1\n",
    PUBLISHED_HEADER + "\n2023-11-16 18:15:46,5,1\n",
    HEADER + "\n0,GPT-4,5,1,6,API log\n",
    MOONCAKE + "\n",
]
SCRAPS = st.text(alphabet="0123456789.,-:eE+_ \n\t\"'{}[]nainfT\x00é²", max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(BEGINNINGS), SCRAPS, st.integers(0, 80), st.booleans())
def test_whatever_stands_in_a_file_is_read_or_refused(
    tmp_path: Path, beginning: str, scrap: str, at: int, is_compressed: bool
) -> None:
    text = (beginning[:at] + scrap + beginning[at:]).encode()
    path = tmp_path / "trace"
    path.write_bytes(gzip.compress(text) if is_compressed else text)
    try:
        found = read_trace(path)
    except ConfigError:
        return
    assert len(found.at_s) > 0
    assert (found.isl >= 1).all()
    assert (found.osl >= 1).all()


@pytest.mark.parametrize("text", BEGINNINGS[1:])
def test_a_form_is_told_by_its_content_not_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(text, encoding="utf-8")
    assert read_trace(path).isl.tolist() == [5]


def test_a_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_file, "_MOST_BYTES", 2**20)
    path = tmp_path / "bomb.csv"
    path.write_bytes(gzip.compress(bytes(2**20 + 1)))
    with pytest.raises(ConfigError, match="longer than 1 MiB; cut it into shorter traces"):
        read_trace(path)


def test_a_folder_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as text or gzip"):
        read_trace(tmp_path)
