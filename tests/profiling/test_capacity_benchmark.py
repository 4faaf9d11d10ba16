"""What the capacity benchmark holds out, it really has not seen."""

import dataclasses

import pytest

from benchmarks.capacity_errors import error_figures, held_out, regime_figure
from benchmarks.silicon import H100_8B, H200_8B, PROFILED_70B
from llmd_autoscaler.profiling.regime import Regime, regime
from tests.profiling.points import BLANK, GRID


def test_a_point_that_lies_about_its_length_does_not_move_its_own_prediction():
    # were it seen, the whole row of 4096 with its steps twice as long would bend its own prediction
    lying = [
        dataclasses.replace(
            p, server=dataclasses.replace(p.server, steps_per_s=(p.server.steps_per_s or 0.0) / 2)
        )
        if p.load.isl == 4096
        else p
        for p in GRID
    ]
    honest = {j.point.load: j.prediction for j in held_out(GRID, BLANK, seed=0)}
    for judged in held_out(lying, BLANK, seed=0):
        if judged.point.load.isl == 4096:
            assert judged.prediction == honest[judged.point.load]


def test_every_point_is_judged_once():
    assert sorted(j.point.load.name for j in held_out(GRID, BLANK, seed=0)) == sorted(
        p.load.name for p in GRID
    )


def test_a_noiseless_server_meets_every_target_that_it_has_points_for():
    judged = held_out(GRID, BLANK, seed=0)
    figures = [*error_figures("noiseless", judged), regime_figure("noiseless", judged)]
    assert [figure.name for figure in figures if figure.is_met is False] == []


@pytest.mark.parametrize("silicon", [H100_8B, H200_8B], ids=lambda each: each.name)
def test_the_points_of_the_8b_show_the_engine_and_the_api_server(silicon):
    found = {regime(point) for point in silicon.points()}
    assert found >= {Regime.UNLOADED, Regime.ENGINE, Regime.API_SERVER, Regime.PREFIX_HIT}


def test_no_point_of_the_70b_is_limited_by_its_api_server():
    # 4,085 tokens/s at most, half of what one process streams
    found = {regime(point) for point in PROFILED_70B.points()}
    assert found == {Regime.UNLOADED, Regime.ENGINE, Regime.PREFIX_HIT, Regime.OPEN_LOOP}
