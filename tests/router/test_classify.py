"""Which class a request belongs to."""

import pytest
from multidict import CIMultiDict

from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.router.classify import class_of
from llmd_autoscaler.translate.routing import Match, RequestClass


def of(name: str, match: Match) -> RequestClass:
    return RequestClass(QosClass(name, 0, 0.99, Bounds()), match)


DEFAULT = of("relaxed", Match(is_default=True))
INTERACTIVE = of("interactive", Match(header="x-llm-class", value="interactive"))
BATCH = of("batch", Match(objective="overnight"))


def name_of(headers: dict[str, str], *classes: RequestClass) -> str:
    return class_of(classes, CIMultiDict(headers)).qos.name


def test_a_header_matches_whatever_the_case_of_its_name() -> None:
    assert name_of({"X-LLM-Class": "interactive"}, INTERACTIVE, DEFAULT) == "interactive"


def test_a_headers_value_must_be_the_same_to_the_letter() -> None:
    assert name_of({"x-llm-class": "Interactive"}, INTERACTIVE, DEFAULT) == "relaxed"


@pytest.mark.parametrize("header", ["x-gateway-inference-objective", "X-LLM-D-Inference-Objective"])
def test_an_objective_matches_by_either_header(header: str) -> None:
    assert name_of({header: "overnight"}, BATCH, DEFAULT) == "batch"


def test_the_first_class_that_matches_wins() -> None:
    headers = {"x-llm-class": "interactive", "x-gateway-inference-objective": "overnight"}
    assert name_of(headers, BATCH, INTERACTIVE, DEFAULT) == "batch"
    assert name_of(headers, INTERACTIVE, BATCH, DEFAULT) == "interactive"


def test_the_default_takes_what_nobody_matches_even_when_it_stands_first() -> None:
    assert name_of({}, DEFAULT, INTERACTIVE) == "relaxed"
    assert name_of({"x-llm-class": "interactive"}, DEFAULT, INTERACTIVE) == "interactive"


def test_without_a_default_a_request_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="none is the default"):
        name_of({}, INTERACTIVE)
