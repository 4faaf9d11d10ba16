import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.simulator.deployment import (
    Deployment,
    Instance,
    StartUp,
    ended,
    reconcile,
    victims,
    with_deletion_costs,
)

AT_ONCE = StartUp(0.0, 0.0)
MINUTE = StartUp(60.0, 60.0)


def deployment(start_up=AT_ONCE, **fields):
    return Deployment("d", start_up, **fields)


def scaled(start, *steps):
    """After each (desired, at_s)."""
    for desired, at_s in steps:
        start = reconcile(start, desired, at_s).deployment
    return start


def names(instances):
    return [instance.name for instance in instances]


def test_missing_instances_are_created_with_running_numbers():
    step = reconcile(deployment(), 2, 0.0)
    assert names(step.created) == ["d-0", "d-1"]


def test_a_number_is_never_used_twice():
    assert names(scaled(deployment(), (2, 0.0), (0, 1.0), (1, 2.0)).active) == ["d-2"]


def test_an_instance_is_ready_when_its_lead_time_is_over():
    after = scaled(deployment(MINUTE), (1, 100.0))
    assert (after.n_ready(159.0), after.n_ready(160.0)) == (0, 1)


def test_warm_instances_are_ready_at_once_and_later_ones_are_not():
    after = scaled(deployment(StartUp(60.0, 60.0, n_warm=2)), (3, 0.0))
    assert after.n_ready(0.0) == 2


def test_nothing_changes_where_the_count_is_right():
    start = scaled(deployment(MINUTE), (3, 0.0))
    assert reconcile(start, 3, 1.0).deployment == start


@given(st.lists(st.tuples(st.integers(0, 12), st.floats(0.1, 500.0)), max_size=20))
def test_the_active_instances_are_always_as_many_as_desired(steps):
    now_s, current = 0.0, deployment(MINUTE, grace_s=30.0)
    for desired, wait_s in steps:
        now_s += wait_s
        current = reconcile(current, desired, now_s).deployment
        assert len(current.active) == desired


@pytest.mark.parametrize(
    ("better_victim", "other"),
    [
        # (ready_s, deletion cost, created_s), judged at 100 s
        pytest.param((200.0, 9, 0.0), (50.0, 0, 0.0), id="not ready goes before ready"),
        pytest.param((50.0, -1, 0.0), (90.0, 0, 80.0), id="lower cost goes before newer"),
        pytest.param((90.0, 0, 0.0), (50.0, 0, 20.0), id="ready for less time goes first"),
        pytest.param((50.0, 0, 20.0), (50.0, 0, 0.0), id="newer goes first"),
        pytest.param((200.0, 0, 20.0), (200.0, 0, 0.0), id="newer goes first among the not ready"),
        pytest.param((200.0, 0, 0.0), (200.0, 5, 20.0), id="cost counts among the not ready"),
    ],
)
def test_the_victim_of_a_scale_in_is_the_one_kubernetes_picks(better_victim, other):
    pair = [
        Instance(name, created_s=created_s, ready_s=ready_s, deletion_cost=cost)
        for name, (ready_s, cost, created_s) in (("victim", better_victim), ("other", other))
    ]
    for order in (pair, pair[::-1]):
        assert names(victims(order, 1, 100.0)) == ["victim"]


def test_a_deletion_cost_steers_the_next_scale_in():
    start = with_deletion_costs(scaled(deployment(), (3, 0.0)), {"d-1": -10})
    assert names(reconcile(start, 2, 1.0).drained) == ["d-1"]


def test_a_draining_instance_is_gone_when_its_grace_is_over():
    start = scaled(deployment(grace_s=30.0), (1, 0.0), (0, 100.0))
    assert reconcile(start, 0, 129.0).gone == ()
    (gone,) = reconcile(start, 0, 135.0).gone
    assert gone.gone_s == 130.0  # when it ended, not when we looked


def test_an_instance_that_drained_empty_is_gone_before_its_grace():
    start = scaled(deployment(grace_s=30.0), (1, 0.0), (0, 100.0))
    after = scaled(ended(start, "d-0", 105.0), (0, 200.0))
    assert after.instances[0].gone_s == 105.0


def test_an_instance_that_died_is_replaced_by_a_new_start():
    start = ended(scaled(deployment(MINUTE), (1, 0.0)), "d-0", 500.0)
    (created,) = reconcile(start, 1, 500.0).created
    assert (created.name, created.ready_s) == ("d-1", 560.0)


def test_start_up_and_drain_are_paid_for():
    # one instance: created 0 s, ready 60 s, told to end 3,570 s, gone 3,600 s: one hour
    after = scaled(deployment(MINUTE, grace_s=30.0), (1, 0.0), (0, 3570.0), (0, 9999.0))
    assert after.instance_hours(9999.0) == pytest.approx(1.0)


def test_hours_of_a_running_instance_count_up_to_now():
    assert scaled(deployment(), (2, 0.0)).instance_hours(1800.0) == pytest.approx(1.0)


def test_lead_times_have_the_quantiles_they_were_drawn_from():
    start_up = StartUp(120.0, 200.0, seed=7)
    drawn = [start_up.lead_s("d", n) for n in range(4000)]
    deciles = statistics.quantiles(drawn, n=10)
    # sigma = ln(200/120)/1.2816 = 0.40; standard error of the median 1.25 x 0.40 / sqrt(4000) = 0.8 %
    assert deciles[4] == pytest.approx(120.0, rel=0.03)
    assert deciles[8] == pytest.approx(200.0, rel=0.04)


def test_lead_times_depend_on_seed_name_and_number_only():
    one = StartUp(120.0, 200.0, seed=1)
    assert one.lead_s("d", 3) == StartUp(120.0, 200.0, seed=1).lead_s("d", 3)
    others = {one.lead_s("d", 4), one.lead_s("e", 3), StartUp(120.0, 200.0, seed=2).lead_s("d", 3)}
    assert one.lead_s("d", 3) not in others


@pytest.mark.parametrize(
    ("p50_s", "p90_s"), [(10.0, 5.0), (-1.0, 5.0), (0.0, 5.0), (math.nan, 5.0)]
)
def test_quantiles_that_no_distribution_has_are_refused(p50_s, p90_s):
    with pytest.raises(ValueError, match="needs 0 < p50 <= p90"):
        StartUp(p50_s, p90_s)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="-1 replicas"):
        reconcile(deployment(), -1, 0.0)
