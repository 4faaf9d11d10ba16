"""Requests drawn from a mix."""

import dataclasses

import numpy as np
import pytest

from llmd_autoscaler.core.sample import Seen, draw
from llmd_autoscaler.core.shapes import EDGES_TOKENS, bin_of
from llmd_autoscaler.core.traffic import CountSnapshot, traffic_mix
from tests.core.worlds import counted, only

# class 0: 300 of 700 + 60 and 100 of 3000 + 500 tokens; class 1: 200 of 90 + 20
SHAPES = (
    counted(300.0, n_classes=2, isl=700, osl=60)
    .plus(counted(100.0, n_classes=2, isl=3000, osl=500))
    .plus(counted(200.0, n_classes=2, class_index=1, isl=90, osl=20))
)
MIX = traffic_mix(SHAPES)
WEIGHTS = np.array([[3.0], [1.0]]) * MIX.share
N = 8000


def test_each_cell_gets_its_share_of_the_requests() -> None:
    found = draw(WEIGHTS, Seen(MIX, SHAPES), n=N, seed=1)
    for (c, isl), share in {(0, 700): 9 / 16, (0, 3000): 3 / 16, (1, 90): 1 / 4}.items():
        mine = (found.class_of == c) & (found.bin_of == bin_of(isl))
        assert mine.mean() == pytest.approx(share, abs=2 / N)


def test_prompts_keep_their_cells_mean_and_its_edges() -> None:
    found = draw(WEIGHTS, Seen(MIX, SHAPES), n=N, seed=1)
    for isl in (700, 3000, 90):
        mine = found.isl[found.bin_of == bin_of(isl)]
        assert mine.mean() == pytest.approx(isl, rel=0.01)
        assert mine.max() <= EDGES_TOKENS[bin_of(isl)]
        assert mine.min() > EDGES_TOKENS[bin_of(isl) - 1]


def test_answers_keep_the_mean_that_was_measured() -> None:
    found = draw(WEIGHTS, Seen(MIX, SHAPES), n=N, seed=1)
    for c, isl in ((0, 700), (0, 3000), (1, 90)):
        mine = (found.class_of == c) & (found.bin_of == bin_of(isl))
        expected = MIX.osl_tokens[c, bin_of(isl)]
        # three standard errors of the widest cell: 4500 answers, one in thirty of them eight times as long as the others
        assert found.osl[mine].mean() == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(("mean", "at_most_four"), [(5, 0.80), (15, 0.42), (32.5, 0.05), (50, 0.0)])
def test_short_answers_are_as_short_as_their_bins_mean_says(
    mean: float, at_most_four: float
) -> None:
    shapes = counted(100.0, isl=700, osl=15)
    shapes = dataclasses.replace(shapes, osl_tokens=shapes.completions * mean)
    mix = traffic_mix(shapes)
    found = draw(mix.share, Seen(mix, shapes), n=N, seed=1)
    # the bin reaches from 1 to 64: with the power k = 63 / (mean - 1) - 1 the share up to 4.5 is (3.5 / 63) ** (1 / k)
    assert found.osl.mean() == pytest.approx(mean, rel=0.06)
    assert (found.osl <= 4).mean() == pytest.approx(at_most_four, abs=0.05)


def test_arrivals_come_one_a_second_and_in_order() -> None:
    found = draw(WEIGHTS, Seen(MIX, SHAPES), n=N, seed=1)
    assert (np.diff(found.at_s) >= 0).all()
    # three standard errors of the mean of 8000 exponential gaps
    assert found.at_s[-1] / N == pytest.approx(1.0, abs=3 / np.sqrt(N))


def test_another_rate_moves_the_times_and_nothing_else() -> None:
    found = draw(WEIGHTS, Seen(MIX, SHAPES), n=100, seed=1)
    traffic = found.traffic(4.0)
    assert np.array_equal(np.asarray(traffic.at), found.at_s / 4.0)
    assert list(traffic.isl) == found.isl.tolist()


def test_the_router_knows_the_mean_answer_of_a_class_only() -> None:
    found = draw(WEIGHTS, Seen(MIX, SHAPES), n=500, seed=1)
    for c in (0, 1):
        expected = float(MIX.share[c] @ MIX.osl_tokens[c])
        assert found.expected_osl[found.class_of == c] == pytest.approx(expected)


def test_one_seed_gives_one_sample_and_another_another() -> None:
    one, again, other = (draw(WEIGHTS, Seen(MIX, SHAPES), n=200, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.osl, again.osl)
    assert not np.array_equal(one.at_s, other.at_s)


def test_a_class_without_answers_draws_them_from_the_prior() -> None:
    shapes = counted(10.0, n_completed=0.0)
    found = draw(only(1, 0, 1000), Seen(traffic_mix(shapes), shapes), n=4000, seed=2)
    # an exponential of mean 211: its standard error over 4000 is 3.3
    assert found.osl.mean() == pytest.approx(211.0, abs=10.0)
    assert found.osl.min() >= 1


def test_a_class_that_was_never_seen_can_be_drawn_from() -> None:
    shapes = CountSnapshot.zero(1)
    found = draw(np.ones((1, 23)), Seen(traffic_mix(shapes), shapes), n=230, seed=2)
    assert np.bincount(found.bin_of, minlength=23) == pytest.approx(np.full(23, 10), abs=1)
