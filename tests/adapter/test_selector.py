"""Label selectors."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.selector import parse_selector

LABELS = {"app": "vllm", "tier": "", "example.com/team": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=vllm", True),
        ("app==vllm", True),
        ("app = vllm", True),
        ("app=other", False),
        ("absent=x", False),
        ("tier=", True),
        ("app!=other", True),
        ("app!=vllm", False),
        ("absent!=x", True),
        ("app in (a, vllm)", True),
        ("app in (a,b)", False),
        ("app notin (a,b)", True),
        ("absent notin (a)", True),
        ("app", True),
        ("absent", False),
        ("!absent", True),
        ("!app", False),
        ("example.com/team=x", True),
        ("app=vllm,example.com/team in (x,y),!absent", True),
        ("app=vllm,absent", False),
    ],
)
def test_a_selector_says_what_it_says_in_kubernetes(text: str, expected: bool) -> None:
    assert parse_selector(text)(LABELS) is expected


@pytest.mark.parametrize(
    "text", ["a=b=c", "a===b", ",", "a,,b", "a in b", "in (a)", "=x", "a>1 2", "!", "a in (x"]
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        parse_selector(text)


@given(text=st.text(max_size=40))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_selector(text)(LABELS)
