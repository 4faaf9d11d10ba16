"""Where a request goes, given the decision and the fleet."""

import math
from collections import Counter
from contextlib import ExitStack

import pytest

from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.router.dispatch import Case, Dispatcher
from llmd_autoscaler.router.fleet import Fleet, Pod
from llmd_autoscaler.router.learnt import Learnt
from llmd_autoscaler.router.pick import Asked, LeastWork
from llmd_autoscaler.translate.routing import MixEntry, Place, Route, RouteSet, RoutingTable
from tests.router.conftest import FAST, MIXED, MODEL, STEP, request_class, table

SLOW = StepModel(0.026, 1e-3, 1e-3, 1e-6, 0.0)
PREFILL = Place("a100", "prefill")
SHORT = RouteSet(4096, (Route(MIXED, 1.0),))
LONG = RouteSet(math.inf, (Route(FAST, 1.0),))


def dispatcher(
    *places: Place, routes: tuple[RouteSet, ...] = (), valid_until_s: float = math.inf
) -> Dispatcher:
    fleet = Fleet()
    routing = table(routes={"interactive": routes} if routes else None)
    mix = {
        MIXED: MixEntry(MIXED, 8000, SLOW),
        FAST: MixEntry(FAST, 8000, STEP),
        PREFILL: MixEntry(PREFILL, 8000, STEP),
    }
    routing = RoutingTable(
        routing.model, routing.names, routing.classes, mix, routing.route_sets, valid_until_s
    )
    pods = [Pod(f"pod-{i}", f"127.0.0.{i + 1}", place) for i, place in enumerate(places)]
    fleet.replace({MODEL: routing}, pods)
    return Dispatcher(fleet, LeastWork(), Learnt())


def case(of: Dispatcher, *, isl: int = 1000, max_tokens: int | None = None) -> Case:
    routing = of.fleet.tables[MODEL]
    return Case(
        routing, request_class("interactive"), Asked(MODEL, "interactive", isl, max_tokens), 0.0
    )


def place_of(of: Dispatcher, isl: int = 1000, now_s: float = 0.0) -> Place:
    choice = of.next_instance(case(of, isl=isl), now_s)
    assert choice is not None
    return choice[0].place


def test_the_first_set_that_covers_the_prompt_decides() -> None:
    of = dispatcher(MIXED, FAST, routes=(SHORT, LONG))
    assert [place_of(of, isl) for isl in (4096, 4097)] == [MIXED, FAST]


def test_a_class_without_routes_goes_where_the_work_is_least() -> None:
    assert place_of(dispatcher(MIXED, FAST)) == FAST  # the same request costs less there


def test_an_expired_decision_does_not_bind() -> None:
    of = dispatcher(MIXED, FAST, routes=(SHORT, LONG), valid_until_s=100.0)
    assert [place_of(of, now_s=now_s) for now_s in (100.0, 100.1)] == [MIXED, FAST]


def test_a_route_to_a_target_without_instances_gives_way_to_least_work() -> None:
    assert place_of(dispatcher(FAST, routes=(SHORT,))) == FAST


def test_a_prefill_instance_never_gets_a_whole_request() -> None:
    of = dispatcher(PREFILL)
    assert of.next_instance(case(of), 0.0) is None


def test_equal_instances_share_concurrent_requests_evenly() -> None:
    of = dispatcher(MIXED, MIXED, MIXED)
    seen = Counter[str]()
    with ExitStack() as in_flight:
        for _ in range(9):
            choice = of.next_instance(case(of), 0.0)
            assert choice is not None
            instance, work = choice
            in_flight.enter_context(instance.carrying(work))
            seen[instance.name] += 1
    assert seen == {"pod-0": 3, "pod-1": 3, "pod-2": 3}


def test_a_declared_limit_below_the_mean_answer_makes_a_request_cheaper() -> None:
    of = dispatcher(FAST)
    works = [of.next_instance(case(of, max_tokens=n), 0.0) for n in (20, None)]
    assert works[0] is not None
    assert works[1] is not None
    # decode of n tokens: n * (5e-5 + 8e-8 * (1000 + n/2)); unlearnt the mean answer is 200
    assert works[0][1].decode_s == pytest.approx(20 * (5e-5 + 8e-8 * 1010))
    assert works[1][1].decode_s == pytest.approx(200 * (5e-5 + 8e-8 * 1100))


def test_an_instance_that_was_tried_is_not_offered_again() -> None:
    of = dispatcher(MIXED)
    tried = case(of)
    tried.tried = list(of.fleet.instances())
    assert of.next_instance(tried, 0.0) is None


def test_an_instance_that_stays_keeps_its_account_over_a_change_of_the_fleet() -> None:
    of = dispatcher(MIXED, MIXED)
    first = of.fleet.of_model(MODEL)[0]
    first.n_in_flight = 5
    routing = of.fleet.tables[MODEL]
    of.fleet.replace({MODEL: routing}, [Pod("pod-0", "127.0.0.1", FAST)])
    assert of.fleet.of_model(MODEL) == [first]
    assert (first.n_in_flight, first.place) == (5, FAST)


def test_a_pod_of_the_same_address_with_another_name_starts_a_new_account() -> None:
    of = dispatcher(MIXED)
    of.fleet.of_model(MODEL)[0].n_in_flight = 5
    of.fleet.replace({MODEL: of.fleet.tables[MODEL]}, [Pod("pod-9", "127.0.0.1", MIXED)])
    assert of.fleet.of_model(MODEL)[0].n_in_flight == 0


def test_a_pod_relabelled_ahead_of_the_status_is_served_by_its_targets_entry() -> None:
    of = dispatcher(Place("a100", "decode"))
    assert place_of(of) == Place("a100", "decode")


def test_a_pod_of_a_foreign_target_is_no_instance() -> None:
    of = dispatcher(Place("somebody-elses", "mixed"))
    assert of.next_instance(case(of), 0.0) is None


def test_an_ipv6_address_is_put_in_brackets() -> None:
    of = dispatcher()
    of.fleet.replace({MODEL: of.fleet.tables[MODEL]}, [Pod("p", "fd00::1", MIXED)])
    assert of.fleet.of_model(MODEL)[0].address == "http://[fd00::1]:8000"
