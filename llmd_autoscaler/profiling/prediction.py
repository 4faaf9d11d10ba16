"""What a profile promises under a load: the engine in virtual time, with the load's clients around it."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.engine import closed_loop as loop
from llmd_autoscaler.core.engine.compiled import FloatRow, as_float_row, float_row, int_row
from llmd_autoscaler.core.engine.state import (
    COMPUTED,
    FIRST_AT,
    ISL,
    LAST_AT,
    N_RECORD,
    OSL,
    column,
    new_fleet,
    new_requests,
)
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.errors import PlanError
from llmd_autoscaler.profiling.point import Load

Array = NDArray[np.float64]

BLOCK_TOKENS = 16
# A closed loop repeats itself: three generations of clients after one and a half to fall out of step.
_WARM_GENERATIONS = 1.5
_GENERATIONS = 3.0
_LEAST_REQUESTS = 24
# Tails of an open loop need arrivals: at 1,500 the 95th percentile of TTFT repeats within some percent.
_N_ARRIVALS = 1500
_ARRIVALS_WARM_FRAC = 0.15
# More of the window than this, and it is what limits.
_BLOCKED_FRAC = 0.05
# waves of a closed loop leave even a full station idle for moments
_API_SERVER_FULL = 0.9
_ENGINE_FULL = 0.98
_SEED = 0


@dataclass(frozen=True, slots=True)
class Prediction:
    """The figures of a load in steady state; None where a load has none (gaps of one-token answers)."""

    ttft_mean_s: float
    ttft_p50_s: float
    ttft_p95_s: float
    itl_mean_s: float | None
    itl_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p50_s: float
    rps: float
    out_tps: float
    steps_per_s: float
    kv_mean_frac: float
    kv_max_frac: float
    n_running: float
    n_waiting: float
    engine_use_frac: float
    api_server_use_frac: float
    limit: str  # engine | kv_full | max_num_seqs | api_server | none


def predict(profile: EngineProfile, load: Load) -> Prediction:
    """The figures of one load on one instance.

    Raises: PlanError: a request of the load does not fit the KV cache.
    """
    if load.longest_tokens > profile.kv_tokens:
        raise PlanError(
            f"{load.name}: a request of {load.longest_tokens} tokens exceeds the KV cache of "
            f"{profile.kv_tokens} tokens; ask for shorter ones"
        )
    shared = _Sharing.of(profile, load)
    if load.concurrency is not None:
        return shared.seen(_closed(shared.profile, load, load.concurrency))
    return shared.seen(_open(shared.profile, load, load.rate_qps or 0.0))


@dataclass(frozen=True, slots=True)
class _Sharing:
    """Prefixes stand once in the KV cache however many requests begin with them.

    The engine reserves each request whole, so it is given as much more cache as the sharing frees: of
    mean requests exactly as many fit.
    """

    profile: EngineProfile
    held_frac: float  # of the cache, by the prefixes themselves
    scale: float  # real use of the rest for what the engine counted

    @staticmethod
    def of(profile: EngineProfile, load: Load) -> "_Sharing":
        shared = float(_shared_tokens(load, np.array([load.isl]))[0])
        held = load.n_prefixes * shared
        if shared == 0.0 or held >= profile.kv_tokens:
            return _Sharing(profile, 0.0, 1.0)
        whole = load.isl + load.osl
        free = profile.kv_tokens - held
        tokens = int(free * whole / (whole - shared))
        return _Sharing(
            replace(profile, kv_tokens=max(tokens, load.longest_tokens)),
            held / profile.kv_tokens,
            free / profile.kv_tokens,
        )

    def seen(self, prediction: Prediction) -> Prediction:
        """The prediction with the real cache's use."""
        return replace(
            prediction,
            kv_mean_frac=self.held_frac + self.scale * prediction.kv_mean_frac,
            kv_max_frac=self.held_frac + self.scale * prediction.kv_max_frac,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """Requests in the order in which they are sent: columns (request,)."""

    isl: Array
    osl: Array
    hit: Array


def _closed(profile: EngineProfile, load: Load, n_clients: int) -> Prediction:
    n_warm = math.ceil(_WARM_GENERATIONS * n_clients)
    n_requests = n_warm + max(_LEAST_REQUESTS, math.ceil(_GENERATIONS * n_clients))
    if n_clients == 1:
        # alone, every request is like the one before
        n_warm, n_requests = 1, 1 + (3 if len(load.shapes) == 1 else _LEAST_REQUESTS)
    drawn = _drawn(load, n_requests)
    # As a load generator does it: first answers of random length, or all would run in step for ever.
    osl = drawn.osl.copy()
    if n_clients > 1:
        osl[:n_clients] = np.ceil(osl[:n_clients] * _uniform(n_clients))
    run = _Run(profile, drawn, osl)
    open_slot, next_at = int_row(n_clients, -1), float_row(n_clients)
    fleet = run.fleet
    loop.run_loop(
        fleet.floats[0], fleet.ints[0], fleet.heaps[0], fleet.rings[0], fleet.logs[0],
        run.requests, open_slot, next_at, run.sent_at, n_warm,
        run.sums, run.gaps,
    )  # fmt: skip
    return run.prediction()


def _open(profile: EngineProfile, load: Load, rate_qps: float) -> Prediction:
    n_warm = int(_ARRIVALS_WARM_FRAC * _N_ARRIVALS)
    drawn = _drawn(load, _N_ARRIVALS)
    run = _Run(profile, drawn, drawn.osl)
    run.sent_at = as_float_row(_exponential(_N_ARRIVALS) / rate_qps)
    fleet = run.fleet
    loop.run_arrivals(
        fleet.floats[0], fleet.ints[0], fleet.heaps[0], fleet.rings[0], fleet.logs[0],
        run.requests, run.sent_at, n_warm, _N_ARRIVALS, run.sums, run.gaps,
    )  # fmt: skip
    return run.prediction(is_open=True)


class _Run:
    """The rows of one run, and the figures that they come to."""

    def __init__(self, profile: EngineProfile, drawn: _Drawn, osl: Array) -> None:
        n = len(drawn.isl)
        self.profile = profile
        self.fleet = new_fleet([profile], now_s=0.0)
        self.requests = new_requests(n)
        self.sums = float_row(loop.N_SUMS)
        self.gaps = float_row(loop.N_GAP_BINS)
        self.sent_at = float_row(n)
        for field, values in ((ISL, drawn.isl), (OSL, osl), (COMPUTED, drawn.hit)):
            self.requests[field::N_RECORD] = values if _is_array(self.requests) else values.tolist()

    def prediction(self, *, is_open: bool = False) -> Prediction:
        """What clients and engine saw between START_AT and END_AT."""
        sums = self.sums
        start, end = float(sums[loop.START_AT]), float(sums[loop.END_AT])
        window_s = end - start
        first, last, osl = (column(self.requests, field) for field in (FIRST_AT, LAST_AT, OSL))
        sent = np.asarray(self.sent_at, dtype=np.float64)
        began = (first > start) & (first <= end)
        if is_open:
            # the tail of an open loop is that of its requests, whenever their answers came
            began = (sent >= start) & np.isfinite(first)
        done = (last > start) & (last <= end)
        ttft = first[began] - sent[began]
        e2e = last[done] - sent[done]
        several = done & (osl > 1)
        tpot = (last[several] - first[several]) / (osl[several] - 1)
        n_gaps = float(sums[loop.N_GAPS])
        n_first = int(((first > start) & (first <= end)).sum())
        rps, out_tps = done.sum() / window_s, (n_gaps + n_first) / window_s
        front = self.profile.front_end
        api_use = (
            n_first / window_s * front.api_server_per_request_s
            + out_tps * front.api_server_per_token_s
        ) / self.profile.n_api_servers
        busy = float(sums[loop.RUN_BUSY_S]) / window_s
        kv = self.profile.kv_tokens
        return Prediction(
            ttft_mean_s=float(ttft.mean()),
            ttft_p50_s=float(np.quantile(ttft, 0.5)),
            ttft_p95_s=float(np.quantile(ttft, 0.95)),
            itl_mean_s=float(sums[loop.GAPS_S]) / n_gaps if n_gaps else None,
            itl_p95_s=gap_quantile_s(self.gaps, 0.95) if n_gaps else None,
            tpot_p95_s=float(np.quantile(tpot, 0.95)) if len(tpot) else None,
            e2e_p50_s=float(np.quantile(e2e, 0.5)) if len(e2e) else math.inf,
            rps=float(rps),
            out_tps=float(out_tps),
            steps_per_s=float(sums[loop.RUN_STEPS]) / window_s,
            kv_mean_frac=float(sums[loop.KV_TIME]) / window_s / kv,
            kv_max_frac=float(sums[loop.KV_MOST]) / kv,
            n_running=float(sums[loop.RUNNING_TIME]) / window_s,
            n_waiting=float(sums[loop.WAITING_TIME]) / window_s,
            engine_use_frac=min(1.0, busy),
            api_server_use_frac=min(1.0, float(api_use)),
            limit=self._limit(busy, float(api_use), window_s),
        )

    def _limit(self, busy: float, api_use: float, window_s: float) -> str:
        if float(self.sums[loop.KV_BLOCKED_S]) > _BLOCKED_FRAC * window_s:
            return "kv_full"
        if float(self.sums[loop.SEQS_BLOCKED_S]) > _BLOCKED_FRAC * window_s:
            return "max_num_seqs"
        if api_use > _API_SERVER_FULL:
            return "api_server"
        return "engine" if busy > _ENGINE_FULL else "none"


def gap_quantile_s(gaps: FloatRow, q: float) -> float:
    """A quantile of the counted gaps, linear within its bin."""
    counts = np.asarray(gaps, dtype=np.float64)
    below = np.cumsum(counts)
    wanted = q * below[-1]
    i = int(np.searchsorted(below, wanted))
    within = (wanted - (below[i] - counts[i])) / counts[i]
    return float(loop.SHORTEST_S * (1.0 + loop.BIN_FRAC) ** (i + within))


def _is_array(requests: FloatRow) -> bool:
    return isinstance(requests, np.ndarray)


def _drawn(load: Load, n: int) -> _Drawn:
    if len(load.shapes) == 1:
        isl, osl = np.full(n, float(load.shapes[0].isl)), np.full(n, float(load.shapes[0].osl))
    else:
        # stratified, in a shuffled order that is the same every time
        weights = np.cumsum([s.weight for s in load.shapes])
        order = np.random.default_rng(_SEED).permutation((np.arange(n) + 0.5) / n)
        which = np.searchsorted(weights / weights[-1], order).clip(0, len(load.shapes) - 1)
        isl = np.array([s.isl for s in load.shapes], dtype=np.float64)[which]
        osl = np.array([s.osl for s in load.shapes], dtype=np.float64)[which]
    return _Drawn(isl, osl, _shared_tokens(load, isl))


def _shared_tokens(load: Load, isl: Array) -> Array:
    """Prompt tokens found in the prefix cache: whole blocks, and one token is always computed."""
    shared = np.floor(load.prefix_frac * isl / BLOCK_TOKENS) * BLOCK_TOKENS
    return np.asarray(np.minimum(shared, isl - 1))


@lru_cache(maxsize=1024)
def _uniform(n: int) -> Array:
    return np.random.default_rng(_SEED).permutation((np.arange(n) + 0.5) / n)


@lru_cache(maxsize=4)
def _exponential(n: int) -> Array:
    return np.cumsum(np.random.default_rng(_SEED).exponential(1.0, n))
