"""A comparison as text: who takes how many GPU-hours, at which setting."""

import textwrap
from collections.abc import Iterator

from llmd_autoscaler.local.columns import aligned
from llmd_autoscaler.local.comparison import Comparison, Standing
from llmd_autoscaler.local.sweep import OURS
from llmd_autoscaler.local.table import percent
from llmd_autoscaler.simulator.contest import (
    BAD_MINUTE_FRAC,
    Constant,
    Kind,
    LookAhead,
    Ours,
    Outcome,
    Way,
)
from llmd_autoscaler.simulator.load_law import Setting
from llmd_autoscaler.simulator.slo_law import SloSetting

_NOTHING = "-"
_HEADER = ("policy", "GPU-h", "to ours", "GPU-h=", "attained=", "events", "rev", "min", "SLO")
_LEGEND = (
    "GPU-h: of the cheapest setting that keeps every class's percentile, else of the one that misses least",
    "GPU-h= and attained=: at our attainment and at our GPU-hours, between the settings of the policy's frontier",
    f"min: minutes in which less than {BAD_MINUTE_FRAC * 100:.0f} % of the arrivals attained",
    "* knows the future, or was chosen by it: cannot be run",
)
_HINDSIGHT = {Kind.STATIC, Kind.BOUND}


def table(comparison: Comparison, *, columns: int = 80) -> str:
    """The standings with their settings and a legend, without a final line break; at least 80 columns are taken."""
    rows: list[tuple[str, ...]] = [_HEADER]
    notes = []
    for each in comparison.standings():
        name, *figures, said = _row(comparison, each)
        mark = "*" if each.best.contender.kind in _HINDSIGHT else ""
        rows.append((name + mark, *figures, "holds" if each.best.keeps_slo else "MISSED"))
        missed = "" if each.best.keeps_slo else f"; {said}"
        notes.append((name, f"{setting(each.best.contender.way)}{_edge(each)}{missed}"))
    legend = [
        line for text in _LEGEND for line in textwrap.wrap(text, columns, subsequent_indent="  ")
    ]
    head = f"seed {comparison.setup.seed}"
    return "\n".join([head, *aligned(rows), "", *legend, "", *aligned(notes, n_left=2)])


def setting(way: Way) -> str:
    """The knobs of a policy, for people."""
    match way:
        case Ours():
            return "defaults"
        case Constant():
            return " + ".join(str(n) for n in way.instances) + " instances"
        case LookAhead():
            return "knows the next lead time"
        case Setting():
            return f"{way.signal} target {way.target:g}, down window {way.down_window_s:.0f} s"
        case SloSetting():
            bounds = "our bounds" if way.has_class_bounds else "3 s and 100 ms"
            return f"{bounds}, thresholds x {way.scale:g}"


def verdict(comparison: Comparison, best: Outcome) -> str:
    """Whether the SLO of every class holds, or by how much the worst one misses."""
    if best.keeps_slo:
        return "holds"
    worst = min(
        (qos for qos in comparison.classes if qos.name in best.attainment),
        key=lambda qos: best.attainment[qos.name] - qos.percentile_frac,
    )
    return f"MISSED: {worst.name} {percent(best.attainment[worst.name])}"


def _row(comparison: Comparison, each: Standing) -> tuple[str, ...]:
    """The name, the figures of the header, and the verdict in full."""
    best, missed = each.best, each.missed_frac_at_our_hours
    return (
        each.name,
        f"{best.gpu_hours:.2f}",
        _percent_more(best.gpu_hours, comparison.best(OURS)),
        _NOTHING if each.hours_at_our_strain is None else f"{each.hours_at_our_strain:.2f}",
        _NOTHING if missed is None else percent(1.0 - missed),
        f"{best.n_events:,}",
        f"{best.n_reversals:,}",
        f"{best.n_bad_minutes:,}",
        verdict(comparison, best),
    )


def _percent_more(gpu_hours: float, ours: Outcome | None) -> str:
    if ours is None or ours.gpu_hours <= 0.0:
        return _NOTHING
    return f"{(gpu_hours / ours.gpu_hours - 1.0) * 100:+.1f} %"


def _edge(each: Standing) -> str:
    return " (the end of its sweep)" if each.is_at_an_edge else ""


def cells(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """The rows of a wider table: the setting stands in its own column, after the name."""
    marks = {Kind.STATIC: " (hindsight)", Kind.BOUND: " (bound)"}
    for each in comparison.standings():
        name, *others = _row(comparison, each)
        mark = marks.get(each.best.contender.kind, "")
        yield (name + mark, setting(each.best.contender.way) + _edge(each), *others)
