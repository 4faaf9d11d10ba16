"""One simulated instance and its clients: a closed loop or recorded arrivals, with every gap between tokens counted.

Rules for editors: kernels, as in compiled.py: rows are indexed, never sliced, and nothing raises.
"""

import math

from llmd_autoscaler.core.engine.compiled import FloatRow, IntRow, kernel
from llmd_autoscaler.core.engine.kernel import compose, finish_segment, submit
from llmd_autoscaler.core.engine.state import (
    ADMITTED,
    API_PER_TOKEN,
    BACKLOG_S,
    CONTEXT,
    EVENT_AT,
    FIRST_AT,
    ISL,
    KV_RESERVED,
    KV_TOKENS,
    LAST_AT,
    MAX_SEQS,
    N_DECODE,
    N_PREFILLED,
    N_RECORD,
    N_RUNNING,
    OSL,
    QUEUE_SIZE,
    REQUEST_WORK_S,
    SCHEDULED_AT,
    SEGMENT_AT,
    SEGMENT_STEPS,
    TAIL,
    Requests,
)

# Gaps are counted in bins of equal ratio: a percentile is good to half of this.
BIN_FRAC = 0.01
_BIN_LOG = math.log1p(BIN_FRAC)
SHORTEST_S = 1e-4
N_GAP_BINS = 1400  # up to 100 s

# --- columns of what a run adds up -------------------------------------------------------------
(
    START_AT,  # the window
    END_AT,
    N_GAPS,
    GAPS_S,
    RUN_BUSY_S,  # engine time within the window
    RUN_STEPS,
    KV_TIME,  # tokens in the cache x seconds
    KV_MOST,
    RUNNING_TIME,  # requests in the batch x seconds
    WAITING_TIME,
    KV_BLOCKED_S,  # a request waited because its tokens did not fit
    SEQS_BLOCKED_S,  # because as many as may ran already
    N_SUMS,
) = range(13)


@kernel
def gap_bin(gap_s: float) -> int:
    """The bin of a gap."""
    if gap_s <= SHORTEST_S:
        return 0
    return min(N_GAP_BINS - 1, int(math.log(gap_s / SHORTEST_S) / _BIN_LOG))


@kernel
def send(
    f: FloatRow,
    n: IntRow,
    ring: IntRow,
    log: FloatRow,
    requests: Requests,
    slot: int,
    at: float,
) -> None:
    """Hand over a request whose lengths and prefix hit stand in its record."""
    requests[slot * N_RECORD + REQUEST_WORK_S] = 0.0
    requests[slot * N_RECORD + SCHEDULED_AT] = math.inf
    requests[slot * N_RECORD + FIRST_AT] = math.inf
    requests[slot * N_RECORD + LAST_AT] = math.inf
    submit(f, n, ring, log, requests, slot, at)


@kernel
def account(
    f: FloatRow, n: IntRow, ring: IntRow, requests: Requests, weight: float, sums: FloatRow
) -> None:
    """Add up the segment that is about to end, by what it holds.

    Args: weight: the share of it that lies within the window.
    """
    lasted_s = weight * (f[EVENT_AT] - f[SEGMENT_AT])
    steps = n[SEGMENT_STEPS]
    if steps == 0:
        return
    sums[RUN_BUSY_S] += lasted_s
    sums[RUN_STEPS] += weight * steps
    sums[KV_TIME] += f[CONTEXT] * lasted_s
    sums[KV_MOST] = max(sums[KV_MOST], n[KV_RESERVED])
    sums[RUNNING_TIME] += n[N_RUNNING] * lasted_s
    waiting = n[TAIL] - n[ADMITTED]
    sums[WAITING_TIME] += waiting * lasted_s
    if waiting > 0:
        slot = ring[n[ADMITTED] & (QUEUE_SIZE - 1)]
        tokens = requests[slot * N_RECORD + ISL] + requests[slot * N_RECORD + OSL]
        if n[N_RUNNING] >= n[MAX_SEQS]:
            sums[SEQS_BLOCKED_S] += lasted_s
        elif n[KV_RESERVED] + tokens > n[KV_TOKENS]:
            sums[KV_BLOCKED_S] += lasted_s


@kernel
def step_over(
    f: FloatRow,
    n: IntRow,
    heap: IntRow,
    ring: IntRow,
    requests: Requests,
    late_s: float,
    sums: FloatRow,
    gaps: FloatRow,
    weight: float,
) -> float:
    """Let one segment end and the next begin.

    Args:
        late_s: how long after their step the last tokens reached the clients (the API server's backlog).
        weight: the share of the segment that lies within the window.

    Returns: the same of this segment's tokens.
    """
    began = f[SEGMENT_AT]
    ended = f[EVENT_AT]
    steps = n[SEGMENT_STEPS]
    decodes = n[N_DECODE] if steps > 0 else 0
    prefilled = n[N_PREFILLED]
    if weight > 0.0:
        account(f, n, ring, requests, weight, sums)
    finish_segment(f, n, heap, ring, requests)
    now_late_s = f[BACKLOG_S] - (decodes + prefilled) * f[API_PER_TOKEN]
    if weight > 0.0 and decodes > 0:
        gap_s = (ended + now_late_s - began - late_s) / steps
        n_gaps = weight * decodes * steps
        sums[N_GAPS] += n_gaps
        sums[GAPS_S] += n_gaps * gap_s
        gaps[gap_bin(gap_s)] += n_gaps
    compose(f, n, heap, ring, requests)
    return now_late_s


@kernel
def run_loop(
    f: FloatRow,
    n: IntRow,
    heap: IntRow,
    ring: IntRow,
    log: FloatRow,
    requests: Requests,
    open_slot: IntRow,
    next_at: FloatRow,
    sent_at: FloatRow,
    n_warm: int,
    sums: FloatRow,
    gaps: FloatRow,
) -> None:
    """Closed loop: each client sends its next request when its last answer is complete.

    The window opens when request `n_warm` is sent and closes when one more than there are would be: all
    clients are busy throughout.

    Args:
        requests: records with lengths, in the order in which they are sent.
        open_slot: (client,) its open request, -1 for none.
        next_at: (client,) when it sends the next; inf while one is open.
        sent_at: (request,) is filled.
    """
    sent = 0
    n_pending = len(open_slot)
    n_requests = len(sent_at)
    late_s = 0.0
    opens = math.inf
    while True:
        who = earliest(next_at)
        if n_pending > 0 and next_at[who] < f[EVENT_AT]:
            if sent == n_warm:
                sums[START_AT] = opens = next_at[who]
            if sent == n_requests:
                sums[END_AT] = next_at[who]
                return
            send(f, n, ring, log, requests, sent, next_at[who])
            sent_at[sent] = next_at[who]
            open_slot[who] = sent
            next_at[who] = math.inf
            n_pending -= 1
            sent += 1
            continue
        weight = within(f[SEGMENT_AT], f[EVENT_AT], opens, math.inf)
        late_s = step_over(f, n, heap, ring, requests, late_s, sums, gaps, weight)
        n_pending += free_clients(requests, open_slot, next_at)


@kernel
def within(began: float, ended: float, opens: float, closes: float) -> float:
    """The share of a segment that lies within a window."""
    if not began < ended < math.inf:
        return 0.0
    return max(0.0, min(ended, closes) - max(began, opens)) / (ended - began)


@kernel
def earliest(next_at: FloatRow) -> int:
    """The client that sends next."""
    who = 0
    for client in range(1, len(next_at)):
        if next_at[client] < next_at[who]:
            who = client
    return who


@kernel
def free_clients(requests: Requests, open_slot: IntRow, next_at: FloatRow) -> int:
    """Let clients whose last token is on its way send when they have it; returns how many there are."""
    n_free = 0
    for client in range(len(open_slot)):
        slot = open_slot[client]
        if slot >= 0 and requests[slot * N_RECORD + LAST_AT] < math.inf:
            next_at[client] = requests[slot * N_RECORD + LAST_AT]
            open_slot[client] = -1
            n_free += 1
    return n_free


@kernel
def run_arrivals(
    f: FloatRow,
    n: IntRow,
    heap: IntRow,
    ring: IntRow,
    log: FloatRow,
    requests: Requests,
    at: FloatRow,
    n_warm: int,
    n_requests: int,
    sums: FloatRow,
    gaps: FloatRow,
) -> int:
    """Open loop: requests arrive at their times whatever becomes of the others; returns how many found no room to wait.

    Counting begins with request `n_warm` and ends with the last arrival; the engine then runs dry.
    """
    late_s = 0.0
    refused = 0
    opens, closes = at[n_warm], at[n_requests - 1]
    sums[START_AT], sums[END_AT] = opens, closes
    for sent in range(n_requests):
        while f[EVENT_AT] <= at[sent]:
            weight = within(f[SEGMENT_AT], f[EVENT_AT], opens, closes)
            late_s = step_over(f, n, heap, ring, requests, late_s, sums, gaps, weight)
        if n[TAIL] - n[ADMITTED] >= QUEUE_SIZE - n[MAX_SEQS]:
            refused += 1
        else:
            send(f, n, ring, log, requests, sent, at[sent])
    while f[EVENT_AT] < math.inf:
        weight = within(f[SEGMENT_AT], f[EVENT_AT], opens, closes)
        late_s = step_over(f, n, heap, ring, requests, late_s, sums, gaps, weight)
    return refused
