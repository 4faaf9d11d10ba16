"""Reads the documents for the tests: blocks, headings, tables."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)


class Block(NamedTuple):
    """A block of code, and where it stands."""

    path: Path
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(ROOT)}: {self.text[:40]!r}"


def blocks(*languages: str) -> list[Block]:
    fence = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [
        Block(path, language, text)
        for path in documents()
        for language, text in fence.findall(path.read_text())
        if language in languages
    ]


def section(text: str, heading: str) -> str:
    """What stands between a heading and the next of its level or above."""
    level = heading.split(" ", 1)[0]
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert found is not None, heading
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The lines of its tables that begin with a name in backticks, cell by cell."""
    lines = re.findall(r"^\| `.*\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(text: str) -> dict[str, list[str]]:
    """The other cells of each row by the row's name."""
    return {cells[0].strip(" `"): cells[1:] for cells in rows(text)}
