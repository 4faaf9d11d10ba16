"""The margins of scaling: they cover what is known, are what the benchmark finds, and do not flatter."""

import numpy as np
import pytest

from benchmarks.scaling import (
    FILE,
    left_out_covered,
    margins_text,
    n_outside,
    of_kind,
    overheads_us,
)
from benchmarks.scaling_pairs import CALIBRATED_ON, biases, pairs, tables
from llmd_autoscaler.profiling.roofline import ALL_REDUCE_OVERHEAD_S, LAYER_OVERHEAD_S
from llmd_autoscaler.profiling.scaling import margins

PAIRS = pairs()


def test_the_margins_are_what_the_benchmark_finds():
    assert FILE.read_text() == margins_text()


@pytest.mark.parametrize("kind", ["kin", "all"])
def test_no_truth_that_is_known_is_outside_its_interval(kind):
    assert n_outside(of_kind(kind, PAIRS), margins()[kind].factors) == 0


@pytest.mark.parametrize("kind", ["kin", "all"])
def test_the_margin_covers_nine_of_ten_coefficients_of_a_truth_that_it_has_not_seen(kind):
    assert left_out_covered(of_kind(kind, PAIRS)) >= 0.9


def test_a_margin_of_nothing_covers_nothing():
    assert n_outside(PAIRS[:1], dict.fromkeys(margins()["kin"].factors, 1.0)) == 5


def test_the_overheads_are_those_of_a_model_that_is_judged_nowhere():
    _, layer_us, several_us = overheads_us()
    # two digits are written
    assert layer_us == pytest.approx(1e6 * LAYER_OVERHEAD_S, rel=0.02)
    assert several_us == pytest.approx(1e6 * ALL_REDUCE_OVERHEAD_S, rel=0.05)
    size = CALIBRATED_ON.rpartition("-")[2].upper()
    assert not [pair.name for pair in PAIRS if size in pair.name]


def test_what_tables_are_off_by_differently_widens_what_is_judged_by_them():
    (pair,) = (p for p in PAIRS if p.name == "tables 8B H100 to tables 8B B200")
    # Llama-3.1-70B, medians: TPOT 1.076 on B200 and 0.941 on H100, TTFT 0.896 and 1.428
    assert pair.bias() == pytest.approx((1.076 / 0.941, 1.428 / 0.896), rel=0.01)
    assert np.all(pair.factors() > np.exp(np.abs(np.log(pair.ratios()))))


def test_a_system_that_was_never_compared_has_the_largest_difference_that_was_seen():
    (pair,) = (p for p in PAIRS if p.name == "tables 8B H100 to tables 8B A100")
    found = list(biases().values())
    assert pair.bias()[1] == max(b for _, b in found) / min(b for _, b in found)


def test_silicon_needs_no_such_widening():
    assert {pair.bias() for pair in PAIRS if pair.target.is_silicon} == {(1.0, 1.0)}


def test_every_setup_of_the_tables_has_decode_steps_and_prefill_passes():
    prefills = {bool(np.any(k.terms[:, 2] > 0)) for k in tables()}
    decodes = {bool(np.any(k.terms[:, 1] > 0)) for k in tables()}
    assert (prefills, decodes) == ({True}, {True})
