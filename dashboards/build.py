# ruff: noqa: INP001 (as benchmarks: a program of the checkout, not of the wheel)
"""Writes dashboards/llmd-autoscaler.json from panels.py: `python -m dashboards.build`."""

from itertools import count
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import SortOrder, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef

from dashboards.panels import ROWS, Panel

OUT = Path(__file__).parent / "llmd-autoscaler.json"
_SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
_COLUMNS, _HEIGHT = 24, 8


def text() -> str:
    """The dashboard as Grafana imports it."""
    made = (
        dashboard.Dashboard("LLM autoscaler")
        .uid("llmd-autoscaler")
        .description("What is decided, why, what it costs, and whether the service levels hold.")
        .tags(["llm", "autoscaling"])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("model")
            .label("Model")
            .datasource(_SOURCE)
            .query("label_values(llmd_autoscaler_desired_instances, model)")
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(".*")
        )
    )
    numbers = count(1)
    for row in ROWS:
        made.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made.with_panel(_drawn(panel, _COLUMNS // len(row.panels)).id(next(numbers)))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _drawn(panel: Panel, width: int) -> timeseries.Panel:
    drawn = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.about)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .min(0.0)
        .span(width)
        .height(_HEIGHT)
        .legend(common.VizLegendOptions().show_legend(show_legend=True))
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
    )
    if panel.most is not None:
        drawn.max(panel.most)
    for letter, (legend, expression) in zip(ascii_uppercase, panel.series.items(), strict=False):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter)
        drawn.with_target(query)
    return drawn


if __name__ == "__main__":
    OUT.write_text(text(), encoding="utf-8")
