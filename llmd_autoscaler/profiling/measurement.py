"""One point measured: a load kept up, a window long enough, and what clients and server say of the same seconds."""

import asyncio
import contextlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.engines.vllm import Durations, VllmPage
from llmd_autoscaler.profiling.clients import Clients as Senders
from llmd_autoscaler.profiling.clients import Seen
from llmd_autoscaler.profiling.endpoint import Endpoint
from llmd_autoscaler.profiling.measurement_length import (
    CONFIDENCE_FRAC,
    LEAST_ANSWERS_LONG,
    LEAST_REQUESTS,
    LEAST_REQUESTS_ALONE,
    MOST_TIMES_REQUESTS,
    Length,
)
from llmd_autoscaler.profiling.point import Clients, Load, Point, Server
from llmd_autoscaler.profiling.trouble import Pages, troubles

Array = NDArray[np.float64]

_LOOK_WALL_S = 0.25
_Z95 = 1.96
# The gap of a two-token answer is one step with whatever came between.
_LEAST_OSL_OF_TPOT = 16
_SETTLE_WALL_S = 5.0


@dataclass(slots=True)
class _Looked:
    """Gauges of a window."""

    kv: list[float]
    running: list[float]
    waiting: list[float]
    pages: list[VllmPage]


@dataclass(frozen=True, slots=True)
class Measurer:
    """Measures loads on one server, one after the other."""

    endpoint: Endpoint
    senders: Senders
    clock: Clock

    async def measure(self, load: Load, length: Length) -> Point:
        """Keep a load up for a window, and say what came of it.

        Raises: ObservationError: the server's metrics cannot be read.
        """
        n_before = await self._settled()
        seen = Seen()
        if load.prefix_frac:
            await self.senders.warm_prefixes(load, seen)
            seen = Seen()
        sending = asyncio.create_task(self.senders.run(load, seen))
        try:
            warm_from_s = self.clock.now_s()
            await self._warm(load, seen, length, sending)
            first = await self.endpoint.page()
            start_s = self.clock.now_s()
            looked = await self._watch(load, seen, length, start_s, sending)
            last = await self.endpoint.page()
            end_s = self.clock.now_s()
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        window = (start_s, end_s)
        point = Point(
            load=load,
            warm_s=start_s - warm_from_s,
            window_s=end_s - start_s,
            clients=_clients_of(load, seen, window),
            server=_server_of(first, last, looked, end_s - start_s),
        )
        point = _on_compressed_clock(point) if self.clock.rate != 1.0 else point
        pages = Pages(first, last, tuple(looked.pages))
        return replace(point, trouble=troubles(point, pages, n_before=n_before, errors=seen.errors))

    async def _settled(self) -> float:
        """Wait until nothing runs that an earlier load left; returns what then still runs: another client's."""
        waited = 0.0
        while True:
            page = await self.endpoint.page()
            n = (page.n_running or 0.0) + (page.n_waiting or 0.0)
            if n == 0.0 or waited >= _SETTLE_WALL_S:
                return n
            await asyncio.sleep(_LOOK_WALL_S)
            waited += _LOOK_WALL_S

    async def _warm(
        self, load: Load, seen: Seen, length: Length, sending: "asyncio.Task[None]"
    ) -> None:
        """Until each client has its first token, and long enough that the burst of the start is past."""
        started_s = self.clock.now_s()
        wanted = load.concurrency or 1
        while not sending.done():
            elapsed_s = self.clock.now_s() - started_s
            begun = seen.n_begun + len(seen.errors) >= wanted
            if (begun and elapsed_s >= length.warm_s) or elapsed_s >= length.most_s:
                return
            await asyncio.sleep(_LOOK_WALL_S / 5.0)

    async def _watch(
        self,
        load: Load,
        seen: Seen,
        length: Length,
        start_s: float,
        sending: "asyncio.Task[None]",
    ) -> _Looked:
        looked = _Looked([], [], [], [])
        while not sending.done():
            await asyncio.sleep(_LOOK_WALL_S)
            page = await self.endpoint.page()
            looked.kv.append(page.kv_usage_frac or 0.0)
            looked.running.append(page.n_running or 0.0)
            looked.waiting.append(page.n_waiting or 0.0)
            looked.pages.append(page)
            elapsed_s = self.clock.now_s() - start_s
            if elapsed_s >= length.most_s or (
                elapsed_s >= length.least_s and _is_enough(load, seen, start_s, elapsed_s)
            ):
                return looked
        await sending  # it ends by an error of ours only, which is to be heard
        return looked


def _is_enough(load: Load, seen: Seen, start_s: float, elapsed_s: float) -> bool:
    """Whether the window holds enough answers for the confidence that is promised."""
    done = [a for a in seen.answers if a.at_s[-1] > start_s]
    least = LEAST_REQUESTS_ALONE if load.concurrency == 1 else LEAST_REQUESTS
    if len(done) < least:
        return False
    longest_s = float(np.median([a.at_s[-1] - a.sent_s for a in done]))
    if elapsed_s < LEAST_ANSWERS_LONG * longest_s:
        return False
    if len(done) >= MOST_TIMES_REQUESTS * least:
        return True
    confidence_frac = _ci95_frac(load, seen, start_s)
    return confidence_frac is not None and confidence_frac <= CONFIDENCE_FRAC


def _ci95_frac(load: Load, seen: Seen, start_s: float) -> float | None:
    """Half the 95 % interval of the mean TPOT, relative to it; of short answers that of the TTFT."""
    if load.osl >= _LEAST_OSL_OF_TPOT:
        done = [a for a in seen.answers if a.at_s[-1] > start_s and len(a.at_s) > 1]
        values = [(a.at_s[-1] - a.at_s[0]) / (len(a.at_s) - 1) for a in done]
    else:
        values = [ttft for at, ttft in seen.first_s if at > start_s]
    mean = float(np.mean(values)) if len(values) > 1 else 0.0
    if mean <= 0.0:
        return None
    return _Z95 * float(np.std(values, ddof=1)) / math.sqrt(len(values)) / mean


def _clients_of(load: Load, seen: Seen, window: tuple[float, float]) -> Clients:
    start, end = window
    window_s = end - start
    done = [a for a in seen.answers if start < a.at_s[-1] <= end]
    whole = [a for a in done if a.is_whole]
    ttft = [s for at, s in seen.first_s if start < at <= end]
    times = [np.array(stream.at_s) for stream in seen.streams]
    gaps = np.concatenate([_gaps_within(each, start, end) for each in times] or [np.empty(0)])
    tokens = sum(int(((each > start) & (each <= end)).sum()) for each in times)
    tpot = [(a.at_s[-1] - a.at_s[0]) / (len(a.at_s) - 1) for a in whole if len(a.at_s) > 1]
    e2e = [a.at_s[-1] - a.sent_s for a in whole]
    return Clients(
        rps=len(done) / window_s,
        out_tps=tokens / window_s,
        n_first=len(ttft),
        n_done=len(done),
        errors=len(seen.errors),
        ttft_mean_s=_mean(ttft),
        ttft_p50_s=_quantile(ttft, 0.5),
        ttft_p95_s=_quantile(ttft, 0.95),
        itl_mean_s=_mean(gaps.tolist()) if load.osl > 1 else None,
        itl_p95_s=_quantile(gaps.tolist(), 0.95) if load.osl > 1 else None,
        tpot_p95_s=_quantile(tpot, 0.95),
        e2e_p50_s=_quantile(e2e, 0.5),
        ci95_frac=_ci95_frac(load, seen, start),
    )


def _gaps_within(at_s: Array, start: float, end: float) -> Array:
    gaps, ends = np.diff(at_s), at_s[1:]
    return np.asarray(gaps[(ends > start) & (ends <= end)])


def _server_of(first: VllmPage, last: VllmPage, looked: _Looked, window_s: float) -> Server:
    prompt = _grown(first.prompt_tokens, last.prompt_tokens)
    hits = _grown(first.prefix_hits_tokens, last.prefix_hits_tokens)
    generated = _grown(first.generation_tokens, last.generation_tokens)
    steps = _grown(first.n_steps, last.n_steps)
    computed = None if prompt is None else prompt - (hits or 0.0)
    return Server(
        in_tps=_per(prompt, window_s),
        out_tps=_per(generated, window_s),
        ttft_s=_mean_grown(first.ttft, last.ttft),
        queue_s=_mean_grown(first.queue, last.queue),
        prefill_s=_mean_grown(first.prefill, last.prefill),
        steps_per_s=_per(steps, window_s),
        tokens_per_step=(computed + generated) / steps
        if computed is not None and generated is not None and steps
        else None,
        hit_tokens=hits,
        queried_tokens=_grown(first.prefix_queries_tokens, last.prefix_queries_tokens),
        kv_mean_frac=_mean(looked.kv),
        kv_max_frac=max(looked.kv, default=None),
        n_running=_mean(looked.running),
        n_waiting=_mean(looked.waiting),
    )


def _on_compressed_clock(point: Point) -> Point:
    """A millisecond of wire is `rate` simulated ones: what clients wait beyond the server's own TTFT is taken off."""
    clients, server_s = point.clients, point.server.ttft_s
    if clients.ttft_mean_s is None or server_s is None:
        return point
    wire_s = max(0.0, clients.ttft_mean_s - server_s)

    def less(value: float | None) -> float | None:
        return None if value is None else max(0.0, value - wire_s)

    seen = replace(
        clients,
        ttft_mean_s=less(clients.ttft_mean_s),
        ttft_p50_s=less(clients.ttft_p50_s),
        ttft_p95_s=less(clients.ttft_p95_s),
        e2e_p50_s=less(clients.e2e_p50_s),
    )
    return replace(point, clients=seen)


def _grown(before: float | None, after: float | None) -> float | None:
    """Growth of a counter; None where it is not said or fell (a restart, which is a trouble of its own)."""
    if before is None or after is None or after < before:
        return None
    return after - before


def _mean_grown(before: Durations | None, after: Durations | None) -> float | None:
    if before is None or after is None:
        return None
    count, total = _grown(before.count, after.count), _grown(before.sum_s, after.sum_s)
    return total / count if count and total is not None else None


def _per(amount: float | None, window_s: float) -> float | None:
    return None if amount is None else amount / window_s


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _quantile(values: list[float], q: float) -> float | None:
    return float(np.quantile(values, q)) if values else None
