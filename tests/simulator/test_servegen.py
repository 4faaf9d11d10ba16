"""A day of ServeGen as requests."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator import servegen

DATA = Path(__file__).parents[2] / "benchmarks" / "data"
LARGE = DATA / "servegen-m-large-day.json.gz"


def day(folder: Path, *clients: dict[str, object]) -> Path:
    path = folder / "day.json.gz"
    content = {"quantiles": [0.01, 0.5, 0.999], "clients": clients}
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return path


def client(*bins: list[object], tokens: float = 100.0) -> dict[str, object]:
    lengths = [{"from_s": 0, "input_tokens": [tokens] * 3, "output_tokens": [tokens / 10] * 3}]
    return {"client": 1, "bins": bins, "lengths": lengths if tokens else []}


def test_a_bin_has_as_many_requests_as_its_rate_says(tmp_path: Path) -> None:
    path = day(tmp_path, client([0, 2.0, "G", 0.2], [1200, 1.0, "W", 0.4]))
    found = servegen.replay(path, seed=1, rate_scale=0.5)
    # 2.0 x 600 x 0.5, nothing in the bin that is absent, 1.0 x 600 x 0.5
    first_s = found.at_s[600] - found.at_s[0]
    assert len(found.at_s) == 900
    assert first_s > 600.0
    assert found.at_s[599] <= 600.0


def test_the_published_day_has_the_recorded_rate_at_any_scale() -> None:
    found = servegen.replay(LARGE, seed=1, rate_scale=0.002)
    # 192.9 requests/s in the mean of the day
    assert len(found.at_s) / 86400 == pytest.approx(192.9 * 0.002, rel=0.02)


def test_a_shape_of_one_is_a_poisson_process(tmp_path: Path) -> None:
    path = day(tmp_path, client([0, 50.0, "G", 1.0]))
    gaps = np.diff(servegen.replay(path, seed=1, rate_scale=1.0).at_s)
    # 30,000 gaps: the coefficient of variation is 1, its standard error 1 / sqrt(n) about 0.006
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.025)


@pytest.mark.parametrize(("law", "shape", "cv"), [("G", 0.25, 2.0), ("W", 0.5, 5**0.5)])
def test_a_burst_law_keeps_its_coefficient_of_variation(
    tmp_path: Path, law: str, shape: float, cv: float
) -> None:
    # Gamma: 1 / sqrt(shape). Weibull(1/2): E[x^2] / E[x]^2 - 1 = 4! / 2!^2 - 1 = 5
    path = day(tmp_path, client([0, 50.0, law, shape]))
    gaps = np.diff(servegen.replay(path, seed=1, rate_scale=1.0).at_s)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.06)


def test_a_client_without_lengths_asks_as_the_others_of_its_bin(tmp_path: Path) -> None:
    known = [client([0, 1.0, "G", 1.0], tokens=100), client([600, 1.0, "G", 1.0], tokens=900)]
    silent = client([0, 1.0, "G", 1.0], [600, 1.0, "G", 1.0], tokens=0)
    found = servegen.replay(day(tmp_path, *known, silent), seed=1, rate_scale=1.0)
    # of 2,400 requests half are the silent client's; each bin has one length, whoever asks
    assert np.bincount(found.isl)[[100, 900]].tolist() == [1200, 1200]
    assert found.isl[:1200].tolist() == [100] * 1200
    assert found.osl[:1200].tolist() == [10] * 1200


def test_the_same_seed_gives_the_same_day_and_another_another() -> None:
    one, same, other = (servegen.replay(LARGE, seed=s, rate_scale=0.001) for s in (1, 1, 2))
    assert one.at_s.tolist() == same.at_s.tolist()
    assert one.isl.tolist() == same.isl.tolist()
    assert one.at_s.tolist()[:50] != other.at_s.tolist()[:50]


def test_arrivals_are_in_order_and_lengths_are_tokens() -> None:
    found = servegen.replay(DATA / "servegen-m-mid-day.json.gz", seed=1, rate_scale=0.001)
    assert (np.diff(found.at_s) >= 0.0).all()
    assert found.at_s[0] == 0.0
    assert (found.isl >= 1).all()
    assert (found.osl >= 1).all()


def test_a_rate_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    path = day(tmp_path, client([0, 1.0, "G", 1.0]))
    with pytest.raises(ConfigError, match="no request at rate 1e-09; write a larger one"):
        servegen.replay(path, seed=1, rate_scale=1e-9)


def test_a_day_that_cannot_be_read_is_refused_with_the_command_that_makes_one(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"make it with python -m benchmarks\.servegen_day"):
        servegen.replay(tmp_path / "none", seed=1, rate_scale=1.0)
