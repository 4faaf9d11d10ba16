"""The fit behind the catalogue: what it is fitted to, and what it may claim."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks.catalog_entry import (
    MEASURED,
    decimal,
    entries,
    kv_tokens_70b,
    per_prompt_k_token_ms,
)
from benchmarks.profiled_entry import POINTS as POINT_FILES
from benchmarks.profiled_entry import PROFILED
from benchmarks.scaled_entry import SCALED
from benchmarks.step_fit import (
    Point,
    coefficients_of,
    errors_of,
    fit_step,
    non_negative_least_squares,
    split,
)
from benchmarks.step_points import (
    DATA,
    SILICON,
    is_engine_bound,
    silicon_cells,
    silicon_point,
    table_point,
    table_rows,
)

CATALOG = {entry.name: entry for entry in entries()}
FILES = CATALOG | {entry.name: entry for entry in (*PROFILED, *SCALED)}
TRACES = Path(__file__).parents[2] / "llmd_autoscaler" / "local" / "data"
# two kinds of twelve points, each longer than the one before
POINTS = [Point(f"p{i}", "ab"[i % 2], (1.0, i, 0.0, 0.0, 0.0), 10.0 + i) for i in range(24)]


def step(d, p, k_tokens, m_sq, coefficients):
    """A step whose time is exactly what some coefficients say."""
    terms = (1.0, d, p, k_tokens, m_sq)
    step_ms = sum(c * x for c, x in zip(coefficients, terms, strict=True))
    return Point(f"{d} {p}", "made", terms, step_ms)


class TestLeastSquares:
    def test_a_made_up_step_model_is_found_again(self):
        coefficients = (6.5, 0.01, 0.02, 0.04, 1.1)
        points = [
            step(d, p, 2.0 * d, p * p / 2e6, coefficients)
            for d, p in product((1, 8, 64), (0, 100, 4000))
        ]
        points.append(step(8, 0, 99.0, 0.0, coefficients))
        assert coefficients_of(points) == pytest.approx(coefficients)

    def test_a_coefficient_that_would_be_negative_is_0(self):
        # unconstrained, y = 3 - x fits exactly; with x >= 0 the constant alone is best: the mean of 3, 2, 1
        matrix = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        found = non_negative_least_squares(matrix, np.array([3.0, 2.0, 1.0]))
        assert found == pytest.approx([2.0, 0.0])

    def test_nothing_is_better_than_a_model_that_only_takes_away(self):
        found = non_negative_least_squares(np.array([[1.0], [2.0]]), np.array([-1.0, -2.0]))
        assert found.tolist() == [0.0]


class TestSplit:
    def test_one_third_of_each_kind_is_held_out(self):
        _, held_out = split(POINTS, seed=7)
        # 12 points a kind
        assert sorted(point.kind for point in held_out) == ["a"] * 4 + ["b"] * 4

    def test_no_point_is_both_fitted_and_held_out(self):
        fitted, held_out = split(POINTS, seed=7)
        assert sorted(p.name for p in fitted + held_out) == sorted(p.name for p in POINTS)

    def test_the_shortest_and_the_longest_step_of_a_kind_are_always_fitted(self):
        held_out = {point.name for seed in range(20) for point in split(POINTS, seed=seed)[1]}
        assert held_out.isdisjoint({"p0", "p1", "p22", "p23"})

    def test_a_seed_gives_one_split_whatever_the_order_of_the_points(self):
        assert split(POINTS, seed=3) == split(POINTS[::-1], seed=3)

    def test_the_error_is_that_of_points_that_the_fit_has_not_seen(self):
        points = CATALOG[MEASURED].points
        fitted, held_out = split(points, seed=0)
        errors = errors_of(coefficients_of(fitted), held_out)
        assert fit_step(points, seed=0).worst_frac == max(errors)


class TestSilicon:
    def test_no_cell_that_the_api_server_limits_is_fitted(self):
        # one process saturates above 8,500 streamed tokens/s
        assert max(cell["out_tps"] for cell in silicon_cells() if is_engine_bound(cell)) <= 8500

    def test_no_cell_with_prefix_hits_is_fitted(self):
        assert {cell["srv"]["pc_hit"] for cell in silicon_cells() if is_engine_bound(cell)} == {0}

    def test_a_lone_client_says_nothing_about_a_busy_engine(self):
        assert min(cell["conc"] for cell in silicon_cells() if is_engine_bound(cell)) == 2

    def test_a_cell_becomes_the_mean_of_what_its_steps_carry(self):
        (cell,) = (
            cell
            for cell in silicon_cells()
            if (cell["grid"], cell["isl"], cell["osl"], cell["conc"]) == ("A", 1024, 128, 32)
        )
        # 75.1 steps/s, 2358.7 output and 19225.5 prompt tokens/s, 287.4 tokens a step:
        # prompts 19225.5 / 1024 / 75.1 = 0.25; generated 2358.7 / 75.1 = 31.41; decodes 31.16;
        # computed 287.4 - 31.41 = 256.0; context 31.16 x (1024 + 64) = 33.90 k; 0.25 x 1024^2 / 2 = 0.1311 M
        point = silicon_point(cell)
        assert point.terms == pytest.approx((1, 31.16, 256.0, 33.90, 0.1311), rel=2e-3)
        assert point.step_ms == pytest.approx(1000 / 75.1)

    def test_the_measured_profile_predicts_cells_that_it_has_not_seen(self):
        fit = CATALOG[MEASURED].fit
        assert (fit.median_frac <= 0.03, fit.p95_frac <= 0.10) == (True, True)

    def test_the_seed_is_not_a_lucky_one(self):
        points = CATALOG[MEASURED].points
        p95 = [fit_step(points, seed=seed).p95_frac for seed in range(1, 31)]
        assert np.median(p95) <= 0.10

    def test_prompt_tokens_cost_the_front_end_what_the_server_does_not_see(self):
        # ISL 32,000: client 1222.0 ms, server's prefill 1176.7 ms, a request 6 ms: 39.3 ms / 32 k = 1.23
        assert per_prompt_k_token_ms(silicon_cells()) == pytest.approx(1.23, abs=0.05)


class TestTables:
    def test_a_prefill_pass_attends_to_half_its_square(self):
        (row,) = (
            row
            for row in table_rows("a100_sxm")
            if (row["kind"], row["isl"]) == ("prefill", "1024")
        )
        # 1024^2 / 2 = 524,288 token^2
        assert table_point(row).terms == (1.0, 0.0, 1024.0, 0.0, 0.524288)

    def test_a_decode_step_reads_every_context(self):
        (row,) = (
            row
            for row in table_rows("h100_sxm")
            if (row["kind"], row["isl"], row["batch"]) == ("decode", "2048", "32")
        )
        assert table_point(row).terms == (1.0, 32.0, 0.0, 65.536, 0.0)

    def test_kv_memory_is_what_weights_and_overhead_leave_in_whole_blocks(self):
        # 0.92 x 79.15 - 36.815 - 3 = 33.003 GiB a card; / 81,920 B = 432,576.9 tokens = 27,036 blocks of 16
        assert kv_tokens_70b(36.815) == 27_036 * 16

    def test_no_step_is_fitted_that_the_cards_cannot_hold(self):
        points = CATALOG["llama-3.1-70b-a100-tp4"].points
        assert max(point.terms[3] for point in points) * 1000 <= 432_576


class TestCatalogue:
    @pytest.mark.parametrize("name", FILES)
    def test_a_file_says_what_the_command_computes(self, name):
        assert FILES[name].path.read_text() == FILES[name].text()

    def test_every_profile_is_made_by_a_command(self):
        assert {path.stem for path in FILES[MEASURED].path.parent.glob("*.yaml")} == FILES.keys()

    @pytest.mark.parametrize("name", CATALOG)
    def test_no_coefficient_is_negative(self, name):
        assert min(CATALOG[name].fit.coefficients) >= 0

    def test_a_number_is_plain_digits_even_when_it_is_tiny(self):
        assert [decimal(x) for x in (0.0000123456, 26.0, 0.0, 123456.0)] == [
            "0.00001235",
            "26",
            "0",
            "123500",
        ]

    @pytest.mark.parametrize(
        "folder", [DATA, TRACES, POINT_FILES], ids=["benchmarks", "local", "points"]
    )
    def test_every_data_file_has_a_licence_line(self, folder):
        lines = (folder / "LICENSES.md").read_text().splitlines()
        rows = [
            [cell.strip() for cell in line.split("|")]
            for line in lines
            if line.startswith("| ") and line.count("|") == 5
        ]
        licences = {row[1]: row[3] for row in rows}
        files = {path.name for path in folder.iterdir()} - {"LICENSES.md"}
        assert {name for name in files if not licences.get(name)} == set()

    def test_the_points_are_all_there(self):
        # 28 + 24 closed-loop cells, 8 with a shared prefix, 8 unloaded
        assert (len(silicon_cells()), SILICON.is_file()) == (68, True)
