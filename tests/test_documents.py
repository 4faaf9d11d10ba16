"""The documents are of one piece with the tree: the map, the links, the files that they name."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, ROOT, documents, headings, slug, without_code

PACKAGE = ROOT / "llmd_autoscaler"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


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


@pytest.mark.parametrize("decision", sorted((DOCS / "decisions").glob("*.md")))
def test_a_decision_fits_on_a_page(decision: Path) -> None:
    assert len(decision.read_text().splitlines()) <= 50


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code(path.read_text()))
    broken = []
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        aim = (path.parent / file).resolve() if file else path
        is_there = aim.exists() and (
            not anchor or anchor in {slug(h) for h in headings(aim.read_text())}
        )
        broken += [] if is_there else [link]
    assert broken == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    tops = "|".join(sorted(p.name for p in ROOT.iterdir() if p.is_dir() and p.name[0] not in "._"))
    found = re.findall(rf"(?<![\w/.])((?:{tops})/[\w./-]*\w)", without_code(path.read_text()))
    assert [each for each in found if not list(ROOT.glob(f"{each}*"))] == []
