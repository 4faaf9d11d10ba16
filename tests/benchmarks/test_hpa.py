"""The benchmark of the HPA: what counts as a landing, and what its metrics pages are read as."""

import itertools
import random

import pytest

from benchmarks.hpa_exactness import MOST, Step, figures, n_strays, numbers
from benchmarks.hpa_figures import inactive, share_within, spread, total, total_but
from benchmarks.hpa_world import shipped_autoscaler


class TestNumbers:
    @pytest.mark.parametrize("least", [0, 1])
    def test_every_step_is_to_another_number_within_the_limits(self, least):
        drawn = list(numbers(300, start=1, least=least, rng=random.Random(1)))
        assert all(before != after for before, after in itertools.pairwise([1, *drawn]))
        assert set(drawn) <= set(range(least, MOST + 1))

    def test_every_third_step_is_by_one(self):
        drawn = [1, *numbers(300, start=1, least=1, rng=random.Random(1))]
        by = [abs(after - before) for before, after in itertools.pairwise(drawn)]
        assert set(by[2::3]) == {1}
        assert max(by) > MOST // 2

    def test_who_may_sleep_is_put_to_sleep_at_every_fifth_step(self):
        drawn = list(numbers(300, start=1, least=0, rng=random.Random(1)))
        # but for a step after a zero, which is to another number
        assert drawn[4::5].count(0) >= 58


class TestStrays:
    @pytest.mark.parametrize(
        ("seen", "n"),
        [
            ([1, 5, 3, 9], 0),
            ([1, 9], 0),  # the HPA may look seldom
            ([1, 5, 4, 3, 9], 1),
            ([1, 3, 5, 9], 1),  # what was published before counts as never published
            ([1, 5, 5, 3], 1),
        ],
    )
    def test_a_number_is_a_stray_unless_it_was_published_after_the_one_before(self, seen, n):
        assert n_strays(seen, [1, 5, 3, 9]) == n


class TestSteps:
    def found(self, *steps):
        return {each.name: each for each in figures(steps, 0, 2.0)}

    def test_a_step_that_lands_late_is_wrong(self):
        late = Step("a", before=3, desired=7, found=3, landed_s=5.0)
        found = self.found(late, Step("a", before=7, desired=8, found=8, landed_s=1.0))
        assert found["wrong landings"].value == 1
        assert found["wrong landings"].is_met is False

    def test_how_long_it_took_is_counted_in_sync_periods(self):
        steps = [Step("a", before=0, desired=n, found=n, landed_s=float(n)) for n in (1, 2, 4)]
        found = self.found(*steps)
        assert found["status to /scale, median"].value == 1.0  # 2 s of a period of 2 s
        assert found["status to /scale, max"].value == 2.0


PAGE = """\
# TYPE llmd_adapter_requests_total counter
llmd_adapter_requests_total{code="200"} 41.0
llmd_adapter_requests_total{code="404"} 2.0
llmd_adapter_requests_created{code="200"} 1.7e+09
took_seconds_bucket{what="metric",le="0.01"} 3.0
took_seconds_bucket{what="metric",le="+Inf"} 4.0
took_seconds_count{what="metric"} 4.0
took_seconds_count{what="own"} 9.0
plain 7
"""


class TestPages:
    def test_samples_of_a_name_are_added_up(self):
        assert total(PAGE, "llmd_adapter_requests_total") == 43.0
        assert total(PAGE, "plain") == 7.0

    def test_labels_choose_or_leave_out(self):
        assert total(PAGE, "llmd_adapter_requests_total", code="404") == 2.0
        assert total_but(PAGE, "llmd_adapter_requests_total", code="200") == 2.0

    def test_what_is_not_on_the_page_has_not_happened(self):
        assert total(PAGE, "apiserver_flowcontrol_rejected_requests_total") == 0.0

    def test_a_histogram_says_what_share_was_quick(self):
        assert share_within(PAGE, "took_seconds", "0.01", what="metric") == 0.75


def autoscaler(status):
    condition = {"type": "ScalingActive", "status": status, "reason": "R", "message": "m"}
    return {"status": {"conditions": [condition]}}


def test_an_hpa_that_says_nothing_yet_is_not_active():
    found = inactive({"a": autoscaler("True"), "b": autoscaler("False"), "c": {}})
    assert found == {"b": "R m", "c": "nothing"}


def test_what_was_not_seen_has_no_median():
    assert spread("status to /scale", []) == []


def test_the_hpa_of_the_benchmark_is_the_one_that_we_ship():
    spec = shipped_autoscaler("some", least=0, most=60)
    assert spec["scaleTargetRef"]["name"] == "some"
    assert (spec["minReplicas"], spec["maxReplicas"]) == (0, 60)
    described = spec["metrics"][0]["object"]["describedObject"]
    assert (described["kind"], described["name"]) == ("VariantAutoscaling", "some")
    assert {rules["tolerance"] for rules in spec["behavior"].values()} == {"0"}
