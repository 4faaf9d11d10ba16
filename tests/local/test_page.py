"""The page of a run: its bounds, and how it is kept."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.hindsight import Hindsight
from llmd_autoscaler.local.page import BOUNDS, check_report, save_page, write_bounds
from llmd_autoscaler.local.scenario import setup_of
from llmd_autoscaler.page.bounds import read_bounds
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual import Setup

HINDSIGHT = Hindsight({"a": 6}, static_gpu_hours=12.0, lookahead_gpu_hours=10.0)


def setup() -> Setup:
    """Half an hour of the default: four GPUs an instance at $14."""
    ints = np.ones(2, dtype=np.int64)
    replay = Replay(at_s=np.array([0.0, 1800.0]), isl=ints, osl=ints, class_of=0 * ints)
    return setup_of(load_config(), replay, seed=1)


def test_the_page_is_told_the_bounds_by_their_names(tmp_path: Path) -> None:
    write_bounds(tmp_path, setup(), HINDSIGHT)
    static, ahead = read_bounds(tmp_path / BOUNDS)
    assert (static["name"], static["detail"]) == (
        "Best static fleet",
        "6 instances, with hindsight",
    )
    # 12 GPU-hours in half an hour are 24 GPUs, of $3.50 an hour each
    assert (static["mean_gpus"], static["usd_per_hour"]) == (24.0, 84.0)
    assert (ahead["name"], ahead["mean_gpus"]) == ("Look-ahead bound", 20.0)


def test_gpus_of_two_prices_have_no_price_together(tmp_path: Path) -> None:
    made = setup()
    (target,) = made.targets
    dear = dataclasses.replace(target, name="b", usd_per_hour=40.0)
    write_bounds(tmp_path, dataclasses.replace(made, targets=(target, dear)), HINDSIGHT)
    assert [bound["usd_per_hour"] for bound in read_bounds(tmp_path / BOUNDS)] == [None, None]


def test_a_run_without_bounds_has_none_on_its_page(tmp_path: Path) -> None:
    write_bounds(tmp_path, setup(), Hindsight())
    assert json.loads((tmp_path / BOUNDS).read_text()) == {"bounds": []}


def test_a_report_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name one in a folder that exists"):
        check_report(tmp_path / "none" / "run.html", is_virtual=False)
    with pytest.raises(ConfigError, match="name one in a folder that exists"):
        check_report(tmp_path, is_virtual=False)
    check_report(tmp_path / "run.html", is_virtual=False)


def test_a_run_in_virtual_time_has_no_page_to_keep(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave --virtual out"):
        check_report(tmp_path / "run.html", is_virtual=True)


async def test_a_page_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ObservationError, match="could not be saved"):
        await save_page("http://127.0.0.1:1", tmp_path / "run.html")
