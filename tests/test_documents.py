"""The documents say what is there: paths, folders, examples and commands."""

import importlib.util
import re
from pathlib import Path

import pytest

from llmd_autoscaler.translate.yaml_file import parse_resources

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "llmd_autoscaler"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
README = (ROOT / "README.md").read_text()


def paths() -> list[str]:
    """What stands in backticks and looks like a file or folder; those of the package go without its name."""
    quoted = re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py|/))`", ARCHITECTURE)
    return sorted(set(quoted))


@pytest.mark.parametrize("path", paths())
def test_a_path_of_the_map_exists(path: str) -> None:
    assert (ROOT / path).exists() or (PACKAGE / path).exists()


@pytest.mark.parametrize(
    "folder",
    sorted(p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()),
)
def test_a_folder_of_the_package_stands_on_the_map(folder: str) -> None:
    assert f"llmd_autoscaler/{folder}/" in ARCHITECTURE


def test_the_layers_of_the_map_are_those_that_are_checked() -> None:
    checked = (ROOT / "pyproject.toml").read_text()
    siblings = re.findall(r'"(engines : [^"]*)"', checked)
    assert len(siblings) == 1
    assert siblings[0] in ARCHITECTURE


def test_the_map_is_short_enough_to_be_read() -> None:
    assert len(ARCHITECTURE.splitlines()) <= 200


def test_the_example_of_the_readme_is_read_as_it_stands() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    kinds = [resource.kind for resource in parse_resources(example, "README.md")]
    assert kinds == ["ServiceLevel", "VariantAutoscaling"]


def test_every_benchmark_of_the_readme_exists() -> None:
    named = re.findall(r"`python -m (benchmarks\.\w+)`", README)
    assert len(named) >= 4
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("decision", sorted((ROOT / "docs" / "decisions").glob("*.md")))
def test_a_decision_fits_on_a_page(decision: Path) -> None:
    assert len(decision.read_text().splitlines()) <= 50
