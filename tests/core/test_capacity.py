"""What m instances carry."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.capacity import CapacityTable, capacity_table, fleet_attainment
from llmd_autoscaler.core.load import work_s
from llmd_autoscaler.core.sample import Sample, Seen, draw
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.traffic import traffic_mix
from tests.core.worlds import INTERACTIVE, RELAXED, SLOW, counted, only

SHAPES = counted(500.0)
MIX = traffic_mix(SHAPES)
WORK_S = float((MIX.share * work_s(SLOW, MIX)).sum())
IMPOSSIBLE = QosClass("impossible", 0, 0.95, Bounds(ttft_max_s=0.001))


def sample(n: int = 1500) -> Sample:
    return draw(only(1, 0, 1000), Seen(MIX, SHAPES), n=n, seed=1)


def table(*classes: QosClass, most: int = 6) -> CapacityTable:
    return capacity_table(SLOW, classes, sample(), WORK_S, most=most)


# As they are made: an instance never carries less in a larger fleet.
TABLES = st.lists(st.floats(0.2, 0.95), min_size=1, max_size=6).map(
    lambda shares: CapacityTable(
        np.arange(1.0, len(shares) + 1) ** 2,
        np.arange(1.0, len(shares) + 1) ** 2 * np.sort(shares),
    )
)


@given(TABLES, st.integers(0, 60))
def test_one_instance_more_always_carries_more(it: CapacityTable, m: int) -> None:
    assert it.carried(m + 1) > it.carried(m)


@given(TABLES, st.integers(0, 60), st.floats(0.001, 1.0))
def test_the_load_of_what_a_number_carries_is_that_number(
    it: CapacityTable, m: int, part: float
) -> None:
    low, high = it.carried(m), it.carried(m + 1)
    assert it.load(low + part * (high - low)) == pytest.approx(m + part, abs=1e-9)


def test_between_points_an_instances_share_is_interpolated_in_log_m() -> None:
    it = CapacityTable(np.array([1.0, 4.0]), np.array([0.4, 3.2]))
    # 0.4 and 0.8 of an instance; 2 is half-way from 1 to 4: 0.6 each
    assert it.carried(2) == pytest.approx(1.2)
    # beyond the last point instances count as there
    assert it.carried(10) == pytest.approx(8.0)
    assert it.carried(0) == 0.0


def test_no_work_is_no_load() -> None:
    assert CapacityTable(np.array([1.0]), np.array([0.4])).load(0.0) == 0.0


def test_a_load_within_the_first_instance_is_a_fraction_of_it() -> None:
    assert CapacityTable(np.array([1.0]), np.array([0.4])).load(0.1) == pytest.approx(0.25)


def test_a_load_beyond_every_number_is_infinite() -> None:
    assert CapacityTable(np.array([1.0]), np.array([0.4])).load(1e9) == math.inf


def test_an_instance_of_a_larger_fleet_carries_more_within_a_tight_tail() -> None:
    it = table(INTERACTIVE)
    share = it.work / it.instances
    assert 0.2 < share[0] < share[-1] < 1.0
    assert (np.diff(share) >= 0.0).all()


def test_a_looser_promise_is_kept_at_a_higher_rate() -> None:
    assert table(RELAXED).carried(3) > table(INTERACTIVE).carried(3)


def test_what_a_table_carries_is_carried_and_a_tenth_more_is_not() -> None:
    it = table(INTERACTIVE)
    qps = it.carried(4) / WORK_S
    kept = fleet_attainment([SLOW] * 4, [INTERACTIVE], sample(), qps * 0.99)
    missed = fleet_attainment([SLOW] * 4, [INTERACTIVE], sample(), qps * 1.1)
    assert kept[0] >= INTERACTIVE.percentile_frac > missed[0]


def test_the_table_ends_with_the_most_that_is_asked_for() -> None:
    assert table(INTERACTIVE, most=5).instances.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_promise_that_nothing_can_keep_has_a_table_of_zeros_and_an_infinite_load() -> None:
    it = table(IMPOSSIBLE)
    assert it.work.tolist() == [0.0] * len(it.instances)
    assert it.carried(6) == 0.0
    assert it.load(0.1) == math.inf


def test_arrivals_in_bursts_are_carried_less_well() -> None:
    calm = sample()
    bursts = Sample(
        at_s=np.cumsum(np.where(np.arange(1500) % 20 == 0, 20.0, 0.0)),
        class_of=calm.class_of,
        bin_of=calm.bin_of,
        isl=calm.isl,
        osl=calm.osl,
        expected_osl=calm.expected_osl,
    )
    of_calm = capacity_table(SLOW, [INTERACTIVE], calm, WORK_S, most=2)
    of_bursts = capacity_table(SLOW, [INTERACTIVE], bursts, WORK_S, most=2)
    assert of_bursts.carried(2) < 0.9 * of_calm.carried(2)


def test_a_class_without_requests_has_no_attainment_and_hinders_nobody() -> None:
    attained = fleet_attainment([SLOW], [INTERACTIVE, IMPOSSIBLE], sample(300), 0.5)
    assert attained[0] == 1.0
    assert math.isnan(attained[1])
    assert table(INTERACTIVE, IMPOSSIBLE, most=1).work[0] > 0.0
