"""Points as a perfect server would give them: what the engine model says, written as a measurement."""

import dataclasses

from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.profiling.point import Clients, Load, Point, Server, Shape
from llmd_autoscaler.profiling.prediction import predict

# Of the size of an 8B on an H100, in round numbers.
TRUE = EngineProfile(
    step=StepModel(
        base_s=0.006,
        per_decode_s=2e-5,
        per_prefill_token_s=2e-5,
        per_context_token_s=3e-8,
        per_attention_token_sq_s=1e-9,
    ),
    front_end=FrontEnd(per_request_s=0.005, per_prompt_token_s=1e-6),
    kv_tokens=400_000,
)
BLANK = dataclasses.replace(TRUE, step=StepModel(0.0, 0.0, 0.0, 0.0, 0.0), front_end=FrontEnd())


def closed(isl: int, osl: int, n: int) -> Load:
    """A closed loop of one shape."""
    return Load((Shape(isl, osl),), n)


def measured(load: Load, profile: EngineProfile = TRUE) -> Point:
    """The point that a server exactly like the profile gives, without noise."""
    p = predict(profile, load)
    prompts, decodes = p.rps, p.out_tps - p.rps
    return Point(
        load=load,
        warm_s=1.0,
        window_s=10.0,
        clients=Clients(
            rps=p.rps,
            out_tps=p.out_tps,
            n_first=200,
            n_done=200,
            ttft_mean_s=p.ttft_mean_s,
            ttft_p50_s=p.ttft_p50_s,
            ttft_p95_s=p.ttft_p95_s,
            itl_mean_s=p.itl_mean_s,
            itl_p95_s=p.itl_p95_s,
            tpot_p95_s=p.tpot_p95_s,
            e2e_p50_s=p.e2e_p50_s,
        ),
        server=Server(
            in_tps=p.rps * load.isl,
            out_tps=p.out_tps,
            ttft_s=p.ttft_mean_s,
            queue_s=0.0,
            prefill_s=p.ttft_mean_s - profile.front_end.per_request_s - 1e-6 * load.isl,
            steps_per_s=p.steps_per_s,
            tokens_per_step=(prompts * load.isl + prompts + decodes) / p.steps_per_s,
            hit_tokens=0.0,
            queried_tokens=10.0 * p.rps * load.isl,
            kv_mean_frac=p.kv_mean_frac,
            kv_max_frac=p.kv_max_frac,
            n_running=float(load.concurrency or p.n_running),
            n_waiting=0.0,
        ),
    )


GRID = tuple(
    measured(closed(isl, osl, n))
    for isl, osl, n in (
        (1024, 2, 1),
        (4096, 2, 1),
        (16384, 2, 1),
        (128, 128, 1),
        (8192, 128, 1),
        (128, 128, 8),
        (128, 128, 64),
        (1024, 128, 8),
        (1024, 128, 32),
        (4096, 128, 4),
        (4096, 128, 16),
        (8192, 64, 8),
    )
)
