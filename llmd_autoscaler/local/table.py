"""The table at the end of a run."""

import math
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from llmd_autoscaler.core import score
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.local.columns import aligned
from llmd_autoscaler.local.report import Report

_HEADER = (
    "class", "requests", "attained", "SLO", "TTFT p50", "p95", "p99", "TPOT p50", "p95",
)  # fmt: skip
# The same where each stands by itself.
_STACKED = (
    "class", "requests", "attained", "SLO",
    "TTFT p50", "TTFT p95", "TTFT p99", "TPOT p50", "TPOT p95",
)  # fmt: skip
_GAP = "  "
_NOTHING = "-"


def table(report: Report, *, columns: int | None = None) -> str:
    """The whole of it, without a final line break.

    Args:
        report: the run.
        columns: characters that fit in a line; None: any number.
    """
    rows = [_row(report, c, qos) for c, qos in enumerate(report.classes)]
    lines = _fitting(rows, columns)
    return "\n".join([*lines, "", *_labelled(list(_figures(report)), columns)])


def percent(frac: float) -> str:
    """A share with two decimals, never rounded up to a hundred."""
    # the small part undoes what a product of floats loses, as in 0.0003 x 10,000
    return f"{math.floor(frac * 10_000 + 1e-6) / 100:.2f} %"


def minutes(seconds: float) -> str:
    """A duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _row(report: Report, c: int, qos: QosClass) -> tuple[str, ...]:
    answers = report.answers
    mine = answers.class_of == c
    n = int(np.count_nonzero(mine))
    if n == 0:
        return (qos.name, "0", *(_NOTHING for _ in _HEADER[2:]))
    done = mine & answers.is_completed
    several = done & (answers.osl > 1)
    ttft_s = answers.first_s[done] - answers.at_s[done]
    tpot_s = (answers.last_s[several] - answers.first_s[several]) / (answers.osl[several] - 1)
    frac = report.attainment()[qos.name]
    verdict = "holds" if frac >= qos.percentile_frac else "MISSED"
    return (
        qos.name,
        f"{n:,}",
        percent(frac),
        f"{percent(qos.percentile_frac)} {verdict}",
        *(_quantile(ttft_s, q, 1.0, "{:.2f} s") for q in (50, 95, 99)),
        *(_quantile(tpot_s, q, 1e3, "{:.0f} ms") for q in (50, 95)),
    )


def _quantile(values: score.Array, q: float, scale: float, form: str) -> str:
    return form.format(float(np.percentile(values, q)) * scale) if len(values) else _NOTHING


def _figures(report: Report) -> Iterator[tuple[str, str]]:
    usage, pace, bounds = report.usage, report.pace, report.hindsight
    hours = f"{usage.gpu_hours:.1f}"
    if bounds.static_gpu_hours is not None and bounds.static_instances is not None:
        mix = " + ".join(str(n) for n in bounds.static_instances.values())
        hours += f" · best static fleet with hindsight ({mix} instances) {_against(bounds.static_gpu_hours, usage.gpu_hours)}"
    if bounds.lookahead_gpu_hours is not None:
        hours += f" · look-ahead bound {_against(bounds.lookahead_gpu_hours, usage.gpu_hours)}"
    yield "GPU-hours", hours
    tokens = int(report.answers.isl.sum() + report.answers.osl[report.answers.is_completed].sum())
    per_million = f" · ${usage.cost_usd / tokens * 1e6:.2f} per million tokens" if tokens else ""
    yield "cost", f"${usage.cost_usd:.2f}{per_million}"
    yield (
        "scaling",
        f"{_n(usage.n_events, 'event')}, {_n(usage.n_reversals, 'reversal')}, {_n(usage.n_decisions, 'decision')}",
    )
    if report.failures:
        named = ", ".join(f"{n} {reason}" for reason, n in report.failures.most_common())
        yield "failed", named
    for difference in report.differences:
        yield "router", difference
    yield (
        "time",
        f"{minutes(pace.simulated_s)} simulated in {minutes(pace.wall_s)}{_first(pace.first_decision_s)}",
    )
    if pace.lag_p99_s is not None:
        yield "lag", _lag(pace.lag_p99_s, report.lag_limit_s())


def _first(first_decision_s: float | None) -> str:
    return (
        "" if first_decision_s is None else f", the first decision after {first_decision_s:.0f} s"
    )


def _lag(lag_s: float, limit_s: float) -> str:
    said = f"{lag_s:.3f} s of the simulated clock at the 99th percentile"
    if lag_s <= limit_s:
        return said
    return (
        f"{said}: above {limit_s:.3f} s, so there is NO VERDICT on attainment; take a lower --speed"
    )


def _against(bound: float, ours: float) -> str:
    return f"{bound:.1f} ({(ours / bound - 1) * 100:+.0f} %)" if bound > 0 else f"{bound:.1f}"


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _fitting(rows: Sequence[tuple[str, ...]], columns: int | None) -> list[str]:
    """The classes as rows, as columns where those are too wide, and else one below the other."""
    lines = aligned([_HEADER, *rows])
    if columns is None or _width(lines) <= columns:
        return lines
    turned = aligned(list(zip(_STACKED, *rows, strict=True)))
    if _width(turned) <= columns:
        return turned
    return [line for row in rows for line in _stacked(row, columns)]


def _width(lines: Sequence[str]) -> int:
    return max(map(len, lines))


def _stacked(row: Sequence[str], columns: int) -> list[str]:
    """A class with its figures one below the other, where the terminal is too narrow for a row."""
    figures = list(zip(_STACKED[1:], row[1:], strict=True))
    inner = _labelled(figures, columns - len(_GAP))
    return [*textwrap.wrap(row[0], columns), *(_GAP + line for line in inner)]


def _labelled(rows: Sequence[tuple[str, str]], columns: int | None) -> list[str]:
    """Texts behind their labels, those too long for a line continued below their start."""
    indent = max(len(label) for label, _ in rows) + len(_GAP)
    lines = []
    for label, text in rows:
        parts = [text] if columns is None else textwrap.wrap(text, max(columns - indent, 1))
        lines += [
            (head.ljust(indent) + part).rstrip()
            for head, part in zip([label, *[""] * (len(parts) - 1)], parts, strict=True)
        ]
    return lines
