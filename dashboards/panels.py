# ruff: noqa: INP001 (as benchmarks: of the checkout, not of the wheel)
"""What the dashboard shows: rows of panels, each with its expressions."""

from dataclasses import dataclass

from grafana_foundation_sdk.models import units

USD, PER_SECOND, SHARE, COUNT = (
    units.Dollars,
    units.RequestsPerSecond,
    units.PercentUnit,
    units.Short,
)
SECONDS = units.Seconds


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: expressions by the legend of their series."""

    title: str
    about: str
    unit: str
    series: dict[str, str]
    most: float | None = None
    """Top of the axis, where the unit has one."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one headline."""

    title: str
    panels: tuple[Panel, ...]


def _rate(counter: str, *by: str, where: str = "") -> str:
    return f"sum by ({', '.join(by)}) (rate({counter}{{{where}}}[$__rate_interval]))"


def _quantile(share: float, histogram: str, *by: str, where: str = "") -> str:
    return f"histogram_quantile({share}, {_rate(f'{histogram}_bucket', 'le', *by, where=where)})"


_OF = 'model=~"$model"'
_TOKENS = " + ".join(
    f"sum(rate(llmd_router_{each}_tokens_total{{{_OF}}}[$__rate_interval]))"
    for each in ("isl", "osl")
)

ROWS = (
    Row(
        "Cost",
        (
            Panel(
                "Cost now",
                "Price of the decided instances, an hour.",
                USD,
                {"{{model}}": f"sum by (model) (llmd_autoscaler_cost_usd_per_hour{{{_OF}}})"},
            ),
            Panel(
                "Cost of a million tokens",
                "Cost an hour over prompt and answer tokens of the complete answers.",
                USD,
                {
                    "all models": f"sum(llmd_autoscaler_cost_usd_per_hour{{{_OF}}}) / 3600"
                    f" / ({_TOKENS}) * 1e6"
                },
            ),
            Panel(
                "Cost over load",
                "What is bought over what the work is worth: 1 is a fleet without spare instances, a fraction of one included.",
                COUNT,
                {
                    "{{model}}": f"sum by (model) (llmd_autoscaler_desired_instances{{{_OF}}})"
                    f" / (sum by (model) (llmd_autoscaler_load{{{_OF}}}) > 0)"
                },
            ),
        ),
    ),
    Row(
        "Traffic",
        (
            Panel(
                "Arrivals",
                "Requests that arrived at the routers, refused ones too.",
                PER_SECOND,
                {
                    "{{model}} {{class}}": _rate(
                        "llmd_router_arrivals_total", "model", "class", where=_OF
                    )
                },
            ),
            Panel(
                "Tokens",
                "Of the complete answers: prompts, what of them the servers had cached, and outputs.",
                COUNT,
                {
                    "{{model}} prompt": _rate("llmd_router_isl_tokens_total", "model", where=_OF),
                    "{{model}} cached": _rate("llmd_router_hit_tokens_total", "model", where=_OF),
                    "{{model}} output": _rate("llmd_router_osl_tokens_total", "model", where=_OF),
                },
            ),
            Panel(
                "Answered by the router itself, refused, tried again",
                "Errors of the router's own by reason, refusals by instances, and requests sent to another instance.",
                PER_SECOND,
                {
                    "router: {{reason}}": _rate("llmd_router_unanswered_total", "reason"),
                    "refused: {{reason}}": _rate("llmd_router_refusals_total", "reason", where=_OF),
                    "again: {{model}}": _rate("llmd_router_retries_total", "model", where=_OF),
                },
            ),
        ),
    ),
    Row(
        "Instances",
        (
            Panel(
                "Desired and ready",
                "What was decided, and what serves.",
                COUNT,
                {
                    "{{target}} desired": f"llmd_autoscaler_desired_instances{{{_OF}}}",
                    "{{target}} ready": f"llmd_autoscaler_ready_instances{{{_OF}}}",
                },
            ),
            Panel(
                "Starting and draining",
                "Instances that are paid for and serve not yet, or not any more.",
                COUNT,
                {
                    "{{target}} starting": f"llmd_autoscaler_starting_instances{{{_OF}}}",
                    "{{target}} draining": f"llmd_autoscaler_draining_instances{{{_OF}}}",
                },
            ),
            Panel(
                "Load",
                "How many instances the work is worth, a fraction.",
                COUNT,
                {"{{target}}": f"llmd_autoscaler_load{{{_OF}}}"},
            ),
            Panel(
                "Utilization",
                "Work over what the ready instances carry within the SLO.",
                SHARE,
                {"{{target}}": f"llmd_autoscaler_utilization{{{_OF}}}"},
            ),
        ),
    ),
    Row(
        "Service levels",
        (
            Panel(
                "Attainment, predicted and realised",
                "Share of requests that attain every bound of their class: by the plan, as counted, and as promised.",
                SHARE,
                {
                    "{{model}} {{class}} {{kind}}": f"llmd_autoscaler_attainment{{{_OF}}}",
                    "{{model}} {{class}} promised": f"llmd_autoscaler_objective{{{_OF}}}",
                },
                most=1.0,
            ),
            Panel(
                "Missed, by bound",
                "Ended requests a second by the first bound that they missed.",
                PER_SECOND,
                {
                    "{{class}} {{bound}}": _rate(
                        "llmd_router_attained_total",
                        "class",
                        "bound",
                        where=f'{_OF}, bound!="all"',
                    )
                },
            ),
            Panel(
                "TTFT",
                "Of the complete answers. As fine as the edges of the histogram; attainment is counted, not read from here.",
                SECONDS,
                {
                    f"{{{{class}}}} p{share:g}": _quantile(
                        share / 100, "llmd_router_ttft_seconds", "class", where=_OF
                    )
                    for share in (50, 99)
                },
            ),
            Panel(
                "TPOT",
                "Mean time per output token of each complete answer.",
                SECONDS,
                {
                    f"{{{{class}}}} p{share:g}": _quantile(
                        share / 100, "llmd_router_tpot_seconds", "class", where=_OF
                    )
                    for share in (50, 99)
                },
            ),
        ),
    ),
    Row(
        "Router",
        (
            Panel(
                "In flight",
                "Requests of the routers at each instance.",
                COUNT,
                {"{{instance}}": "sum by (target, instance) (llmd_router_in_flight)"},
            ),
            Panel(
                "Expected work",
                "Engine seconds that they are expected to cost.",
                SECONDS,
                {"{{target}}": "sum by (target) (llmd_router_work_seconds)"},
            ),
            Panel(
                "Foreign requests",
                "Running or waiting at the instances beyond our own: somebody goes past the routers.",
                COUNT,
                {"{{target}}": "sum by (target) (llmd_router_foreign)"},
            ),
        ),
    ),
    Row(
        "Controller",
        (
            Panel(
                "Steps of a tick",
                "Wall time, the slowest of twenty.",
                SECONDS,
                {"{{step}}": _quantile(0.95, "llmd_autoscaler_tick_step_seconds", "step")},
            ),
            Panel(
                "Ticks and statuses",
                "Ticks begun, and statuses written.",
                "ops",
                {
                    "ticks": "sum(rate(llmd_autoscaler_ticks_total[$__rate_interval]))",
                    "statuses": "sum(rate(llmd_autoscaler_status_writes_total[$__rate_interval]))",
                },
            ),
            Panel(
                "Failures",
                "Steps that failed, metrics pages that could not be used, and cells of routers' pages that nobody knows.",
                "ops",
                {
                    "step {{step}}": _rate("llmd_autoscaler_tick_failures_total", "step"),
                    "scrape {{reason}}": _rate("llmd_autoscaler_scrape_failures_total", "reason"),
                    "unknown cells": "max(llmd_autoscaler_ignored_cells)",
                },
            ),
            Panel(
                "What is wrong",
                "Conditions that fail, by object, type and reason: `kubectl describe` says each in a sentence.",
                COUNT,
                {
                    "{{kind}} {{name}} {{type}} {{reason}}": "max by (kind, name, type, reason) (llmd_autoscaler_failing_condition)"
                },
                most=1.0,
            ),
            Panel(
                "Leader",
                "Who decides: one of the controllers at 1.",
                COUNT,
                {"{{instance}}": "llmd_autoscaler_leader"},
                most=1.0,
            ),
        ),
    ),
    Row(
        "Adapter",
        (
            Panel(
                "Served and withheld",
                "Values that the HPA was given, and those that were kept back, by reason.",
                PER_SECOND,
                {
                    "served": "sum(rate(llmd_adapter_served_total[$__rate_interval]))",
                    "withheld: {{reason}}": _rate("llmd_adapter_withheld_total", "reason"),
                },
            ),
            Panel(
                "Time to an answer",
                "From a request's headers to its answer; the HPA waits in a worker meanwhile.",
                SECONDS,
                {
                    f"{{{{what}}}} p{share:g}": _quantile(
                        share / 100, "llmd_adapter_request_seconds", "what"
                    )
                    for share in (50, 99)
                },
            ),
            Panel(
                "Answers by code",
                "What was answered.",
                PER_SECOND,
                {"{{code}}": _rate("llmd_adapter_requests_total", "code")},
            ),
            Panel(
                "Certificates",
                "Time until a certificate in use ends.",
                SECONDS,
                {
                    "{{certificate}}": "min by (certificate)"
                    " (llmd_adapter_certificate_expiry_seconds) - time()"
                },
            ),
            Panel(
                "Watch and objects",
                "Whether changes arrive, and how many VariantAutoscalings there are.",
                COUNT,
                {
                    "{{instance}} watch": "llmd_adapter_watch_connected",
                    "{{instance}} objects": "llmd_adapter_objects",
                },
            ),
        ),
    ),
)
