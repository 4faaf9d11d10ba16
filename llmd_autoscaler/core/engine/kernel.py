"""The engine as discrete events: continuous batching with chunked prefill, jumped over where nothing changes.

Theory of operation. Time advances from one *boundary* between engine steps to another. Between two
boundaries at which the batch changes, all steps decode the same sequences, and each is longer than
the one before by k*d, for the contexts grow by d tokens a step. Such a *segment* is one event: its
end is known in closed form, whoever asks and however often. A segment ends where

- a sequence gives its last token (the top of a heap of step numbers), or
- a request that arrived may enter the batch: one step late, as vLLM's asynchronous scheduling has it, or
- a step that prefills is over: such a segment has one step.

KV memory is reserved for the whole request when it is admitted. vLLM reserves as it goes, but at 99 %
use it was seen to queue and never to preempt (H100, vLLM 0.26.0, November 2026), which is what this gives.
The API server is a fluid station: tokens and requests add work, time takes it away, and what is left
when a token comes out of the engine delays its delivery.
"""

import math

from llmd_autoscaler.core.engine.compiled import FloatRow, IntRow, kernel
from llmd_autoscaler.core.engine.heap import SLOT_MASK, drop, pop, push
from llmd_autoscaler.core.engine.log import log_segment
from llmd_autoscaler.core.engine.series import boundary_s, drained_s
from llmd_autoscaler.core.engine.state import (
    ADMITTED,
    API_AT,
    API_PER_REQUEST,
    API_PER_TOKEN,
    API_STEPS,
    BACKLOG_S,
    BASE,
    BUSY_S,
    COMPUTED,
    CONTEXT,
    EVENT_AT,
    FIRST_AT,
    GROWTH_S,
    HEAD,
    HEAP_SIZE,
    ISL,
    JOINED,
    KV_RESERVED,
    KV_TOKENS,
    LAST_AT,
    LAST_QUEUED_AT,
    LATENCY,
    LATENCY_PER_TOKEN,
    LEAST_PREFILL,
    LOG_SIZE,
    MAX_BATCHED,
    MAX_SEQS,
    N_DECODE,
    N_PREFILLED,
    N_RECORD,
    N_RUNNING,
    N_STEPS,
    N_TOKENS,
    OSL,
    PER_ATTENTION,
    PER_CONTEXT,
    PER_DECODE,
    PER_PREFILL,
    PREFILL_TOKENS,
    PREVIOUS_AT,
    QUEUE_SIZE,
    QUEUED_AT,
    REQUEST_WORK_S,
    SCHEDULED_AT,
    SEGMENT_AT,
    SEGMENT_STEPS,
    SLOT_BITS,
    STEP_S,
    TAIL,
    WORK_S,
    Requests,
)

RING_MASK = QUEUE_SIZE - 1


@kernel
def steps_until(f: FloatRow, until_s: float) -> int:
    """The first boundary of the present segment at or after a time, as its number of steps."""
    wait_s = until_s - f[SEGMENT_AT]
    if wait_s <= 0.0:
        return 0
    linear = f[STEP_S] - 0.5 * f[GROWTH_S]
    # The root of the series, in the form that does not cancel when the growth is tiny.
    steps = int(2.0 * wait_s / (linear + math.sqrt(linear * linear + 2.0 * f[GROWTH_S] * wait_s)))
    while boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], steps) < until_s:
        steps += 1
    while steps > 0 and boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], steps - 1) >= until_s:
        steps -= 1
    return steps


@kernel
def total_tokens(requests: Requests, slot: int) -> int:
    """Prompt and answer together: the KV memory that a request holds."""
    return int(requests[slot * N_RECORD + ISL] + requests[slot * N_RECORD + OSL])


@kernel
def release(f: FloatRow, n: IntRow, requests: Requests, slot: int) -> None:
    """Give back what a running request held."""
    n[KV_RESERVED] -= total_tokens(requests, slot)
    n[N_RUNNING] -= 1
    # Exactly 0 when nothing is in flight: sums of floats do not return to it by themselves.
    f[WORK_S] = (
        f[WORK_S] - requests[slot * N_RECORD + REQUEST_WORK_S]
        if n[N_RUNNING] > 0 or n[ADMITTED] < n[TAIL]
        else 0.0
    )


@kernel
def finish_segment(f: FloatRow, n: IntRow, heap: IntRow, ring: IntRow, requests: Requests) -> None:
    """Account for the steps up to EVENT_AT: tokens out, sequences ended, prompts done."""
    at = f[EVENT_AT]
    steps = n[SEGMENT_STEPS]
    decodes = n[N_DECODE]
    f[PREVIOUS_AT] = (
        boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], steps - 1) if steps > 0 else at
    )
    f[BUSY_S] += at - f[SEGMENT_AT] if steps > 0 else 0.0
    # Backlog that the tokens of the last step meet; their own work comes after.
    earlier = (steps - 1 - n[API_STEPS]) * (decodes * f[API_PER_TOKEN]) if steps > 0 else 0.0
    delay_s = drained_s(f[BACKLOG_S], earlier, at - f[API_AT])
    n[N_STEPS] += steps
    n[N_TOKENS] += decodes * steps + n[PREFILL_TOKENS]
    f[CONTEXT] += decodes * steps
    while n[HEAP_SIZE] > 0 and (heap[0] >> SLOT_BITS) <= n[N_STEPS]:
        slot = pop(heap, n) & SLOT_MASK
        requests[slot * N_RECORD + LAST_AT] = at + delay_s
        n[N_DECODE] -= 1
        f[CONTEXT] -= total_tokens(requests, slot)
        release(f, n, requests, slot)
    for _ in range(n[N_PREFILLED]):
        slot = ring[n[HEAD] & RING_MASK]
        n[HEAD] += 1
        requests[slot * N_RECORD + FIRST_AT] = at + delay_s
        requests[slot * N_RECORD + JOINED] = n[N_STEPS]
        if requests[slot * N_RECORD + OSL] == 1:
            requests[slot * N_RECORD + LAST_AT] = at + delay_s
            release(f, n, requests, slot)
        else:
            n[N_DECODE] += 1
            f[CONTEXT] += requests[slot * N_RECORD + ISL] + 1
            push(
                heap,
                n,
                ((n[N_STEPS] + int(requests[slot * N_RECORD + OSL]) - 1) << SLOT_BITS) | slot,
            )
    f[BACKLOG_S] = (
        delay_s
        + (decodes if steps > 0 else 0) * f[API_PER_TOKEN]
        + n[N_PREFILLED] * f[API_PER_TOKEN]
    )
    f[API_AT] = at
    n[API_STEPS] = 0
    n[N_PREFILLED] = 0
    n[PREFILL_TOKENS] = 0
    f[SEGMENT_AT] = at


@kernel
def may_admit(n: IntRow, requests: Requests, slot: int, seen_at: float) -> bool:
    """Whether the first of the queue enters the batch at this boundary, if it had come by a time."""
    return (
        requests[slot * N_RECORD + QUEUED_AT] <= seen_at
        and n[N_RUNNING] < n[MAX_SEQS]
        and n[KV_RESERVED] + total_tokens(requests, slot) <= n[KV_TOKENS]
    )


@kernel
def prefill(f: FloatRow, n: IntRow, ring: IntRow, requests: Requests) -> float:
    """Fill the step that begins now with prompt tokens; returns their attention work in token^2."""
    budget = n[MAX_BATCHED] - n[N_DECODE]
    attention = 0.0
    position = n[HEAD]
    # With nothing left to run, the next step was not scheduled ahead: arrivals are seen at once.
    is_busy = n[N_DECODE] > 0 or n[ADMITTED] > n[HEAD]
    seen_at = f[PREVIOUS_AT] if is_busy else f[SEGMENT_AT]
    while budget > 0 and position < n[TAIL]:
        slot = ring[position & RING_MASK]
        if position == n[ADMITTED]:
            if not may_admit(n, requests, slot, seen_at):
                break
            n[ADMITTED] += 1
            n[N_RUNNING] += 1
            n[KV_RESERVED] += total_tokens(requests, slot)
            requests[slot * N_RECORD + SCHEDULED_AT] = f[SEGMENT_AT]
        before = int(requests[slot * N_RECORD + COMPUTED])
        isl = int(requests[slot * N_RECORD + ISL])
        chunk = min(isl - before, budget)
        attention += chunk * (before + 0.5 * chunk)
        requests[slot * N_RECORD + COMPUTED] = before + chunk
        budget -= chunk
        n[PREFILL_TOKENS] += chunk
        if before + chunk < isl:
            break
        n[N_PREFILLED] += 1
        position += 1
    return attention


@kernel
def compose(f: FloatRow, n: IntRow, heap: IntRow, ring: IntRow, requests: Requests) -> None:
    """Decide what runs from SEGMENT_AT on, and until when nothing about it changes."""
    at = f[SEGMENT_AT]
    attention = prefill(f, n, ring, requests)
    decodes = n[N_DECODE]
    step_s = f[BASE] + f[PER_DECODE] * decodes + f[PER_CONTEXT] * f[CONTEXT]
    if n[PREFILL_TOKENS] > 0:
        f[STEP_S] = step_s + f[PER_PREFILL] * n[PREFILL_TOKENS] + f[PER_ATTENTION] * attention
        if decodes == 0:
            f[STEP_S] = max(f[STEP_S], f[LEAST_PREFILL])
        f[GROWTH_S] = 0.0
        n[SEGMENT_STEPS] = 1
        f[EVENT_AT] = at + f[STEP_S]
    elif decodes > 0:
        f[STEP_S] = step_s
        f[GROWTH_S] = f[PER_CONTEXT] * decodes
        n[SEGMENT_STEPS] = (heap[0] >> SLOT_BITS) - n[N_STEPS]
        if n[ADMITTED] < n[TAIL]:
            stop_for(f, n, requests, ring[n[ADMITTED] & RING_MASK])
        f[EVENT_AT] = boundary_s(at, f[STEP_S], f[GROWTH_S], n[SEGMENT_STEPS])
    else:
        n[SEGMENT_STEPS] = 0
        f[STEP_S] = 0.0
        f[GROWTH_S] = 0.0
        waits = n[ADMITTED] < n[TAIL]
        f[EVENT_AT] = (
            max(at, requests[ring[n[ADMITTED] & RING_MASK] * N_RECORD + QUEUED_AT])
            if waits
            else math.inf
        )


@kernel
def stop_for(f: FloatRow, n: IntRow, requests: Requests, slot: int) -> None:
    """Shorten a decode segment so that it ends where a waiting request can enter."""
    if requests[slot * N_RECORD + QUEUED_AT] <= f[PREVIOUS_AT]:
        return  # seen and not admitted: only a sequence that ends makes room
    n[SEGMENT_STEPS] = min(
        n[SEGMENT_STEPS], steps_until(f, requests[slot * N_RECORD + QUEUED_AT]) + 1
    )


@kernel
def advance(
    f: FloatRow,
    n: IntRow,
    heap: IntRow,
    ring: IntRow,
    log: FloatRow,
    requests: Requests,
    until_s: float,
) -> None:
    """Everything that happens in one instance up to and including a time."""
    while f[EVENT_AT] <= until_s and f[EVENT_AT] < math.inf:
        finish_segment(f, n, heap, ring, requests)
        compose(f, n, heap, ring, requests)
        if n[LOG_SIZE] > 0:
            log_segment(f, n, log, 0)


@kernel
def backlog_after_s(f: FloatRow, n: IntRow, done: int, at: float) -> float:
    """The API server's backlog at a time within the step that follows `done` steps of the segment."""
    if done <= n[API_STEPS]:
        return drained_s(f[BACKLOG_S], 0.0, at - f[API_AT])
    # The tokens of the last step came when it ended: time before that cannot have taken them away.
    step_at = boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], done)
    rate_s = n[N_DECODE] * f[API_PER_TOKEN]
    met_s = drained_s(f[BACKLOG_S], (done - 1 - n[API_STEPS]) * rate_s, step_at - f[API_AT])
    return drained_s(met_s, rate_s, at - step_at)


@kernel
def submit(
    f: FloatRow,
    n: IntRow,
    ring: IntRow,
    log: FloatRow,
    requests: Requests,
    slot: int,
    at: float,
) -> None:
    """Hand a request to the API server at a time that the instance has been advanced to.

    The slot's isl, osl, computed (its prefix hit) and work_s are set by the caller.
    """
    done = 0
    if n[SEGMENT_STEPS] > 0:
        done = steps_until(f, at)
        if boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], done) > at:
            done -= 1
        done = min(max(done, n[API_STEPS]), n[SEGMENT_STEPS] - 1)
    backlog_s = backlog_after_s(f, n, done, at)
    queued_at = max(
        at + backlog_s + f[LATENCY] + f[LATENCY_PER_TOKEN] * requests[slot * N_RECORD + ISL],
        f[LAST_QUEUED_AT],
    )
    f[BACKLOG_S] = backlog_s + f[API_PER_REQUEST]
    f[API_AT] = at
    n[API_STEPS] = done
    f[LAST_QUEUED_AT] = queued_at
    f[WORK_S] += requests[slot * N_RECORD + REQUEST_WORK_S]
    requests[slot * N_RECORD + QUEUED_AT] = queued_at
    was_empty = n[ADMITTED] == n[TAIL]
    ring[n[TAIL] & RING_MASK] = slot
    n[TAIL] += 1
    if f[EVENT_AT] == math.inf:
        f[SEGMENT_AT] = queued_at
        f[EVENT_AT] = queued_at
    elif was_empty and n[SEGMENT_STEPS] > 0 and n[PREFILL_TOKENS] == 0:
        stop_for(f, n, requests, slot)
        f[EVENT_AT] = boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], n[SEGMENT_STEPS])
    if n[LOG_SIZE] > 0:
        log_segment(f, n, log, done)


@kernel
def abort(
    f: FloatRow, n: IntRow, heap: IntRow, ring: IntRow, requests: Requests, slot: int, at: float
) -> None:
    """End a request whose client has left: a waiting one at once, a decoding one with the step scheduled already.

    One that is being prefilled ends with its first token: its prompt is computed to the end.
    """
    for position in range(n[ADMITTED], n[TAIL]):
        if ring[position & RING_MASK] == slot:
            for later in range(position, n[TAIL] - 1):
                ring[later & RING_MASK] = ring[(later + 1) & RING_MASK]
            n[TAIL] -= 1
            f[WORK_S] -= requests[slot * N_RECORD + REQUEST_WORK_S]
            requests[slot * N_RECORD + LAST_AT] = at
            if position == n[ADMITTED] and n[SEGMENT_STEPS] > 0:
                # It may have been what did not fit: whoever stands behind it is looked at soon.
                n[SEGMENT_STEPS] = min(n[SEGMENT_STEPS], steps_until(f, at) + 1)
                f[EVENT_AT] = boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], n[SEGMENT_STEPS])
            return
    osl = 1
    if requests[slot * N_RECORD + FIRST_AT] < math.inf:
        done = min(steps_until(f, at), n[SEGMENT_STEPS] - 1)
        end = n[N_STEPS] + done + 1
        osl = end - int(requests[slot * N_RECORD + JOINED]) + 1
        if osl >= requests[slot * N_RECORD + OSL]:
            return  # ends there anyway
        drop(heap, n, slot)
        push(heap, n, (end << SLOT_BITS) | slot)
        n[SEGMENT_STEPS] = done + 1
        f[EVENT_AT] = boundary_s(f[SEGMENT_AT], f[STEP_S], f[GROWTH_S], done + 1)
    n[KV_RESERVED] -= int(requests[slot * N_RECORD + OSL]) - osl
    requests[slot * N_RECORD + OSL] = osl
