"""What the engine says of plans: published fleets are predicted, plans that miss are cut off."""

import dataclasses
import math

import numpy as np
import pytest

from llmd_autoscaler.core import demand, oracle
from llmd_autoscaler.core.load import work_s
from llmd_autoscaler.core.oracle import VERIFIED_FOR_S, predict, verified_plan
from llmd_autoscaler.core.plan import plan
from llmd_autoscaler.core.sample import Seen
from llmd_autoscaler.core.tables import tables
from llmd_autoscaler.core.traffic import traffic_mix
from llmd_autoscaler.core.world import Memory
from tests.core.test_plan import FAST_TARGET, SLOW_TARGET, of, planned, shapes_of
from tests.core.worlds import INTERACTIVE, QUICK, RELAXED


def asked(
    qps: float, n: int, memory: Memory | None = None, *, now_s: float = 0.0
) -> tuple[float, Memory]:
    it = dataclasses.replace(of(SLOW_TARGET), now_s=now_s)
    found, mix, shapes = planned(it, [qps])
    memory = memory or Memory.fresh(it)
    attained, memory = predict(
        it, {"a100": n}, found, (np.array([qps]), Seen(mix, shapes)), memory, QUICK
    )
    assert attained is not None
    return float(attained[0]), memory


def test_the_oracle_tells_a_fleet_that_carries_from_one_that_does_not() -> None:
    assert asked(2.0, 6)[0] > 0.98
    assert asked(12.0, 1)[0] < 0.5


def test_a_verification_is_kept_while_fleet_and_rate_stay() -> None:
    _, memory = asked(2.0, 4)
    assert asked(2.1, 4, memory, now_s=VERIFIED_FOR_S - 1)[1].verified is memory.verified


@pytest.mark.parametrize(
    ("qps", "n", "now_s"), [(2.4, 4, 15.0), (2.0, 5, 15.0), (2.0, 4, VERIFIED_FOR_S)]
)
def test_another_fleet_another_rate_or_time_asks_the_oracle_again(
    qps: float, n: int, now_s: float
) -> None:
    _, memory = asked(2.0, 4)
    assert asked(qps, n, memory, now_s=now_s)[1].verified is not memory.verified


def test_without_traffic_there_is_nothing_to_predict() -> None:
    it = of(SLOW_TARGET)
    found, mix, shapes = planned(it, [1.0])
    attained, memory = predict(
        it, {"a100": 1}, found, (np.zeros(1), Seen(mix, shapes)), Memory.fresh(it), QUICK
    )
    assert attained is None
    assert memory.verified is None


def test_a_fleet_of_none_attains_nothing() -> None:
    assert asked(2.0, 0)[0] == 0.0
    assert not math.isnan(asked(2.0, 0)[0])


def test_a_plan_over_two_targets_that_the_engine_rejects_is_made_anew_with_less_trust(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Tables that promise a third more than they measured, for both targets: the plan by them is too
    # small, the engine says so, and the next ones trust them less.
    world = of(
        SLOW_TARGET, dataclasses.replace(FAST_TARGET, n_ready=1), classes=(INTERACTIVE, RELAXED)
    )
    shapes = shapes_of(world.classes)
    mix, rates = traffic_mix(shapes), np.array([6.0, 3.0])
    known = tables({}, world, (rates[:, None] * mix.share, Seen(mix, shapes)), QUICK)
    boasting = {
        key: dataclasses.replace(entry, capacity=entry.capacity.scaled(4 / 3))
        for key, entry in known.items()
    }
    cells = demand.cells(world.classes, rates, mix.share, work_s(world.targets[0].profile, mix))
    trusted: list[float] = []
    monkeypatch.setattr(
        oracle,
        "plan",
        lambda *given, carried_frac=1.0: (
            trusted.append(carried_frac) or plan(*given, carried_frac=carried_frac)
        ),
    )
    verified = verified_plan(world, cells, Seen(mix, shapes), boasting, QUICK)
    assert trusted[:2] == [1.0, oracle.CUTS[0]]
    naive = plan(world, cells, mix, boasting)
    usd = {target.name: target.usd_per_hour for target in world.targets}
    assert sum(usd[n] * m for n, m in verified.instances.items()) > sum(
        usd[n] * m for n, m in naive.instances.items()
    )
