"""The comparison of all cases as one SVG: GPU-hours against the best static fleet, a row a case."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.compare_verdict import Verdict
from llmd_autoscaler.local.sweep import BOUND, OURS, STATIC

_ROW, _LEFT, _WIDTH, _TOP, _RIGHT = 26, 168, 720, 56, 24
# Ratios shown; beyond them a mark stands at the edge.
_LOW, _HIGH = 0.4, 1.4
_TICKS = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24; } .quiet { fill: #57606a; }
.line { stroke: #d0d7de; } .unit { stroke: #57606a; stroke-dasharray: 4 3; }
.ours { fill: #0072B2; } .missed { fill: none; stroke: #0072B2; stroke-width: 2; }
.simple { fill: #D55E00; } .bound { fill: none; stroke: #57606a; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .quiet { fill: #9198a1; } .line { stroke: #30363d; } .unit, .bound { stroke: #9198a1; }
  .ours { fill: #3b9bd9; } .missed { stroke: #3b9bd9; }
}
"""


def svg(verdicts: Sequence[Verdict]) -> str:
    """The file."""
    height = _TOP + _ROW * len(verdicts) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t">',
        '<title id="t">GPU-hours of each case against the best static fleet; the tables of the document say the same</title>',
        f"<style>{_STYLE}</style>",
        *_legend(),
        *_axis(height),
    ]
    for i, verdict in enumerate(verdicts):
        parts += _row(verdict, _TOP + _ROW * i + _ROW / 2)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(verdict: Verdict, y: float) -> Iterator[str]:
    yield f'<text x="{_LEFT - 12}" y="{y + 4:.0f}" text-anchor="end">{escape(verdict.case.name)}</text>'
    yield f'<line class="line" x1="{_LEFT}" y1="{y:.0f}" x2="{_WIDTH - _RIGHT}" y2="{y:.0f}"/>'
    static = _mean(verdict.hours(STATIC))
    if not math.isfinite(static):
        # nothing to measure against
        yield f'<text class="quiet" x="{_x(0.75):.0f}" y="{y - 3:.0f}">no static fleet keeps the SLO</text>'
        return
    bound, simple = _mean(verdict.hours(BOUND)), _mean(verdict.best_simple())
    if math.isfinite(bound):
        x = _x(bound / static)
        yield f'<path class="bound" d="M{x:.1f} {y - 7:.1f} l7 7 l-7 7 l-7 -7 z"/>'
    if math.isfinite(simple):
        yield f'<rect class="simple" x="{_x(simple / static) - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
    ours = _mean([each.gpu_hours for each in verdict.ours()])
    kind = "ours" if verdict.n_kept() == len(verdict.comparisons) else "missed"
    yield f'<circle class="{kind}" cx="{_x(ours / static):.1f}" cy="{y:.1f}" r="6"/>'


def _axis(height: int) -> Iterator[str]:
    for tick in _TICKS:
        x = _x(tick)
        kind = "unit" if tick == 1.0 else "line"
        yield f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height - 34}"/>'
        yield f'<text class="quiet" x="{x:.1f}" y="{height - 18}" text-anchor="middle">{tick:g}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text class="quiet" x="{middle:.0f}" y="{height - 2}" text-anchor="middle">GPU-hours ÷ best static fleet, mean of the seeds</text>'


def _legend() -> Iterator[str]:
    marks = (
        ('<circle class="ours" cx="{x}" cy="20" r="6"/>', f"{OURS}, every SLO holds", 150),
        ('<circle class="missed" cx="{x}" cy="20" r="6"/>', f"{OURS}, an SLO missed", 150),
        ('<rect class="simple" x="{left}" y="15" width="10" height="10"/>', "best simple law", 130),
        ('<path class="bound" d="M{x} 13 l7 7 l-7 7 l-7 -7 z"/>', "look-ahead bound", 0),
    )
    x = 24
    for shape, text, width in marks:
        yield shape.format(x=x, left=x - 5)
        yield f'<text x="{x + 13}" y="24">{text}</text>'
        x += width + 20


def _x(ratio: float) -> float:
    part = (min(max(ratio, _LOW), _HIGH) - _LOW) / (_HIGH - _LOW)
    return _LEFT + part * (_WIDTH - _RIGHT - _LEFT)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
