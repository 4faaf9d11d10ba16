"""What the metrics page of a simulated instance would show at a moment: the inputs of laws that scale on it."""

from dataclasses import dataclass

from llmd_autoscaler.core.engine.state import (
    ADMITTED,
    COMPUTED,
    CONTEXT,
    HEAD,
    KV_RESERVED,
    KV_TOKENS,
    N_RECORD,
    N_RUNNING,
    QUEUE_SIZE,
    TAIL,
    Fleet,
    Requests,
)


@dataclass(frozen=True, slots=True)
class Gauges:
    """One instance, in the words of vLLM: `num_requests_running`, `num_requests_waiting`, `kv_cache_usage_perc`."""

    n_running: int
    n_waiting: int
    kv_used_frac: float

    @property
    def n_in_flight(self) -> int:
        """Requests that it has and has not answered in full."""
        return self.n_running + self.n_waiting


def gauges(fleet: Fleet, requests: Requests, row: int) -> Gauges:
    """The gauges of one row of a fleet, as of its last advance; `Engine.snapshot` reads the same columns."""
    n, ring = fleet.ints[row], fleet.rings[row]
    prefilled = sum(
        int(requests[int(ring[position & (QUEUE_SIZE - 1)]) * N_RECORD + COMPUTED])
        for position in range(int(n[HEAD]), int(n[ADMITTED]))
    )
    used_tokens = min(int(n[KV_RESERVED]), int(fleet.floats[row][CONTEXT]) + prefilled)
    return Gauges(
        n_running=int(n[N_RUNNING]),
        n_waiting=int(n[TAIL] - n[ADMITTED]),
        kv_used_frac=used_tokens / int(n[KV_TOKENS]),
    )
