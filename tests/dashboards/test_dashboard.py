"""The dashboard is what its source makes, and shows nothing that nobody exports."""

import json

from dashboards import build
from tests.dashboards.exported import exported, used
from tests.dashboards.prometheus import DASHBOARDS, expressions, panels


def test_the_file_is_what_the_program_writes():
    assert build.OUT.read_text() == build.text(), "python -m dashboards.build"


def test_every_expression_is_made_of_what_we_export():
    known = exported()
    assert {each: used(each) - known for each in expressions() if used(each) - known} == {}


def test_every_expression_asks_for_a_metric_of_ours():
    assert [each for each in expressions() if not used(each)] == []


def test_panels_have_numbers_of_their_own_and_queries_letters():
    numbers = [panel["id"] for panel in panels(rows=True)]
    assert len(set(numbers)) == len(numbers)
    for panel in panels():
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)
        assert all(letters)


def test_every_panel_says_what_it_shows():
    assert [panel["title"] for panel in panels() if not panel["description"].endswith(".")] == []


def test_the_data_source_is_the_viewers_choice():
    document = json.loads((DASHBOARDS / "llmd-autoscaler.json").read_text())
    assert {panel["datasource"]["uid"] for panel in panels()} == {"$datasource"}
    kinds = [variable["type"] for variable in document["templating"]["list"]]
    assert kinds == ["datasource", "query"]
