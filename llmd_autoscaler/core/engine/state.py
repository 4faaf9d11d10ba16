"""The state of simulated instances: what stands in which column of their rows.

An instance is one row of floats and one of integers, a heap of the steps at which its decode
sequences end, and a ring of requests that wait or are being prefilled. Requests are records shared by
all instances of a fleet, found by a slot number.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.engine.compiled import (
    IS_COMPILED,
    FloatRow,
    IntRow,
    float_row,
    float_table,
    int_table,
)
from llmd_autoscaler.core.variant import EngineProfile

# --- columns of an instance's floats -----------------------------------------------------------
(
    BASE,  # a, b, c, k, e of the step model, in seconds
    PER_DECODE,
    PER_PREFILL,
    PER_CONTEXT,
    PER_ATTENTION,
    LEAST_PREFILL,  # seconds of a step of prompts alone
    LATENCY,  # of the front end: a request, a prompt token
    LATENCY_PER_TOKEN,
    API_PER_REQUEST,  # of the API servers, already divided by their number
    API_PER_TOKEN,
    SEGMENT_AT,  # boundary at which the present segment of equal steps began
    PREVIOUS_AT,  # start of the step that ended there: what had arrived by then may be scheduled
    EVENT_AT,  # boundary at which the segment ends; inf when idle
    STEP_S,  # first step of the segment
    GROWTH_S,  # by which each further step is longer: the contexts grow
    CONTEXT,  # tokens of context that the decodes read, at the segment's start
    BACKLOG_S,  # work that waits in the API servers at API_AT
    API_AT,
    LAST_QUEUED_AT,  # the API server is first in, first out
    WORK_S,  # expected engine seconds of all requests in flight, as the router counts them
    BUSY_S,  # total of all steps
    N_FLOATS,
) = range(22)

# --- columns of an instance's integers ---------------------------------------------------------
(
    MAX_BATCHED,
    MAX_SEQS,
    KV_TOKENS,
    N_DECODE,
    N_STEPS,  # steps done at SEGMENT_AT
    SEGMENT_STEPS,  # steps of the segment; 0 while the engine only waits for a first arrival
    HEAD,  # the ring: [HEAD, ADMITTED) is being prefilled, [ADMITTED, TAIL) waits
    ADMITTED,
    TAIL,
    N_PREFILLED,  # of the ring's head, how many have their whole prompt computed when this step ends
    PREFILL_TOKENS,  # computed by the present step
    KV_RESERVED,
    HEAP_SIZE,
    N_RUNNING,
    API_STEPS,  # steps of the segment whose tokens the backlog already holds
    N_TOKENS,  # total of tokens scheduled in steps (prompt and output)
    LOG_SIZE,  # 0: no log is kept
    N_LOGGED,
    N_INTS,
) = range(19)

# --- columns of a log entry: enough to tell when any step of it ended --------------------------
(
    LOG_STEP,
    LOG_AT,
    LOG_STEP_S,
    LOG_GROWTH_S,
    LOG_FROM,
    LOG_BACKLOG_S,
    LOG_API_AT,
    LOG_API_STEPS,
    LOG_RATE_S,
) = range(9)
N_LOG = 9

# A heap key is step * 2^21 + slot: one comparison orders both, two million requests fit beside 2^41 steps.
SLOT_BITS = 21
MAX_SLOTS = 1 << SLOT_BITS

# Requests that may wait in one instance: far beyond any bound that a client would sit out.
QUEUE_SIZE = 1 << 14


# --- fields of a request's record ---------------------------------------------------------------
# All records stand in one row of floats, a record after the other: one cache line a request, and no
# object whose references the compiled code would have to count. Whole numbers below 2^53 are exact.
(
    QUEUED_AT,  # when the engine got it, past the front end
    SCHEDULED_AT,  # first step that computes its prompt
    FIRST_AT,  # delivery of the first token; inf until then
    LAST_AT,  # delivery of the last token; inf until then
    REQUEST_WORK_S,  # expected engine seconds, as the router counts them
    ISL,
    OSL,
    COMPUTED,  # prompt tokens computed or found in the prefix cache
    JOINED,  # step that gave the first token
    N_RECORD,
) = range(10)

Requests = FloatRow


class Fleet(NamedTuple):
    """Rows over instances."""

    floats: list[FloatRow]
    ints: list[IntRow]
    heaps: list[IntRow]
    rings: list[IntRow]
    logs: list[FloatRow]


def new_requests(n_slots: int) -> Requests:
    """Records of `n_slots` requests that have not come yet."""
    requests = float_row(n_slots * N_RECORD)
    for field in (SCHEDULED_AT, FIRST_AT, LAST_AT):
        requests[field::N_RECORD] = (
            np.full(n_slots, math.inf) if IS_COMPILED else [math.inf] * n_slots
        )
    return requests


def column(requests: Requests, field: int) -> NDArray[np.float64]:
    """A copy of one field of all records: (slot,)."""
    return np.array(requests[field::N_RECORD], dtype=np.float64)


def new_fleet(profiles: list[EngineProfile], *, now_s: float, log_size: int = 0) -> Fleet:
    """Idle instances, one a profile.

    Args: log_size: entries of the log of past steps that each instance keeps; a power of two, or 0.
    """
    n = len(profiles)
    fleet = Fleet(
        floats=float_table(n, N_FLOATS),
        ints=int_table(n, N_INTS),
        heaps=int_table(n, max((p.max_num_seqs for p in profiles), default=1) + 1),
        rings=int_table(n, QUEUE_SIZE),
        logs=float_table(n, max(1, log_size) * N_LOG),
    )
    for i, profile in enumerate(profiles):
        install(fleet, i, profile, now_s=now_s)
        fleet.ints[i][LOG_SIZE] = log_size
    return fleet


def install(fleet: Fleet, i: int, profile: EngineProfile, *, now_s: float) -> None:
    """Make row i an idle instance of a profile.

    Raises: ValueError: the fleet was made for fewer sequences an instance; compiled code would write past its heap.
    """
    if profile.max_num_seqs >= len(fleet.heaps[i]):
        raise ValueError(
            f"max_num_seqs {profile.max_num_seqs} exceeds the {len(fleet.heaps[i]) - 1} that this fleet was made for"
        )
    f, n = fleet.floats[i], fleet.ints[i]
    log_size = n[LOG_SIZE]
    for column in range(N_FLOATS):
        f[column] = 0.0
    for column in range(N_INTS):
        n[column] = 0
    step, front = profile.step, profile.front_end
    f[BASE], f[PER_DECODE], f[PER_PREFILL] = (
        step.base_s,
        step.per_decode_s,
        step.per_prefill_token_s,
    )
    f[PER_CONTEXT], f[PER_ATTENTION] = step.per_context_token_s, step.per_attention_token_sq_s
    f[LEAST_PREFILL] = step.least_prefill_s
    f[LATENCY], f[LATENCY_PER_TOKEN] = front.per_request_s, front.per_prompt_token_s
    f[API_PER_REQUEST] = front.api_server_per_request_s / profile.n_api_servers
    f[API_PER_TOKEN] = front.api_server_per_token_s / profile.n_api_servers
    f[SEGMENT_AT] = f[PREVIOUS_AT] = f[API_AT] = f[LAST_QUEUED_AT] = now_s
    f[EVENT_AT] = math.inf
    n[MAX_BATCHED], n[MAX_SEQS] = profile.max_num_batched_tokens, profile.max_num_seqs
    n[KV_TOKENS], n[LOG_SIZE] = profile.kv_tokens, log_size
