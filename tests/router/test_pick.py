"""The pure choice: fractions between targets, least expected work within one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.router.pick import Asked, Candidate, LeastWork, Shares, cheapest, expected_work
from llmd_autoscaler.translate.routing import Place, Route

A, B, C = Place("a100", "mixed"), Place("h100", "mixed"), Place("l40s", "mixed")
ASKED = Asked("m", "interactive", 1000, None)
STEP = StepModel(
    base_s=0.026,
    per_decode_s=5e-5,
    per_prefill_token_s=1.6e-4,
    per_context_token_s=8e-8,
    per_attention_token_sq_s=2.9e-9,
)


def candidate(
    name: str, *, work_s: float = 0.0, n_own: int = 0, n_foreign: float = 0.0
) -> Candidate:
    return Candidate(name, A, n_own=n_own, work_s=work_s, n_foreign=n_foreign, request_work_s=1.0)


def test_expected_work_is_the_formula_of_capacity_md() -> None:
    work = expected_work(STEP, isl=1000, osl=200, hit_frac=0.25)
    # decode takes 0.01 s for 200 tokens and 0.0176 s for contexts of 1100 on average
    assert work.decode_s == pytest.approx(0.0276)
    # prefill takes 0.12 s for 750 tokens and 0.00145 s of attention
    assert work.prefill_s == pytest.approx(0.12145)


def test_the_least_loaded_instance_is_taken() -> None:
    candidates = [candidate("a", work_s=2.0, n_own=2), candidate("b", work_s=1.5, n_own=3)]
    assert cheapest(LeastWork(), ASKED, candidates).name == "b"


def test_requests_of_others_count_like_our_own_there() -> None:
    # a: 1 s of ours; b: none of ours but two of others, each taken for this request's 1 s
    candidates = [candidate("a", work_s=1.0, n_own=1), candidate("b", n_foreign=2.0)]
    assert cheapest(LeastWork(), ASKED, candidates).name == "a"


def test_equals_are_told_apart_by_name_and_not_by_order() -> None:
    assert cheapest(LeastWork(), ASKED, [candidate("b"), candidate("a")]).name == "a"


def test_a_scorer_that_does_not_score_every_candidate_is_refused() -> None:
    class Short:
        def costs(self, *_: object) -> list[float]:
            return [1.0]

    with pytest.raises(ValueError, match="longer"):
        cheapest(Short(), ASKED, [candidate("a"), candidate("b")])


@given(
    weights=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    n=st.integers(1, 300),
)
def test_each_target_is_within_one_request_of_its_fraction_at_every_moment(
    weights: list[int], n: int
) -> None:
    routes = tuple(
        Route(place, weight / sum(weights))
        for place, weight in zip((A, B, C), weights, strict=False)
    )
    shares, served = Shares(), Counter[Place | None]()
    for i in range(1, n + 1):
        served[shares.next_place("k", routes, {A, B, C})] += 1
        for route in routes:
            assert abs(served[route.place] - route.fraction * i) < 2


def test_seven_to_three_is_kept_exactly_over_ten_requests() -> None:
    routes = (Route(A, 0.7), Route(B, 0.3))
    shares = Shares()
    dealt = Counter(shares.next_place("k", routes, {A, B}) for _ in range(10))
    assert dealt == {A: 7, B: 3}


def test_a_target_that_comes_back_is_not_owed_what_it_missed() -> None:
    routes = (Route(A, 0.5), Route(B, 0.5))
    shares = Shares()
    for _ in range(100):
        assert shares.next_place("k", routes, {A}) == A
    back = Counter(shares.next_place("k", routes, {A, B}) for _ in range(10))
    assert back == {A: 5, B: 5}


def test_a_target_with_fraction_zero_gets_nothing() -> None:
    routes = (Route(A, 1.0), Route(B, 0.0))
    shares = Shares()
    assert {shares.next_place("k", routes, {A, B}) for _ in range(5)} == {A}
    assert shares.next_place("k", routes, {B}) is None


def test_new_fractions_start_from_nothing() -> None:
    shares = Shares()
    for _ in range(50):
        shares.next_place("k", (Route(A, 1.0),), {A, B})
    routes = (Route(A, 0.5), Route(B, 0.5))
    assert Counter(shares.next_place("k", routes, {A, B}) for _ in range(4)) == {A: 2, B: 2}


def test_sets_are_dealt_apart() -> None:
    routes = (Route(A, 0.5), Route(B, 0.5))
    shares = Shares()
    first = [shares.next_place(key, routes, {A, B}) for key in ("short", "long")]
    assert first == [A, A]


def test_sets_that_no_table_has_any_more_are_forgotten() -> None:
    shares = Shares()
    shares.next_place("old", (Route(A, 1.0),), {A})
    shares.next_place("new", (Route(A, 1.0),), {A})
    shares.keep_only({"new"})
    assert list(shares._sets) == ["new"]
