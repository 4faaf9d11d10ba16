"""A comparison as a picture of characters: GPU-hours across, misses up, a letter a policy."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llmd_autoscaler.local.comparison import Comparison
from llmd_autoscaler.simulator.contest import Outcome

MARKS = {
    "ours": "O",
    "static": "s",
    "look-ahead": "B",
    "hpa-in-flight": "f",
    "hpa-waiting": "w",
    "hpa-kv": "k",
    "keda-slo": "e",
    "keda-slo-fixed": "x",
}
_HEIGHT = 15
_MOST_WIDE, _LEAST_WIDE = 100, 40
_LABEL_WIDTH = 9
# Strain shown: from a thirtieth of the misses allowed to thirty times as many.
_LOW, _HIGH = 1 / 30, 30.0
_TICKS = (10.0, 1.0, 0.1)
_OURS, _LIMIT, _PLAIN = "\x1b[1;32m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class _Frame:
    """Which hours stand at the left and right edges, and how many columns lie between."""

    from_h: float
    to_h: float
    n_columns: int

    def column(self, gpu_hours: float) -> int:
        part = (gpu_hours - self.from_h) / max(self.to_h - self.from_h, 1e-9)
        return round(min(max(part, 0.0), 1.0) * (self.n_columns - 1))


def plot(comparison: Comparison, *, columns: int, has_colour: bool = False) -> str:
    """The picture with its legend, at most so many columns wide."""
    outcomes = comparison.outcomes
    width = max(min(columns, _MOST_WIDE), _LEAST_WIDE) - _LABEL_WIDTH - 1
    frame = _Frame(
        min(each.gpu_hours for each in outcomes), max(each.gpu_hours for each in outcomes), width
    )
    rows = [[" "] * width for _ in range(_HEIGHT)]
    limit = _row(1.0)
    rows[limit] = ["-"] * width
    # ours last, so that no other hides it
    for each in sorted(outcomes, key=lambda o: o.contender.name == "ours"):
        rows[_row(each.strain)][frame.column(each.gpu_hours)] = MARKS[each.contender.name]
    labels = {_row(tick): f"{tick:g} x" for tick in _TICKS}
    lines = ["misses ÷ misses allowed, of the class that is worst off; every dot is a run"]
    for i, row in enumerate(rows):
        text = _coloured("".join(row), i == limit) if has_colour else "".join(row)
        lines.append(f"{labels.get(i, ''):>{_LABEL_WIDTH - 1}} |{text}".rstrip())
    lines.append(_axis(frame))
    return "\n".join([*lines, *_wrapped(_legend(outcomes), columns)])


def _row(strain: float) -> int:
    """Where a strain stands, the highest at the top."""
    clipped = min(max(strain, _LOW), _HIGH)
    part = (math.log(clipped) - math.log(_LOW)) / (math.log(_HIGH) - math.log(_LOW))
    return round((1.0 - part) * (_HEIGHT - 1))


def _axis(frame: _Frame) -> str:
    left, right = f"{frame.from_h:.1f}", f"{frame.to_h:.1f} GPU-hours"
    gap = max(1, frame.n_columns - len(left) - len(right))
    return " " * (_LABEL_WIDTH + 1) + left + " " * gap + right


def _coloured(text: str, is_limit: bool) -> str:
    dressed = text.replace("O", f"{_OURS}O{_LIMIT if is_limit else _PLAIN}")
    return f"{_LIMIT}{dressed}{_PLAIN}" if is_limit else dressed


def _legend(outcomes: Iterable[Outcome]) -> Iterator[str]:
    present = {each.contender.name for each in outcomes}
    for name, mark in MARKS.items():
        if name in present:
            yield f"{mark} {name}"


def _wrapped(words: Iterable[str], columns: int) -> list[str]:
    """Words in as few lines as they need."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 3 > columns:
            lines.append("")
        lines[-1] += ("   " if lines[-1] else "") + word
    return lines
