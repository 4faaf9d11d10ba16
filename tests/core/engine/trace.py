"""One fixed trace on a fleet of three, reduced to a digest: equal digests mean equal bits everywhere."""

import hashlib
import math

import numpy as np

from llmd_autoscaler.core.capacity import free_routing
from llmd_autoscaler.core.engine import fleet as fleets
from llmd_autoscaler.core.engine.compiled import as_float_row, as_int_row
from llmd_autoscaler.core.engine.state import FIRST_AT, LAST_AT, column, new_fleet, new_requests
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel

SLOW = EngineProfile(
    StepModel(0.0261, 5.3e-5, 1.63e-4, 8.1e-8, 2.9e-9),
    FrontEnd(0.006, 1e-6, 0.0033, 8.5e-5),
    kv_tokens=60_000,
    max_num_batched_tokens=2048,
    max_num_seqs=48,
)
FAST = EngineProfile(
    StepModel(0.0146, 3.1e-5, 7.2e-5, 4.3e-8, 1.2e-9),
    FrontEnd(0.006, 1e-6, 0.0033, 8.5e-5),
    kv_tokens=60_000,
)
N_REQUESTS = 2000


def traffic() -> fleets.Traffic:
    """Two classes at eight requests a second, with bursts."""
    rng = np.random.default_rng(7)
    gaps_s = rng.exponential(0.125, N_REQUESTS) * (rng.random(N_REQUESTS) < 0.8)
    class_of = rng.integers(0, 2, N_REQUESTS)
    return fleets.Traffic(
        at=as_float_row(np.cumsum(gaps_s)),
        class_of=as_int_row(class_of),
        bin_of=as_int_row(np.zeros(N_REQUESTS)),
        isl=as_int_row(rng.lognormal(6.5, 0.9, N_REQUESTS).clip(1, 20_000)),
        osl=as_int_row(rng.exponential(210, N_REQUESTS).clip(1, 1500)),
        expected_osl=as_float_row(np.full(N_REQUESTS, 210.0)),
    )


def digest() -> str:
    """Of the first and last times of all requests."""
    routing = free_routing(2, [0, 0, 1], n_targets=2)
    # the first class by fractions, the second by least expected work
    routing.rule_of[0] = 0
    routing.fraction[0][0], routing.fraction[0][1] = 0.55, 0.45
    fleet = new_fleet([SLOW, SLOW, FAST], now_s=0.0)
    requests = new_requests(N_REQUESTS)
    fleets.serve(fleet, requests, traffic(), routing, 0, N_REQUESTS)
    fleets.advance_all(fleet, requests, math.inf)
    times = np.stack([column(requests, FIRST_AT), column(requests, LAST_AT)])
    return hashlib.sha256(times.tobytes()).hexdigest()


if __name__ == "__main__":
    print(digest())  # noqa: T201 (what the parent reads)
