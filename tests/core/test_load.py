"""Work of a request, and what no fleet can promise."""

import numpy as np
import pytest

from llmd_autoscaler.core.load import least_tpot_s, least_ttft_s, unreachable_bound, work_s
from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.traffic import TrafficMix
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel

PROFILE = EngineProfile(
    StepModel(0.020, 1e-4, 2e-4, 1e-7, 4e-9), FrontEnd(0.006, 1e-6), 30_000, 8192
)


def mix(*, isl: float, osl: float, osl_squared: float, hit_frac: float = 0.0) -> TrafficMix:
    one = np.ones((1, 1))
    return TrafficMix(one, one * isl, one * osl, one * osl_squared, one * hit_frac)


def test_the_work_of_a_request_by_hand() -> None:
    # b OSL 0.02 + k (200 x 1000 + 40000 / 2) 0.022 + c 1000 0.2 + e 1000^2 / 2 0.002
    found = work_s(PROFILE, mix(isl=1000, osl=200, osl_squared=40_000))
    assert found[0, 0] == pytest.approx(0.244)


def test_a_prefix_hit_saves_its_tokens_and_the_square_of_its_own_length() -> None:
    # of 1000 prompt tokens 600 hit: c 400 0.08, e (400 x 600 + 400^2 / 2) 0.00128; decode as without
    found = work_s(PROFILE, mix(isl=1000, osl=200, osl_squared=40_000, hit_frac=0.6))
    assert found[0, 0] == pytest.approx(0.042 + 0.08 + 0.00128)


def test_answers_that_vary_cost_more_than_their_mean() -> None:
    # half of 0 and half of 400 tokens: E[OSL^2] = 80000, k x 40000 / 2 = 2 ms more
    even = work_s(PROFILE, mix(isl=1000, osl=200, osl_squared=40_000))
    uneven = work_s(PROFILE, mix(isl=1000, osl=200, osl_squared=80_000))
    assert uneven[0, 0] - even[0, 0] == pytest.approx(0.002)


def test_the_least_ttft_counts_a_base_for_each_chunk() -> None:
    # two steps: 0.04; c 10000: 2.0; e 10^8 / 2: 0.2; front end 0.006 + 0.01
    assert least_ttft_s(PROFILE, 10_000) == pytest.approx(2.256)


def test_the_least_tpot_is_a_step_alone() -> None:
    assert least_tpot_s(PROFILE, 1000) == pytest.approx(0.0202)


@pytest.mark.parametrize(
    ("bounds", "isl", "osl", "missed"),
    [
        (Bounds(ttft_max_s=1.0), 1000, 100, ""),
        (Bounds(ttft_max_s=0.2), 1000, 100, "ttft"),  # 0.229 s at the least
        (Bounds(ttft_max_s=0.2, ttft_per_prompt_token_s=1e-4), 1000, 100, ""),
        (Bounds(tpot_max_s=0.020), 1000, 100, "tpot"),
        (Bounds(e2e_max_s=2.0), 1000, 100, "e2e"),  # 0.229 + 99 x 0.0202 = 2.23 s
        (Bounds(e2e_max_s=2.3), 1000, 100, ""),
        (Bounds(deadline_s=2.0), 1000, 100, "e2e"),
        (Bounds(), 20_000, 10_001, "kv"),
        (Bounds(), 20_000, 10_000, ""),
    ],
)
def test_a_bound_that_an_idle_instance_misses_is_named(
    bounds: Bounds, isl: int, osl: int, missed: str
) -> None:
    assert unreachable_bound(PROFILE, QosClass("c", 0, 0.99, bounds), isl, osl) == missed
