"""Recorded traffic: what is read, how it is scaled, who is in which class."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.replay import Replay, read_trace

SECONDS = "arrival_s,input_tokens,output_tokens\n"
PUBLISHED = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def replay(n: int, *, gap_s: float = 2.0) -> Replay:
    """A request every other second; its ISL is its number."""
    return Replay(
        at_s=np.arange(n, dtype=np.float64) * gap_s,
        isl=np.arange(1, n + 1),
        osl=np.arange(1, n + 1) * 10,
        class_of=np.zeros(n, dtype=np.int64),
    )


def test_times_are_counted_from_the_first_request(tmp_path: Path) -> None:
    found = read_trace(written(tmp_path, SECONDS + "10.5,100,20\n12,300,40\n"))
    assert found.at_s.tolist() == [0.0, 1.5]
    assert (found.isl.tolist(), found.osl.tolist()) == ([100, 300], [20, 40])
    assert found.duration_s == 1.5


def test_the_published_form_has_seven_decimals(tmp_path: Path) -> None:
    rows = "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
    found = read_trace(written(tmp_path, PUBLISHED + rows))
    assert found.at_s == pytest.approx([0.0, 4.314579], abs=1e-6)


def test_a_published_time_may_lack_its_fraction(tmp_path: Path) -> None:
    rows = "2023-11-16 18:15:46,374,44\n2023-11-16 18:15:47.5000000,396,109\n"
    assert read_trace(written(tmp_path, PUBLISHED + rows)).at_s.tolist() == [0.0, 1.5]


def test_a_gzipped_trace_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(gzip.compress((SECONDS + "0,1,2\n").encode()))
    assert read_trace(path).isl.tolist() == [1]


def test_an_answer_of_no_token_counts_as_one(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, SECONDS + "0,5,0\n")).osl.tolist() == [1]


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    assert len(read_trace(written(tmp_path, SECONDS + "0,5,1\n\n1,5,1\n")).at_s) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"trace\.csv:1: found the header \(nothing\)"),
        ("a,b,c\n1,2,3\n", r":1: found the header a,b,c; write arrival_s,input_tokens"),
        (SECONDS, "no request in it"),
        (SECONDS + "0,5,1\n1,five,1\n", r":3: found '1,five,1'; write a time and two whole"),
        (SECONDS + "0,5\n", r":2: found '0,5'"),
        (SECONDS + "0,5,1,9\n", r":2: found '0,5,1,9'"),
        (SECONDS + "0,0,1\n", r":2: found '0,0,1'; times are finite, prompts have 1 to"),
        (SECONDS + "nan,5,1\n", r":2: found 'nan,5,1'; times are finite"),
        (SECONDS + "0,5,-1\n", r":2: found '0,5,-1'"),
        (SECONDS + "7,5,1\n\n3,5,1\n", r":4: arrives before the row above it; sort the rows"),
        (PUBLISHED + "yesterday,5,1\n", r":2: found 'yesterday,5,1'"),
        # a prompt that fills the memory, and one that fits no integer of 64 bits
        (
            SECONDS + "0,5,1\n1,1000000000,1\n",
            r":3: found '1,1000000000,1'.* 1 to 10,000,000 tokens",
        ),
        (SECONDS + f"0,5,{2**64}\n", r":2: found .* answers 0 to as many"),
        # longer than a field of the csv module may be
        (SECONDS + '0,5,1\n"' + "x" * 200_000, r":3: found '\"x{59}'; write a time"),
        ("x" * 200_000, r":1: found the header x{60}; write"),
    ],
)
def test_a_wrong_trace_is_refused_with_its_line_and_what_to_write(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_trace(written(tmp_path, text))


def test_a_missing_trace_is_refused_with_the_columns_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; give a CSV with the columns arrival_s"):
        read_trace(tmp_path / "none.csv")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert len(read_trace(written(tmp_path, "\ufeff" + SECONDS + "0,5,1\n")).at_s) == 1


# one byte of the compressed data is another
DAMAGED = bytearray(gzip.compress((SECONDS + "0,5,1\n" * 1000).encode()))
DAMAGED[30] ^= 0xFF


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8bnot really gzip",
        bytes(DAMAGED),
        bytes(DAMAGED[:20]),
        b"\xff\xfe\x00binary",
    ],
    ids=["a false head", "damaged", "cut short", "no text"],
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as text or gzip"):
        read_trace(path)


@given(st.integers(2, 60), st.floats(0.1, 4.0))
def test_a_higher_rate_has_that_many_more_requests_in_the_same_time(n: int, rate: float) -> None:
    found = replay(n).scaled(rate)
    assert len(found.at_s) == int(np.floor(n * rate + 1e-9))
    assert (np.diff(found.at_s) >= 0).all()
    assert found.at_s.size == 0 or found.duration_s <= replay(n).duration_s


def test_rate_one_changes_nothing() -> None:
    same = replay(20).scaled(1.0)
    assert same.at_s.tolist() == replay(20).at_s.tolist()
    assert same.isl.tolist() == replay(20).isl.tolist()


def test_copies_follow_within_the_gap_and_have_lengths_of_their_own() -> None:
    found = replay(4).scaled(2.0)
    # every two seconds a request, and half-way to the next a copy with the lengths of one two further
    assert found.at_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0]
    assert found.isl.tolist() == [1, 3, 2, 4, 3, 1, 4, 2]
    assert found.osl.tolist() == [10 * isl for isl in found.isl]


def test_until_keeps_what_arrives_before() -> None:
    assert replay(10).until(6.0).at_s.tolist() == [0.0, 2.0, 4.0]


def test_classes_come_in_their_shares() -> None:
    found = replay(10_000).with_classes([0.7, 0.2, 0.1], seed=1)
    # three standard errors of 10,000 draws are 1.4 points at most
    assert np.bincount(found.class_of) / 10_000 == pytest.approx([0.7, 0.2, 0.1], abs=0.014)


def test_a_requests_class_does_not_depend_on_how_much_is_replayed() -> None:
    whole = replay(100).with_classes([0.5, 0.5], seed=3)
    part = replay(100).until(60.0).with_classes([0.5, 0.5], seed=3)
    assert part.class_of.tolist() == whole.class_of.tolist()[: len(part.class_of)]


def test_another_seed_deals_other_classes() -> None:
    one, other = (replay(100).with_classes([0.5, 0.5], seed=seed) for seed in (1, 2))
    assert one.class_of.tolist() != other.class_of.tolist()


def test_the_busiest_stretch_holds_most_requests_and_starts_at_nought() -> None:
    at_s = np.array([0.0, 50.0, 51.0, 52.0, 90.0])
    lengths = np.arange(1, 6)
    found = Replay(at_s, lengths, lengths, np.zeros(5, dtype=np.int64)).busiest(10.0)
    assert found.at_s.tolist() == [0.0, 1.0, 2.0]
    assert found.isl.tolist() == [2, 3, 4]
