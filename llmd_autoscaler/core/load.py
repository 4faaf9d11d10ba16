"""Work: the engine seconds that a request of each shape costs, additive over everything that an instance serves."""

import math

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.traffic import TrafficMix
from llmd_autoscaler.core.variant import EngineProfile

Array = NDArray[np.float64]


def work_s(profile: EngineProfile, mix: TrafficMix) -> Array:
    """Engine seconds of one request of each cell, beyond the base of the steps that it shares.

    w = b OSL + k OSL (ISL + OSL/2) + c ISL (1 - h) + e W, in expectation over the answers' lengths
    (capacity.md section 2): E[OSL^2] is not E[OSL]^2.

    Returns: (class, isl) seconds.
    """
    step = profile.step
    hit = mix.isl_tokens * mix.hit_frac
    computed = mix.isl_tokens - hit
    return np.asarray(
        step.per_decode_s * mix.osl_tokens
        + step.per_context_token_s * (mix.osl_tokens * mix.isl_tokens + 0.5 * mix.osl_squared)
        + step.per_prefill_token_s * computed
        + step.per_attention_token_sq_s * computed * (hit + 0.5 * computed)
    )


def least_ttft_s(profile: EngineProfile, isl: float) -> float:
    """TTFT of a prompt that meets an idle instance: no fleet is faster."""
    step, front = profile.step, profile.front_end
    n_steps = math.ceil(isl / profile.max_num_batched_tokens)
    engine_s = (
        n_steps * step.base_s
        + step.per_prefill_token_s * isl
        + 0.5 * step.per_attention_token_sq_s * isl * isl
    )
    engine_s = max(engine_s, step.least_prefill_s)
    return front.per_request_s + front.per_prompt_token_s * isl + engine_s


def least_tpot_s(profile: EngineProfile, isl: float) -> float:
    """TPOT of a request that is alone on an instance."""
    step = profile.step
    return step.base_s + step.per_decode_s + step.per_context_token_s * isl


def unreachable_bound(profile: EngineProfile, qos: QosClass, isl: float, osl: float) -> str:
    """The bound that even an idle instance misses for a shape (`ttft`, `tpot`, `e2e`, `kv`), or ""."""
    if isl + osl > profile.kv_tokens:
        return "kv"
    ttft_s, tpot_s = least_ttft_s(profile, isl), least_tpot_s(profile, isl)
    if ttft_s > qos.bounds.ttft_bound_s(round(isl)):
        return "ttft"
    if tpot_s > qos.bounds.tpot_max_s:
        return "tpot"
    if ttft_s + tpot_s * max(osl - 1.0, 0.0) > qos.bounds.e2e_bound_s():
        return "e2e"
    return ""
