"""docs/e2e.md against the tests that it names: a check that is called done must be one that runs."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "e2e.md").read_text()
SOURCES = "".join(
    path.read_text()
    for folder in ("e2e", "kube")
    for path in (CHECKOUT / "tests" / folder).glob("*.py")
)


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"\b(test_\w+)(?:\[\w+\])?`", PAGE))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in SOURCES} == set()


def test_all_of_the_21_checks_stand_on_the_page():
    assert [int(n) for n in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)] == list(range(1, 22))


def test_a_check_is_done_or_says_what_is_missing():
    rows = re.findall(r"^\| \d+ \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 21
    assert [row for row in rows if not re.match(r"done$|in part: \w|missing\b", row)] == []
