"""docs/settings.md names every setting, flag and annotation with the default that the code has."""

import argparse
import dataclasses
import importlib
import re
from collections.abc import Iterator, Mapping

import pytest

from adapter import __main__ as adapter_command
from llmd_autoscaler.cli import command_line
from llmd_autoscaler.controller.election import LeaseTiming
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.settings import Settings
from tests.docs.markdown import DOCS, ROOT, named, rows, section

PACKAGE = ROOT / "llmd_autoscaler"
SETTINGS = (DOCS / "settings.md").read_text()
OUR_API = "autoscaling.llmd.ai/"


def defaults(tree: object, path: str) -> Iterator[tuple[str, float]]:
    """Each number of a tree of settings by its name."""
    assert dataclasses.is_dataclass(tree)
    for field in dataclasses.fields(tree):
        value, name = getattr(tree, field.name), f"{path}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from defaults(value, f"{name}.")
        else:
            yield name, value


def test_every_setting_stands_in_settings_with_its_default() -> None:
    headings = ("## The tick", "## The decision", "## The lease")
    text = "".join(section(SETTINGS, heading) for heading in headings)
    said = {name: float(cells[0]) for name, cells in named(text).items()}
    trees = ((Settings(), ""), (Policy(), "policy."), (LeaseTiming(), "lease."))
    assert said == {name: value for tree in trees for name, value in defaults(*tree)}


@pytest.mark.parametrize(
    ("name", "value"),
    [(c[0].strip(" `"), c[1]) for c in rows(section(SETTINGS, "## Constants that you may meet"))],
)
def test_a_constant_of_settings_has_the_value_that_stands_there(name: str, value: str) -> None:
    module, _, constant = name.rpartition(".")
    assert getattr(importlib.import_module(module), constant) == float(value)


def flags(parser: argparse.ArgumentParser) -> Mapping[str, object]:
    """Defaults of the long flags of a parser, --help aside."""
    return {
        option: action.default
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Every command that takes flags, by its name."""
    _, commands = command_line._parsers()
    ours: dict[str, argparse.ArgumentParser] = {
        f"llmd-autoscaler {name}": parser for name, parser in commands.choices.items()
    }
    ours["llmd-adapter"] = adapter_command._parser()
    return {name: parser for name, parser in ours.items() if flags(parser)}


@pytest.mark.parametrize("name", parsers())
def test_every_flag_stands_in_settings_with_its_default(name: str) -> None:
    taken, said = flags(parsers()[name]), named(section(SETTINGS, f"### {name}"))
    assert sorted(said) == sorted(taken)
    numbers = {flag: value for flag, value in taken.items() if isinstance(value, int | float)}
    assert {
        flag: float(said[flag][0]) for flag, value in numbers.items() if not isinstance(value, bool)
    } == {flag: value for flag, value in numbers.items() if not isinstance(value, bool)}


def test_every_annotation_stands_in_settings() -> None:
    pattern = re.compile(rf"(?:{OUR_API}|simulator\.llmd\.ai/)[a-z0-9-]+")
    read = {
        *pattern.findall("".join(p.read_text() for p in (PACKAGE / "simulator").rglob("*.py"))),
        *pattern.findall((PACKAGE / "local" / "config.py").read_text()),
        *(f"{OUR_API}{name}" for name in ("min-replicas", "max-replicas", "override-until")),
        f"{OUR_API}schedule",
    }
    said = named(section(SETTINGS, "## Annotations"))
    assert {name for name in read if "/v1alpha1" not in name} == set(said)
