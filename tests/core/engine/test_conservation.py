"""The engine that jumps against the one that walks, on random traffic."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmd_autoscaler.core.capacity import free_routing
from llmd_autoscaler.core.engine import fleet as fleets
from llmd_autoscaler.core.engine.compiled import as_float_row, as_int_row
from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.core.engine.state import (
    ADMITTED,
    CONTEXT,
    EVENT_AT,
    FIRST_AT,
    HEAD,
    HEAP_SIZE,
    KV_RESERVED,
    LAST_AT,
    N_DECODE,
    N_RUNNING,
    TAIL,
    WORK_S,
    Fleet,
    column,
    new_fleet,
    new_requests,
)
from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from tests.core.engine.reference import Asked, StepByStep

# Arrivals stand on a grid that no sum of step times meets: at a tie of two floats both engines would be right.
GRID_S = math.pi / 700.0

PROFILES = st.builds(
    EngineProfile,
    step=st.builds(
        StepModel,
        base_s=st.floats(0.004, 0.05),
        per_decode_s=st.sampled_from([0.0, 5.3e-5, 4e-4]),
        per_prefill_token_s=st.sampled_from([2.1e-5, 1.7e-4]),
        per_context_token_s=st.sampled_from([0.0, 3.7e-8, 9.1e-7]),
        per_attention_token_sq_s=st.sampled_from([0.0, 2.9e-9]),
        least_prefill_s=st.sampled_from([0.0, 0.04]),
    ),
    front_end=st.builds(
        FrontEnd,
        per_request_s=st.sampled_from([0.0, 0.0061]),
        per_prompt_token_s=st.sampled_from([0.0, 1.3e-6]),
        api_server_per_request_s=st.sampled_from([0.0, 0.0033, 0.02]),
        api_server_per_token_s=st.sampled_from([0.0, 8.5e-5, 0.011]),
    ),
    kv_tokens=st.sampled_from([1300, 2600, 100_000]),
    max_num_batched_tokens=st.sampled_from([64, 300, 8192]),
    max_num_seqs=st.sampled_from([1, 3, 256]),
    n_api_servers=st.sampled_from([1, 4]),
)
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 3, 10, 40, 400]),  # steps of the grid since the one before
        st.integers(1, 900),
        st.sampled_from([1, 2, 3, 17, 120, 400]),
        st.sampled_from([0, 0, 50, 2000]),  # tokens in the prefix cache
    ),
    min_size=1,
    max_size=25,
)
Rows = list[tuple[int, int, int, int]]


def arriving(rows: Rows) -> list[Asked]:
    at = itertools.accumulate(gap for gap, *_ in rows)
    return [
        Asked(n * GRID_S, isl, osl, hit) for n, (_, isl, osl, hit) in zip(at, rows, strict=True)
    ]


def feed(engine: Engine, asked: list[Asked]) -> list[int]:
    numbers = []
    for each in asked:
        engine.advance(each.arrival_s)
        numbers.append(
            engine.submit(
                arrival_s=each.arrival_s,
                isl=each.isl,
                osl=each.osl,
                hit_tokens=each.hit_tokens,
            )
        )
    return numbers


@given(PROFILES, REQUESTS)
def test_every_token_comes_when_a_loop_over_single_steps_says(
    profile: EngineProfile, rows: Rows
) -> None:
    asked = arriving(rows)
    engine = Engine(profile, now_s=0.0)
    numbers = feed(engine, asked)
    engine.advance(math.inf)
    expected = StepByStep(profile).stamps_s(asked)
    for number, stamps_s in zip(numbers, expected, strict=True):
        assert engine.stamps(number, 0, until_s=math.inf) == pytest.approx(stamps_s, abs=1e-9)


@given(PROFILES, REQUESTS)
def test_stamps_begin_with_the_first_time_and_end_with_the_last_to_the_bit_and_never_go_back(
    profile: EngineProfile, rows: Rows
) -> None:
    engine = Engine(profile, now_s=0.0)
    numbers = feed(engine, arriving(rows))
    engine.advance(math.inf)
    for number in numbers:
        stamps_s = engine.stamps(number, 0, until_s=math.inf)
        timings = engine.timings(number)
        assert (stamps_s[0], stamps_s[-1]) == (timings.first_token_s, timings.last_token_s)
        assert stamps_s == sorted(stamps_s)


@given(PROFILES, REQUESTS, st.lists(st.floats(0.0, 30.0), max_size=40))
def test_advancing_in_many_steps_changes_not_one_bit(
    profile: EngineProfile, rows: Rows, pauses_s: list[float]
) -> None:
    asked = arriving(rows)
    at_once, in_steps = Engine(profile, now_s=0.0), Engine(profile, now_s=0.0)
    numbers = feed(at_once, asked)
    at_once.advance(math.inf)
    pauses = sorted(pauses_s)
    for each in asked:
        while pauses and pauses[0] <= each.arrival_s:
            in_steps.advance(pauses.pop(0))
        feed(in_steps, [each])
    for pause_s in pauses:
        in_steps.advance(pause_s)
    in_steps.advance(math.inf)
    assert [in_steps.timings(n) for n in numbers] == [at_once.timings(n) for n in numbers]
    assert in_steps.snapshot() == at_once.snapshot()


def served(
    profile: EngineProfile, asked: list[Asked], n_instances: int
) -> tuple[Fleet, list[float], int]:
    """A fleet after it served everything: its state, the last times, the refused."""
    n = len(asked)
    fleet, requests = new_fleet([profile] * n_instances, now_s=0.0), new_requests(n)
    traffic = fleets.Traffic(
        at=as_float_row([a.arrival_s for a in asked]),
        class_of=as_int_row([0] * n),
        bin_of=as_int_row([0] * n),
        isl=as_int_row([a.isl for a in asked]),
        osl=as_int_row([a.osl for a in asked]),
        expected_osl=as_float_row([a.osl * 0.9 for a in asked]),
    )
    routing = free_routing(1, [0] * n_instances)
    n_refused = fleets.serve(fleet, requests, traffic, routing, 0, n)
    fleets.advance_all(fleet, requests, math.inf)
    assert (column(requests, FIRST_AT) <= column(requests, LAST_AT)).all()
    return fleet, column(requests, LAST_AT).tolist(), n_refused


@given(PROFILES, REQUESTS, st.integers(1, 3))
def test_every_request_ends_and_leaves_nothing_behind(
    profile: EngineProfile, rows: Rows, n_instances: int
) -> None:
    fleet, last_s, n_refused = served(profile, arriving(rows), n_instances)
    # 900 + 400 tokens are the most that a request has, and the least KV memory is 1300
    assert n_refused == 0
    assert all(at_s < math.inf for at_s in last_s)
    for f, n in zip(fleet.floats, fleet.ints, strict=True):
        assert (n[HEAP_SIZE], n[KV_RESERVED], n[N_RUNNING], n[N_DECODE]) == (0, 0, 0, 0)
        assert n[HEAD] == n[ADMITTED] == n[TAIL]
        assert (f[WORK_S], f[CONTEXT], f[EVENT_AT]) == (0.0, 0.0, math.inf)


@settings(max_examples=50)
@given(PROFILES, REQUESTS)
def test_steps_and_their_tokens_are_all_counted(profile: EngineProfile, rows: Rows) -> None:
    asked = arriving(rows)
    engine = Engine(profile, now_s=0.0)
    feed(engine, asked)
    engine.advance(math.inf)
    # each prompt token that the prefix cache lacks, and each token of an answer but the first, once
    prompt = sum(a.isl - min(a.hit_tokens, a.isl - 1) for a in asked)
    assert engine.snapshot().n_step_tokens == prompt + sum(a.osl - 1 for a in asked)
