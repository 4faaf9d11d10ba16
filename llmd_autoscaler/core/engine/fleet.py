"""A fleet under recorded traffic: who serves each arrival, and what the engines make of it.

The rule of the router, compiled: a request goes to the target that was given least for its fraction,
and there to the instance with the least expected work (`router.pick` is the same rule on live numbers;
a test holds them together).
"""

import math
from typing import NamedTuple

from llmd_autoscaler.core.engine.compiled import FloatRow, IntRow, kernel
from llmd_autoscaler.core.engine.kernel import advance, submit
from llmd_autoscaler.core.engine.state import (
    COMPUTED,
    EVENT_AT,
    FIRST_AT,
    HEAD,
    ISL,
    KV_TOKENS,
    LAST_AT,
    N_RECORD,
    OSL,
    PER_ATTENTION,
    PER_CONTEXT,
    PER_DECODE,
    PER_PREFILL,
    QUEUE_SIZE,
    REQUEST_WORK_S,
    SCHEDULED_AT,
    TAIL,
    WORK_S,
    Fleet,
    Requests,
)
from llmd_autoscaler.core.shapes import N_BINS


class Traffic(NamedTuple):
    """Columns over arrivals, in order of time; arrival r has request slot r."""

    at: FloatRow
    class_of: IntRow
    bin_of: IntRow  # of the ISL
    isl: IntRow
    osl: IntRow
    expected_osl: FloatRow  # what a router may know of the answer: the mean of the class


class Routing(NamedTuple):
    """Who may serve what."""

    rule_of: (
        IntRow  # (class * N_BINS + bin) -> row of `fraction`, or -1: least expected work over all
    )
    fraction: list[FloatRow]  # (rule, target)
    passes: list[FloatRow]  # (rule, target + 1) given so far ÷ fraction; last, the latest choice's
    target_of: IntRow  # (instance)
    is_routable: IntRow  # (instance) 0 or 1
    n_routable: IntRow  # (target)


@kernel
def expected_work_s(f: FloatRow, isl: int, osl: float, hit: int) -> float:
    """Engine seconds that a request costs beyond the base of each step (capacity.md section 2)."""
    computed = isl - hit
    return (
        f[PER_DECODE] * osl
        + f[PER_CONTEXT] * osl * (isl + 0.5 * osl)
        + f[PER_PREFILL] * computed
        + f[PER_ATTENTION] * computed * (hit + 0.5 * computed)
    )


@kernel
def pick_target(routing: Routing, rule: int) -> int:
    """The target that was given least for its fraction among those that can serve; -1: any may.

    Stride scheduling: one that could not serve for a while comes back level with the others, and is
    not owed what it missed.
    """
    best = -1
    least = math.inf
    fractions = routing.fraction[rule]
    passes = routing.passes[rule]
    level = len(routing.n_routable)
    for target in range(level):
        if fractions[target] > 0.0 and routing.n_routable[target] > 0:
            given = max(passes[target], passes[level])
            if given < least or (given == least and fractions[target] > fractions[best]):
                least = given
                best = target
    if best >= 0:
        passes[level] = least
        passes[best] = least + 1.0 / fractions[best]
    return best


@kernel
def serve(
    fleet: Fleet, requests: Requests, traffic: Traffic, routing: Routing, first: int, last: int
) -> int:
    """Let arrivals [first, last) come in; returns how many were refused, whose times stay infinite."""
    refused = 0
    n_instances = len(routing.target_of)
    for r in range(first, last):
        at = traffic.at[r]
        rule = routing.rule_of[traffic.class_of[r] * N_BINS + traffic.bin_of[r]]
        target = pick_target(routing, rule) if rule >= 0 else -1
        best = -1
        least = math.inf
        best_work = 0.0
        for i in range(n_instances):
            f = fleet.floats[i]
            if f[EVENT_AT] <= at:
                advance(
                    f, fleet.ints[i], fleet.heaps[i], fleet.rings[i], fleet.logs[i], requests, at
                )
            if routing.is_routable[i] == 1 and (target < 0 or routing.target_of[i] == target):
                work = expected_work_s(f, traffic.isl[r], traffic.expected_osl[r], 0)
                if f[WORK_S] + work < least:
                    least = f[WORK_S] + work
                    best = i
                    best_work = work
        if best < 0 or not takes(fleet.ints[best], traffic.isl[r] + traffic.osl[r]):
            refused += 1
            continue
        # A record may be used again: nothing of its last request may show through.
        requests[r * N_RECORD + SCHEDULED_AT] = math.inf
        requests[r * N_RECORD + FIRST_AT] = math.inf
        requests[r * N_RECORD + LAST_AT] = math.inf
        requests[r * N_RECORD + ISL] = traffic.isl[r]
        requests[r * N_RECORD + OSL] = traffic.osl[r]
        requests[r * N_RECORD + COMPUTED] = 0
        requests[r * N_RECORD + REQUEST_WORK_S] = best_work
        submit(
            fleet.floats[best],
            fleet.ints[best],
            fleet.rings[best],
            fleet.logs[best],
            requests,
            r,
            at,
        )
    return refused


@kernel
def takes(n: IntRow, tokens: int) -> bool:
    """Whether an instance can ever serve a request of so many tokens, and has room for it to wait."""
    return tokens <= n[KV_TOKENS] and n[TAIL] - n[HEAD] < QUEUE_SIZE


@kernel
def advance_all(fleet: Fleet, requests: Requests, until_s: float) -> None:
    """Bring every instance to a time."""
    for i in range(len(fleet.floats)):
        advance(
            fleet.floats[i],
            fleet.ints[i],
            fleet.heaps[i],
            fleet.rings[i],
            fleet.logs[i],
            requests,
            until_s,
        )
