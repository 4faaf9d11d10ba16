"""docs/troubleshooting.md has a heading for every warning that the code can write."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from llmd_autoscaler.core.world import ReasonCode
from llmd_autoscaler.translate.condition import TRUE
from llmd_autoscaler.translate.limits import INVALID
from tests.docs.markdown import DOCS, ROOT, headings, named, slug

PACKAGE = ROOT / "llmd_autoscaler"
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text()


class Call(NamedTuple):
    """A call that stands in the code: its function's last name, and the texts of its arguments."""

    name: str
    texts: list[str]  # "" for an argument whose text is made while it runs


def trees() -> Iterator[ast.Module]:
    for folder in (PACKAGE, ROOT / "adapter"):
        for path in sorted(folder.rglob("*.py")):
            yield ast.parse(path.read_text())


def constants(tree: ast.Module) -> dict[str, str]:
    """Texts that a module gives names to."""
    found: dict[str, str] = {"INVALID": INVALID, "TRUE": TRUE}  # imported where they are used
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                found[name] = text
    return found


def calls() -> Iterator[Call]:
    """Every call, and every pair that is yielded as one named "yield"."""
    for tree in trees():
        known = constants(tree)
        for node in ast.walk(tree):
            match node:
                case (
                    ast.Call(func=ast.Name(id=name), args=given)
                    | ast.Call(func=ast.Attribute(attr=name), args=given)
                ):
                    yield Call(name, [text_of(each, known) for each in given])
                case ast.Yield(value=ast.Tuple(elts=given)):
                    yield Call("yield", [text_of(each, known) for each in given])


def text_of(node: ast.expr, known: Mapping[str, str]) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return known.get(name, "")
    return ""


def warning_events() -> set[str]:
    """Events that are logged at WARNING or above: an event is one word with underscores."""
    loggers = {"warning", "error", "exception", "critical"}
    return {
        texts[0]
        for name, texts in calls()
        if name in loggers and texts and re.fullmatch(r"[a-z]+(?:_[a-z]+)+", texts[0])
    }


def failing_reasons() -> set[str]:
    """Reasons of conditions that are False or Unknown, or of a Conflict that is True."""
    found = {"Unreadable"}  # of Troubles, which have no truth of their own
    for name, texts in calls():
        if name == "_Said" or (
            name == "yield" and re.fullmatch(r"(?:[A-Z]+[a-z]+)+(?:[A-Z]+)?", texts[0])
        ):
            found.add(texts[0])
        if name == "Finding" and len(texts) > 2:
            type_, truth, reason = texts[:3]
            if (truth == TRUE) == (type_ == "Conflict"):
                found.add(reason)
    return found - {""}


def reasons_of(*errors: str) -> set[str]:
    """Reasons that are given to errors before their text."""
    return {texts[0] for name, texts in calls() if name in errors and len(texts) > 1} - {""}


def said_so() -> set[str]:
    """Every word in backticks of the page's list of words and of its table of codes."""
    lines = re.findall(r"^- Says so: (.*?)(?=^- |^#|\Z)", TROUBLESHOOTING, re.DOTALL | re.MULTILINE)
    return {word for line in lines for word in re.findall(r"`([^`]+)`", line)} | set(
        named(TROUBLESHOOTING)
    )


def test_every_warning_in_a_log_stands_in_troubleshooting() -> None:
    found = warning_events()
    assert {"tick_failed", "instance_refused", "clock_stepped"} <= found  # the search finds some
    assert found - said_so() == set()


def test_every_reason_of_a_failing_condition_stands_in_troubleshooting() -> None:
    found = failing_reasons()
    assert {"NoPrice", "NotFound", "SecondServiceLevel", "Invalid", "NoneAnswered"} <= found
    passing = {"OnlyOne", "Override", "Schedule"}  # Conflict: False, and limits in force
    assert found - said_so() - passing == set()


def test_every_code_of_a_reason_stands_in_troubleshooting() -> None:
    assert {str(code) for code in ReasonCode} - set(named(TROUBLESHOOTING)) == set()


def test_every_reason_to_withhold_or_refuse_stands_in_troubleshooting() -> None:
    found = reasons_of("WithheldError", "RefusalError")
    assert {"older_epoch", "abort"} <= found
    assert found - said_so() == set()


def alerts() -> list[tuple[str, str]]:
    """(file, alert) of every rule of ours."""
    return [
        (file.name, name)
        for file in sorted((ROOT / "dashboards").glob("*.yaml"))
        for name in re.findall(r"^\s*-?\s*alert:\s*(\w+)", file.read_text(), re.MULTILINE)
    ]


def test_every_alert_stands_in_troubleshooting() -> None:
    assert {name for _, name in alerts()} - said_so() == set()


def test_every_heading_that_code_or_rules_name_is_there() -> None:
    anchors = {slug(heading) for heading in headings(TROUBLESHOOTING)}
    files = [
        path
        for folder in ("llmd_autoscaler", "adapter", "manifests", "dashboards")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".yaml", ".json", ".js"}
    ]
    asked = {
        anchor
        for path in files
        for anchor in re.findall(r"troubleshooting\.md#([\w-]+)", path.read_text())
    }
    assert asked - anchors == set()
