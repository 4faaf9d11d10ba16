"""docs/compare.md, written by the benchmark: the table of all cases, each case by seed, and where our hours go."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TextIO

from benchmarks.compare_picture import svg
from benchmarks.compare_verdict import Verdict, best_fixed, steps, swept, without_window
from benchmarks.report import report_line
from llmd_autoscaler.local.comparison_table import cells, setting
from llmd_autoscaler.local.sweep import BOUND, OURS, STATIC
from llmd_autoscaler.local.table import percent

_PICTURE = "compare.svg"
_NOTHING = "-"


def write_document(docs: Path | None, verdicts: Sequence[Verdict], out: TextIO) -> None:
    """Print the table of all cases, and write the document with its picture into a folder, if there is one."""
    summary = list(_summary(verdicts))
    out.write("\n".join(summary) + "\n\n")
    if docs is None:
        out.write("\n".join(_details(verdicts)) + "\n")
        return
    text = "\n".join([*_head(), *summary, "", *_details(verdicts)]) + "\n"
    (docs / "compare.md").write_text(text, encoding="utf-8")
    (docs / "pictures").mkdir(exist_ok=True)
    (docs / "pictures" / _PICTURE).write_text(svg(verdicts), encoding="utf-8")


def _head() -> Iterator[str]:
    said = json.loads(report_line("compare", ()))
    machine, versions = said["machine"], said["versions"]
    made = time.strftime("%Y-%m-%d")
    yield "# Beside what people do today"
    yield ""
    yield (
        f"Written by `python -m benchmarks.compare` on {made}: {machine['n_cores']} cores of {machine['cpu']}, "
        f"{', '.join(f'{name} {number}' for name, number in versions.items())}. Do not edit."
    )
    yield ""
    yield from (
        "Every policy plays the same traffic in virtual time, through the same cluster, HPA arithmetic, start-up draws and",
        "router. GPU-hours count instances while they start and drain. *Attained* is a request answered in full within every",
        "bound of its class; a class's SLO holds when its share of attained requests reaches its percentile.",
        "",
        "- The *best static fleet* knows the whole run beforehand, the *look-ahead bound* the traffic of the next lead time.",
        "  Neither can be run.",
        "- *Simple laws* are a plain HPA on requests in flight, on waiting requests or on KV use, and the SLO law that llm-d",
        "  publishes for KEDA. Their metrics are read without lag, and each is quoted at the best setting of its sweep on this",
        "  very traffic: nobody can choose it beforehand. *At our attainment* is the cheapest of them where it misses as",
        "  little as ours, between the settings of its frontier.",
        "- One set of defaults of ours runs all cases. They were tuned on seeds 11 to 13 of the Azure trace.",
        "",
        f"![GPU-hours of each case against the best static fleet](pictures/{_PICTURE})",
        "",
        "## All cases",
        "",
        "Means of the seeds; attained is that of the worst class in the worst seed.",
        "",
    )


def _summary(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "| case | ours GPU-h | attained | SLO holds | best static | ours to it | look-ahead | best simple | at our attainment | ours to it | events | reversals | min. < 95 % |"
    yield "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for verdict in verdicts:
        worst = min(
            (frac for each in verdict.ours() for frac in each.attainment.values()), default=math.nan
        )
        row = (
            verdict.case.name,
            _number(verdict.mean(lambda o: o.gpu_hours)),
            percent(worst),
            f"{verdict.n_kept()} of {len(verdict.comparisons)}",
            _number(_mean(verdict.hours(STATIC))),
            _ratio(verdict.to_static()),
            _number(_mean(verdict.hours(BOUND))),
            _number(_mean(verdict.best_simple())),
            _number(_mean(verdict.best_simple_at_ours())),
            _ratio(verdict.to_simple()),
            f"{verdict.mean(lambda o: o.n_events):.0f}",
            f"{verdict.mean(lambda o: o.n_reversals):.0f}",
            f"{verdict.mean(lambda o: o.n_bad_minutes):.0f}",
        )
        yield f"| {' | '.join(row)} |"


def _details(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield from ("## One setting for all", "")
    yield from (
        "What a law does when its setting is chosen once: of each the cheapest of the settings that keep the SLOs in as many",
        "runs as ours, or else one that keeps most. Over the first seed of all cases, again with hindsight. *Better* and *worse*",
        "count the runs in which the one misses no more than the other and takes 3 % fewer GPU-hours.",
        "",
        "| law | setting | SLOs hold | GPU-hours to ours | better than ours | worse than ours |",
        "|---|---|---:|---:|---:|---:|",
    )
    runs = swept(verdicts)
    n_kept = sum(best is not None and best.keeps_slo for best in (run.best(OURS) for run in runs))
    yield f"| {OURS} | defaults | {n_kept} of {len(runs)} | 1.00 | | |"
    for each in best_fixed(runs):
        kept = f"{each.n_kept} of {each.n_runs}"
        yield f"| {each.name} | {setting(each.way)} | {kept} | {each.to_ours:.2f} | {each.n_better} | {each.n_worse} |"
    analysed = [verdict for verdict in verdicts if not verdict.case.is_scenario]
    if analysed:
        yield from ("", "## Where our hours go", "")
        yield from (
            "Each line takes one more thing away from the line above; the last column is what that was worth. Attained is over all",
            "requests. The first seed of each case.",
            "",
            "| case | run | GPU-h | attained | less than above |",
            "|---|---|---:|---:|---:|",
        )
        for verdict in analysed:
            yield from _steps(verdict)
    for verdict in verdicts:
        yield from _case(verdict)


def _steps(verdict: Verdict) -> Iterator[str]:
    comparison = verdict.comparisons[0]
    before = math.nan
    for step in steps(comparison):
        attained = percent(step.attained_frac) if math.isfinite(step.attained_frac) else _NOTHING
        less = _number(before - step.gpu_hours)
        yield f"| {verdict.case.name} | {step.about} | {step.gpu_hours:.2f} | {attained} | {less} |"
        before = step.gpu_hours
    hasty = without_window(comparison)
    if hasty is not None:
        yield f"| {verdict.case.name} | beside: ours without its scale-in window | {hasty.gpu_hours:.2f} | {percent(hasty.attained_frac)} | |"


def _case(verdict: Verdict) -> Iterator[str]:
    yield from ("", f"## {verdict.case.name}", "", f"{verdict.case.about}.", "")
    yield "| seed | policy | setting | GPU-h | to ours | at our attainment | attained at our GPU-h | events | reversals | min. < 95 % | SLO |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|"
    for comparison in verdict.comparisons:
        for row in cells(comparison):
            yield f"| {' | '.join((str(comparison.setup.seed), *row))} |"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else _NOTHING


def _ratio(value: float) -> str:
    return f"x {value:.2f}" if math.isfinite(value) else _NOTHING


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return fmean(finite) if finite else math.nan
