"""A comparison as one HTML file with its charts, which needs neither a server nor the internet."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from llmd_autoscaler.charts import file
from llmd_autoscaler.local.comparison import Comparison
from llmd_autoscaler.local.comparison_table import cells, setting
from llmd_autoscaler.local.frontier import frontier
from llmd_autoscaler.local.sweep import NAMES, OURS, STATIC
from llmd_autoscaler.local.table import percent
from llmd_autoscaler.simulator.contest import Outcome


def write_page(path: Path, about: str, comparisons: Sequence[Comparison]) -> None:
    """Write the file.

    Raises: ConfigError: it cannot be written.
    """
    data = {"about": about, "runs": [_run(each) for each in comparisons]}
    file.write(path, "llmd_autoscaler.local", "comparison.html", data)


def headline(comparison: Comparison) -> str:
    """The result in a sentence or two."""
    ours, static, simple = (
        comparison.best(OURS),
        comparison.best(STATIC),
        comparison.best_simple(),
    )
    if ours is None:
        return "Our own controller was not among the policies."
    said = [f"Ours takes {ours.gpu_hours:.1f} GPU-hours and {_kept(ours)}."]
    if static is not None and static.keeps_slo:
        said.append(f"The best static fleet takes {static.gpu_hours:.1f} ({_more(static, ours)}).")
    if simple is not None and simple.keeps_slo:
        said.append(
            f"The best simple law, {simple.contender.name} with {setting(simple.contender.way)}, takes "
            f"{simple.gpu_hours:.1f} ({_more(simple, ours)}); that setting is the best of its sweep on this very traffic."
        )
    elif simple is not None:
        said.append("No simple law keeps the SLO at any setting.")
    return " ".join(said)


def _kept(ours: Outcome) -> str:
    worst = min(ours.attainment.values(), default=1.0)
    verb = "keeps every SLO" if ours.keeps_slo else "MISSES an SLO"
    return f"{verb} (lowest attainment {percent(worst)})"


def _more(other: Outcome, ours: Outcome) -> str:
    return f"{(other.gpu_hours / ours.gpu_hours - 1.0) * 100:+.1f} %"


def _run(comparison: Comparison) -> dict[str, object]:
    by_name = {name: comparison.of(name) for name in NAMES if comparison.of(name)}
    return {
        "seed": comparison.setup.seed,
        "headline": headline(comparison),
        "rows": list(cells(comparison)),
        "points": {name: [_point(each) for each in played] for name, played in by_name.items()},
        "frontiers": {
            name: [(p.gpu_hours, min(p.strain, 1e9)) for p in frontier(played)]
            for name, played in by_name.items()
        },
        "arrivals": comparison.arrivals_per_minute().tolist(),
        "lines": list(_lines(comparison)),
    }


def _point(each: Outcome) -> dict[str, object]:
    attained = ", ".join(f"{name} {percent(frac)}" for name, frac in each.attainment.items())
    return {
        "gpu_hours": round(each.gpu_hours, 3),
        "strain": min(each.strain, 1e9),
        "text": f"{setting(each.contender.way)}<br>{attained}",
    }


def _lines(comparison: Comparison) -> Iterator[dict[str, object]]:
    best = (comparison.best(OURS), comparison.best_simple(), comparison.best(STATIC))
    for each in best:
        if each is not None:
            yield {
                "name": each.contender.name,
                "label": f"{each.contender.name} ({setting(each.contender.way)})",
                "steps": comparison.instances(each),
            }
