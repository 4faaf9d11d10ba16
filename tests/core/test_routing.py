"""Routes as the compiled fleet takes them."""

from llmd_autoscaler.core.routing import routing_table
from llmd_autoscaler.core.shapes import N_BINS, bin_of
from llmd_autoscaler.core.world import Route
from tests.core.worlds import INTERACTIVE, RELAXED

BOTH = (INTERACTIVE, RELAXED)


def test_the_first_rule_whose_limit_is_not_below_the_prompt_wins() -> None:
    routes = [
        Route("interactive", 1024, {"a": 1.0}),
        Route("interactive", None, {"a": 0.3, "b": 0.7}),
    ]
    routing = routing_table(BOTH, ["a", "b"], routes, [0, 0, 1])
    rules = [routing.rule_of[b] for b in range(N_BINS)]
    assert rules == [0] * (bin_of(1024) + 1) + [1] * (N_BINS - bin_of(1024) - 1)
    assert list(routing.fraction[1]) == [0.3, 0.7]
    assert list(routing.n_routable) == [2, 1]


def test_a_class_without_routes_goes_by_least_expected_work() -> None:
    routing = routing_table(BOTH, ["a"], [Route("interactive", None, {"a": 1.0})], [0])
    assert {routing.rule_of[N_BINS + b] for b in range(N_BINS)} == {-1}
