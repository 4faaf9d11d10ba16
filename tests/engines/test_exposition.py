"""The reader of Prometheus text: what it takes, what it refuses, and that it fails in one way only."""

import contextlib
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.engines.exposition import MAX_PAGE_BYTES, samples_by_name
from llmd_autoscaler.errors import ObservationError

PAGES = Path(__file__).parent.parent / "data" / "vllm"
WANTED = frozenset({"a_total", "vllm:b", "le_bucket"})


def values(page: str, name: str = "a_total") -> list[float]:
    return [sample.value for sample in samples_by_name(page.encode(), WANTED).get(name, [])]


def test_only_the_wanted_names_are_read():
    found = samples_by_name(b"a_total 1\na_total_created 2\nxa_total 3\nvllm:b 4\n", WANTED)

    assert {name: [s.value for s in samples] for name, samples in found.items()} == {
        "a_total": [1.0],
        "vllm:b": [4.0],
    }


def test_labels_keep_commas_braces_and_escapes_inside_their_quotes():
    page = rb'a_total{x="1,2",y="}{",z="q\"b\\n\n"} 5' + b"\n"

    (sample,) = samples_by_name(page, WANTED)["a_total"]

    assert sample.labels == {"x": "1,2", "y": "}{", "z": 'q"b\\n\n'}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0),
        ("1.8808722e+07", 18808722.0),
        ("-3", -3.0),
        (".5", 0.5),
        ("+Inf", math.inf),
        ("-Inf", -math.inf),
    ],
)
def test_a_value_is_read_as_prometheus_writes_it(text, value):
    assert values(f"a_total {text}\n") == [value]


def test_nan_is_read_as_nan_and_left_to_the_reader():
    assert math.isnan(values("a_total NaN\n")[0])


@pytest.mark.parametrize(
    "line",
    [
        "a_total 7 1764000000000",
        "a_total 7 1764000000.123",
        'a_total 7 # {trace_id="abc"} 0.67 1764000000.1',
        "a_total{} 7",
        'a_total{x="y",} 7',
        'a_total { x = "y" , z = "w" }  7',
        "  a_total 7  ",
        "a_total\t7",
        "a_total 7\r",
    ],
)
def test_what_openmetrics_and_other_writers_add_is_tolerated(line):
    assert values(f"{line}\n# EOF\n") == [7.0]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (b"", "cut off or empty"),
        (b'a_total{x="y"} 1', "cut off"),
        (b"# HELP a_total\na_total 1\na_tot", "cut off"),
        (b"<!DOCTYPE html><html>\n", "HTML page"),
        (b"\n  <html>\n", "HTML page"),
        (b"a_total 1\n\xff\xfe\n", "line 2 is not UTF-8"),
        (b"a_total 1\n{}\n", "line 2 is no sample"),
        (b'{"status": "ok"}\n', "line 1 is no sample"),
        (b"404 page not found\n", "line 1 is no sample"),
        (b"a_total\n", "line 1 is not `name"),
        (b"a_total one\n", "line 1 has the value 'one'"),
        (b"a_total 1_000\n", "line 1 has the value '1_000'"),
        (b'a_total{x="y} 1\n', "line 1 is not `name"),
        (b'a_total{x="y" z="w"} 1\n', "line 1 is not `name"),
        (b'a_total{x="y"}} 1\n', "line 1 is not `name"),
        (b'a_total{x="y"}1\n', "line 1 is not `name"),
    ],
)
def test_garbage_is_refused_with_its_line(page, sentence):
    with pytest.raises(ObservationError, match=sentence):
        samples_by_name(page, WANTED)


def test_a_page_above_the_limit_is_refused_before_it_is_read():
    with pytest.raises(ObservationError, match=f"more than {MAX_PAGE_BYTES}"):
        samples_by_name(b"#" * MAX_PAGE_BYTES + b"\n", WANTED)


def test_a_hostile_run_of_blanks_and_quotes_does_not_make_the_reader_backtrack():
    # 40 runs of 40 blanks: a backtracking pattern would try 41^40 splits and never come back.
    line = "a_total{" + (" " * 40).join('x="y"' for _ in range(40)) + "\n"

    with pytest.raises(ObservationError, match="line 1"):
        samples_by_name(line.encode(), WANTED)


RECORDED = [path.read_bytes() for path in sorted(PAGES.glob("*.txt"))]
EVERY_NAME = frozenset(
    line.split("{")[0].split(" ")[0]
    for page in RECORDED
    for line in page.decode().splitlines()
    if line and not line.startswith("#")
)


@pytest.mark.parametrize("page", RECORDED, ids=[path.stem for path in sorted(PAGES.glob("*.txt"))])
def test_every_line_of_a_recorded_page_is_read(page):
    n_samples = sum(not line.startswith(b"#") for line in page.splitlines())

    found = samples_by_name(page, EVERY_NAME)

    assert sum(len(samples) for samples in found.values()) == n_samples


@given(
    page=st.sampled_from(RECORDED),
    at=st.floats(0, 1),
    length=st.integers(0, 300),
    patch=st.one_of(
        st.binary(max_size=60),
        st.text(alphabet='{}=",\\ #\n\r\t+-.eENInfa_:0123456789', max_size=60).map(str.encode),
    ),
)
def test_a_mutated_page_is_read_or_refused_and_nothing_else(page, at, length, patch):
    start = int(at * len(page))

    with contextlib.suppress(ObservationError):
        samples_by_name(page[:start] + patch + page[start + length :], EVERY_NAME)
