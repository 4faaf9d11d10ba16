"""One simulated instance for those who feed it request by request, such as a server on a scaled clock."""

import math
from dataclasses import dataclass

from llmd_autoscaler.core.engine import kernel, log
from llmd_autoscaler.core.engine.compiled import as_list, float_row
from llmd_autoscaler.core.engine.state import (
    ADMITTED,
    BUSY_S,
    COMPUTED,
    CONTEXT,
    EVENT_AT,
    FIRST_AT,
    HEAD,
    ISL,
    JOINED,
    KV_RESERVED,
    LAST_AT,
    N_RECORD,
    N_RUNNING,
    N_STEPS,
    N_TOKENS,
    OSL,
    QUEUE_SIZE,
    QUEUED_AT,
    REQUEST_WORK_S,
    SCHEDULED_AT,
    TAIL,
    new_fleet,
    new_requests,
)
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.errors import PlanError

# Segments that can be looked up again: two a request at most, and a reader comes by every 20 ms.
LOG_ENTRIES = 1 << 15
N_SLOTS = 2 * QUEUE_SIZE
# Tokens that are stamped in one call.
N_STAMPS = 256


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """What the gauges and counters of an engine show."""

    n_running: int
    n_waiting: int
    kv_used_tokens: int
    n_steps: int
    n_step_tokens: int
    busy_s: float


@dataclass(frozen=True, slots=True)
class RequestTimings:
    """When one request passed the stations of an engine; inf where it has not yet."""

    queued_s: float
    scheduled_s: float
    first_token_s: float
    last_token_s: float


class Engine:
    """A running engine: submit, advance, read what came out. Time only moves by `advance`."""

    def __init__(self, profile: EngineProfile, *, now_s: float) -> None:
        self._profile = profile
        fleet = new_fleet([profile], now_s=now_s, log_size=LOG_ENTRIES)
        self._floats, self._ints = fleet.floats[0], fleet.ints[0]
        self._heap, self._ring, self._log = fleet.heaps[0], fleet.rings[0], fleet.logs[0]
        self._requests = new_requests(N_SLOTS)
        self._stamps = float_row(N_STAMPS)
        self._free = list(range(N_SLOTS - 1, -1, -1))

    @property
    def wake_s(self) -> float:
        """When something next changes if nobody submits anything; inf when idle."""
        return float(self._floats[EVENT_AT])

    def submit(self, *, arrival_s: float, isl: int, osl: int, hit_tokens: int = 0) -> int:
        """Hand over a request; the engine must have been advanced to `arrival_s`.

        Args: hit_tokens: prompt tokens found in the prefix cache; at least one is always computed.
        Returns: the request's number, valid until `release`.
        Raises: PlanError: it can never fit the KV cache, or too many requests wait.
        """
        if isl + osl > self._profile.kv_tokens:
            raise PlanError(
                f"a request of {isl} + {osl} tokens exceeds the KV cache of {self._profile.kv_tokens} tokens"
            )
        if not self._free or self._ints[TAIL] - self._ints[HEAD] >= QUEUE_SIZE:
            raise PlanError(f"{QUEUE_SIZE} requests wait already")
        slot = self._free.pop()
        requests = self._requests
        requests[slot * N_RECORD + ISL], requests[slot * N_RECORD + OSL] = isl, osl
        requests[slot * N_RECORD + COMPUTED] = min(hit_tokens, isl - 1)
        requests[slot * N_RECORD + REQUEST_WORK_S] = 0.0
        requests[slot * N_RECORD + SCHEDULED_AT] = requests[slot * N_RECORD + FIRST_AT] = requests[
            slot * N_RECORD + LAST_AT
        ] = math.inf
        kernel.submit(self._floats, self._ints, self._ring, self._log, requests, slot, arrival_s)
        return slot

    def advance(self, until_s: float) -> None:
        """Everything that happens up to and including a time."""
        kernel.advance(
            self._floats, self._ints, self._heap, self._ring, self._log, self._requests, until_s
        )

    def stamps(self, request: int, after: int, *, until_s: float) -> list[float]:
        """Delivery times of the tokens after the first `after` ones that are out by `until_s`.

        The engine must have been advanced to `until_s`.
        """
        requests, record = self._requests, request * N_RECORD
        first_at = float(requests[record + FIRST_AT])
        if first_at > until_s:
            return []
        out = [first_at] if after == 0 else []
        step = int(requests[record + JOINED]) + max(after, 1)
        last_step = int(requests[record + JOINED] + requests[record + OSL]) - 1
        while step <= last_step:
            n = log.stamps(self._ints, self._log, (step, last_step), until_s, self._stamps)
            out += as_list(self._stamps, n)
            if n < len(self._stamps):
                break
            step += n
        return out

    def is_finished(self, request: int) -> bool:
        """Whether the last token is out, or the request was aborted."""
        return self._requests[request * N_RECORD + LAST_AT] < math.inf

    def abort(self, request: int, *, now_s: float) -> None:
        """End a request whose client has left; the engine must have been advanced to `now_s`."""
        if not self.is_finished(request):
            kernel.abort(
                self._floats, self._ints, self._heap, self._ring, self._requests, request, now_s
            )

    def release(self, request: int) -> None:
        """Forget a finished request; its number is used again."""
        self._free.append(request)

    def timings(self, request: int) -> RequestTimings:
        """When a request passed the stations."""
        requests = self._requests
        return RequestTimings(
            queued_s=float(requests[request * N_RECORD + QUEUED_AT]),
            scheduled_s=float(requests[request * N_RECORD + SCHEDULED_AT]),
            first_token_s=float(requests[request * N_RECORD + FIRST_AT]),
            last_token_s=float(requests[request * N_RECORD + LAST_AT]),
        )

    def snapshot(self) -> EngineSnapshot:
        """The engine's gauges and totals as of the last advance."""
        n, f = self._ints, self._floats
        return EngineSnapshot(
            n_running=int(n[N_RUNNING]),
            n_waiting=int(n[TAIL] - n[ADMITTED]),
            kv_used_tokens=min(int(n[KV_RESERVED]), int(f[CONTEXT]) + self._prefilling_tokens()),
            n_steps=int(n[N_STEPS]),
            n_step_tokens=int(n[N_TOKENS]),
            busy_s=float(f[BUSY_S]),
        )

    def _prefilling_tokens(self) -> int:
        """Prompt tokens in the KV cache of requests that have no token yet."""
        n, requests = self._ints, self._requests
        positions = range(int(n[HEAD]), int(n[ADMITTED]))
        return sum(
            int(requests[self._ring[p & (QUEUE_SIZE - 1)] * N_RECORD + COMPUTED]) for p in positions
        )
