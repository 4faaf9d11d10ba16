"""Points files: what is right is read, what is wrong is named with its line and field."""

import gzip
import json

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.points_file import read_points, row_of
from tests.profiling.points import closed, measured

ROW = {
    "isl": 1024,
    "osl": 128,
    "conc": 8,
    "rate": None,
    "prefix": 0,
    "window_s": 4.0,
    "n_done": 30,
    "rps": 7.5,
    "out_tps": 960.0,
    "ttft_p50": 0.047,
    "ttft_mean": 0.05,
    "itl_mean": 0.0084,
    "running": 7.9,
    "waiting": 0.0,
    "srv": {"iters": 120.0},
}


def written(tmp_path, *rows):
    file = tmp_path / "points.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def refusal(tmp_path, **changes):
    with pytest.raises(ConfigError) as caught:
        read_points([written(tmp_path, ROW, ROW | changes)])
    return str(caught.value)


def test_a_point_that_was_written_is_read_back_the_same(tmp_path):
    point = measured(closed(1024, 128, 8))
    file = written(tmp_path, row_of(point))
    (again,) = read_points([file])
    assert row_of(again) == row_of(point)


def test_a_compressed_file_is_read_like_a_plain_one(tmp_path):
    packed = tmp_path / "points.jsonl.gz"
    packed.write_bytes(gzip.compress((json.dumps(ROW) + "\n").encode()))
    assert read_points([packed])[0].load == closed(1024, 128, 8)


def test_a_missing_field_is_named_with_its_line(tmp_path):
    file = written(tmp_path, ROW, {k: v for k, v in ROW.items() if k != "rps"})
    with pytest.raises(ConfigError, match=r"points\.jsonl:2: rps: missing"):
        read_points([file])


@pytest.mark.parametrize(
    ("field", "value"), [("itl_mean", 8.4), ("ttft_mean", 50.0), ("ttft_p50", 47.0)]
)
def test_milliseconds_are_found_by_the_clients_that_they_would_need(tmp_path, field, value):
    said = refusal(tmp_path, **{field: value})
    assert said.startswith(f"{tmp_path}/points.jsonl:2: {field}: found {value:g}")
    assert said.endswith("write seconds")


def test_a_percentage_of_kv_is_refused(tmp_path):
    assert "kv_max: found 58; write a fraction" in refusal(tmp_path, kv_max=58.0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conc": None}, "conc"),
        ({"rate": 2.0}, "conc"),
        ({"conc": 2.5}, "conc"),
        ({"isl": 0}, "isl"),
        ({"osl": "many"}, "osl"),
        ({"rps": -1.0}, "rps"),
        ({"prefix": 1.0}, "prefix"),
        ({"shapes": [[1, 2]]}, "shapes"),
        ({"itl_mean": None}, "itl_mean"),
        ({"srv": 3}, "srv"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, changes, field):
    assert f"points.jsonl:2: {field}: " in refusal(tmp_path, **changes)


def test_a_line_that_is_no_json_is_named(tmp_path):
    file = written(tmp_path, ROW)
    file.write_text(file.read_text() + "{half")
    with pytest.raises(ConfigError, match=r"points\.jsonl:2: "):
        read_points([file])


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_points_is_refused(tmp_path, content):
    file = tmp_path / "points.jsonl"
    file.write_text(content)
    with pytest.raises(ConfigError, match="no points"):
        read_points([file])


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="no such file or directory; name a file of points"):
        read_points([tmp_path / "gone.jsonl"])


@pytest.mark.parametrize("changes", [{"pd": True}, {"servers": 2}, {"running": 31.0}])
def test_a_point_of_several_servers_or_clients_is_left_out(tmp_path, changes):
    (point,) = read_points([written(tmp_path, ROW | changes)])
    assert point.left_out
