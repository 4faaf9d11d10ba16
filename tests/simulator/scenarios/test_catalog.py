"""The scenarios that come with the package."""

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.simulator.scenarios import catalog

THOSE_OF_THE_LIST = {
    "agentic", "chat", "code-completion", "flash-to-zero", "mix-shift", "overload-spiral", "rag", "reasoning", "spike",
}  # fmt: skip


def test_every_kind_of_traffic_that_hurts_is_there() -> None:
    assert set(catalog.names()) == THOSE_OF_THE_LIST


@pytest.mark.parametrize("name", sorted(THOSE_OF_THE_LIST))
def test_a_scenario_is_named_as_its_file_and_runs_20_to_40_minutes(name: str) -> None:
    scenario = catalog.load(name)
    assert scenario.name == name
    assert 1200 <= scenario.duration_s <= 2400
    assert len(scenario.seeds) == 3


@pytest.mark.parametrize("name", sorted(THOSE_OF_THE_LIST))
def test_the_resources_of_a_scenario_can_be_run(name: str) -> None:
    folder = catalog.config_of(catalog.load(name))
    blueprint = load_config() if folder is None else load_config(folder)  # type: ignore[arg-type]
    assert [each.qos.name for each in blueprint.classes] == ["interactive", "relaxed"]


def test_an_unknown_name_is_told_the_closest_and_all_others() -> None:
    with pytest.raises(
        ConfigError, match="scenario 'spikes': no such scenario; did you mean spike"
    ):
        catalog.load("spikes")


def test_the_listing_has_a_line_for_each() -> None:
    assert len(catalog.listing().splitlines()) == len(THOSE_OF_THE_LIST)


GOOD = """name: x
about: x
hurts: x
seeds: [1]
kinds:
  a: {isl: {median: 1, p90: 2, most: 3}, osl: {median: 1, p90: 2, most: 3}}
program:
- {for_s: 60, qps: {a: 1}}
"""


def test_a_single_rate_stands_for_both_ends() -> None:
    assert catalog.read(GOOD, "x").program[0].qps == {"a": (1.0, 1.0)}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("p90: 2", "p90: 0.5", r"x:6: kinds\.a\.isl: .*write median <= p90 <= most"),
        ("for_s: 60", "for_s: 0", r"x:8: program\.0\.for_s"),
        ("qps: {a: 1}", "qps: {a: -1}", r"x:8: program\.0\.qps\.a\.0"),
        ("qps: {a: 1}", "qps: {b: 1}", "name different kinds: a, b; name each in both"),
        ("hurts: x", "pains: x", "x:1: hurts: Field required"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(right: str, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        catalog.read(GOOD.replace(right, wrong), "x")
