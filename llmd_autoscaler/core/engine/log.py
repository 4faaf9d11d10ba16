"""The log of an instance's segments, from which any recent step's tokens get their time of delivery."""

import math

from llmd_autoscaler.core.engine.compiled import FloatRow, IntRow, kernel
from llmd_autoscaler.core.engine.series import boundary_s, drained_s
from llmd_autoscaler.core.engine.state import (
    API_AT,
    API_PER_TOKEN,
    API_STEPS,
    BACKLOG_S,
    GROWTH_S,
    LOG_API_AT,
    LOG_API_STEPS,
    LOG_AT,
    LOG_BACKLOG_S,
    LOG_FROM,
    LOG_GROWTH_S,
    LOG_RATE_S,
    LOG_SIZE,
    LOG_STEP,
    LOG_STEP_S,
    N_DECODE,
    N_LOG,
    N_LOGGED,
    N_STEPS,
    SEGMENT_AT,
    STEP_S,
)


@kernel
def log_segment(f: FloatRow, n: IntRow, log: FloatRow, from_steps: int) -> None:
    """Note how the present segment runs from one of its steps on, for those who stream its tokens."""
    entry = (n[N_LOGGED] & (n[LOG_SIZE] - 1)) * N_LOG
    log[entry + LOG_STEP] = n[N_STEPS]
    log[entry + LOG_AT] = f[SEGMENT_AT]
    log[entry + LOG_STEP_S] = f[STEP_S]
    log[entry + LOG_GROWTH_S] = f[GROWTH_S]
    log[entry + LOG_FROM] = n[N_STEPS] + from_steps
    log[entry + LOG_BACKLOG_S] = f[BACKLOG_S]
    log[entry + LOG_API_AT] = f[API_AT]
    log[entry + LOG_API_STEPS] = n[API_STEPS]
    log[entry + LOG_RATE_S] = n[N_DECODE] * f[API_PER_TOKEN]
    n[N_LOGGED] += 1


@kernel
def stamps(n: IntRow, log: FloatRow, steps: tuple[int, int], until_s: float, out: FloatRow) -> int:
    """Write when the tokens of steps first to last reach the client; returns how many are out by a time.

    A step older than the log is never stamped: whoever reads comes by often, or not at all.
    """
    first, last = steps
    position = n[N_LOGGED] - 1
    oldest = max(n[N_LOGGED] - n[LOG_SIZE], 0)
    while position > oldest and log[(position & (n[LOG_SIZE] - 1)) * N_LOG + LOG_FROM] >= first:
        position -= 1
    count = 0
    for step in range(first, min(last, first + len(out) - 1) + 1):
        while (
            position + 1 < n[N_LOGGED]
            and log[((position + 1) & (n[LOG_SIZE] - 1)) * N_LOG + LOG_FROM] < step
        ):
            position += 1
        at = delivered_at(log, (position & (n[LOG_SIZE] - 1)) * N_LOG, step)
        if at > until_s:
            break
        out[count] = at
        count += 1
    return count


@kernel
def delivered_at(log: FloatRow, entry: int, step: int) -> float:
    """When the tokens of a step reach the client, by the log entry that holds the step; inf before it began."""
    if log[entry + LOG_FROM] >= step:
        return math.inf
    done = step - int(log[entry + LOG_STEP])
    at = boundary_s(log[entry + LOG_AT], log[entry + LOG_STEP_S], log[entry + LOG_GROWTH_S], done)
    earlier_s = (done - 1 - int(log[entry + LOG_API_STEPS])) * log[entry + LOG_RATE_S]
    return at + drained_s(log[entry + LOG_BACKLOG_S], earlier_s, at - log[entry + LOG_API_AT])
