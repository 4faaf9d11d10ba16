"""What the router counts, and the page that says it: the controller's source of demand.

Arrivals hold every request of a known model, refused ones too: counting served requests only would
hide demand in the very overload that matters. Completions tell the lengths of the answers. A cell that
never occurred is not on the page, which is written by hand: some hundred lines, read every second.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmd_autoscaler.core.shapes import bin_of, upper_edge_tokens
from llmd_autoscaler.core.slo import Timing
from llmd_autoscaler.router.fleet import Instance
from llmd_autoscaler.router.latency import Latencies
from llmd_autoscaler.router.stream import Usage

Labels = tuple[str, ...]

ATTAINED = "all"
FAILED = "failed"

_CLASS = ("model", "class")
_ARRIVAL = (*_CLASS, "isl")
_CELL = (*_CLASS, "isl", "osl")
_INSTANCE = ("target", "group", "instance")

_HELP: Mapping[str, str] = {
    "arrivals_total": "Requests that arrived, by class and estimated ISL bin (upper edge), refused ones too",
    "arrivals_squared_total": "Sum over whole seconds of the square of the arrivals in each: how unevenly they come",
    "arrivals_isl_tokens_total": "Estimated prompt tokens of the arrivals",
    "completions_total": "Requests answered in full, by class, ISL and OSL bin (upper edges)",
    "isl_tokens_total": "Prompt tokens of the completions",
    "osl_tokens_total": "Output tokens of the completions",
    "hit_tokens_total": "Prompt tokens of the completions that the server had cached",
    "attained_total": 'Ended requests by the first bound that they missed; "all" attained every bound',
    "uncounted_total": "Requests answered in full by a server that sent no usage: no cell is known",
    "client_errors_total": "Requests that a server refused as malformed: neither attained nor missed",
    "refusals_total": "Times that an instance refused a request before its first token, by reason",
    "retries_total": "Times that a refused request was sent to another instance",
    "unanswered_total": "Requests that the router itself answered with an error, by reason",
}


def edge(tokens: int) -> str:
    """The label of a length: the upper edge of its bin."""
    return str(upper_edge_tokens(bin_of(tokens)))


@dataclass(slots=True)
class Series:
    """One counter with its labels."""

    labels: Labels
    values: Counter[Labels] = field(default_factory=Counter)


@dataclass(slots=True)
class Counts:
    """Every counter of this process since it started."""

    started_at_s: float
    _latencies: dict[Labels, Latencies] = field(default_factory=dict)
    _second: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The last second in which requests of a model arrived, and how many did."""
    _series: dict[str, Series] = field(
        default_factory=lambda: {
            "arrivals_total": Series(_ARRIVAL),
            "arrivals_isl_tokens_total": Series(_ARRIVAL),
            "arrivals_squared_total": Series(("model",)),
            "completions_total": Series(_CELL),
            "isl_tokens_total": Series(_CELL),
            "osl_tokens_total": Series(_CELL),
            "hit_tokens_total": Series(_CELL),
            "attained_total": Series((*_CLASS, "bound")),
            "uncounted_total": Series(_CLASS),
            "client_errors_total": Series(_CLASS),
            "refusals_total": Series((*_CLASS, "reason")),
            "retries_total": Series(_CLASS),
            "unanswered_total": Series(("reason",)),
        }
    )

    def arrived(self, model: str, class_name: str, *, isl: int, at_s: float) -> None:
        """A request of a known model is here."""
        second, n = self._second.get(model, (0, 0))
        n = n if second == int(at_s) else 0
        self._second[model] = (int(at_s), n + 1)
        self._add("arrivals_squared_total", (model,), (n + 1) ** 2 - n**2)
        cell = (model, class_name, edge(isl))
        self._add("arrivals_total", cell)
        self._add("arrivals_isl_tokens_total", cell, isl)

    def completed(self, model: str, class_name: str, usage: Usage) -> None:
        """A request was answered in full."""
        cell = (model, class_name, edge(usage.isl), edge(usage.osl))
        self._add("completions_total", cell)
        self._add("isl_tokens_total", cell, usage.isl)
        self._add("osl_tokens_total", cell, usage.osl)
        self._add("hit_tokens_total", cell, usage.n_hit)

    def timed(self, model: str, class_name: str, timing: Timing) -> None:
        """A request was answered in full, so fast; one token has no TPOT."""
        latencies = self._latencies.get((model, class_name))
        if latencies is None:
            latencies = self._latencies[model, class_name] = Latencies()
        latencies.ttft.observe(timing.ttft_s)
        if timing.osl > 1:
            latencies.tpot.observe(timing.tpot_s)

    def ended(self, model: str, class_name: str, *, missed: str) -> None:
        """A request is over: `missed` names the first bound that it missed, "" where it attained all."""
        self._add("attained_total", (model, class_name, missed or ATTAINED))

    def uncounted(self, model: str, class_name: str) -> None:
        """A request was answered in full, but the server did not say how long it was."""
        self._add("uncounted_total", (model, class_name))

    def client_error(self, model: str, class_name: str) -> None:
        """A server called the request malformed."""
        self._add("client_errors_total", (model, class_name))

    def refused(self, model: str, class_name: str, *, reason: str) -> None:
        """An instance did not take a request."""
        self._add("refusals_total", (model, class_name, reason))

    def retried(self, model: str, class_name: str) -> None:
        """A refused request goes to another instance."""
        self._add("retries_total", (model, class_name))

    def unanswered(self, reason: str) -> None:
        """The router answers with an error of its own."""
        self._add("unanswered_total", (reason,))

    def value(self, name: str, *labels: str) -> int:
        """One counter's value, 0 where it never occurred."""
        return self._series[name].values[labels]

    def _add(self, name: str, labels: Labels, n: int = 1) -> None:
        self._series[name].values[labels] += n

    def page(self, instances: Iterable[Instance]) -> str:
        """The text of /metrics."""
        lines: list[str] = []
        for name, series in self._series.items():
            lines += _head(name, "counter", _HELP[name])
            lines += [
                f"llmd_router_{name}{_labels(series.labels, key)} {value}"
                for key, value in series.values.items()
            ]
        lines += self._histograms()
        lines += _gauges(list(instances))
        lines += _head("started_at_seconds", "gauge", "Simulated Unix time of this process's start")
        lines.append(f"llmd_router_started_at_seconds {self.started_at_s!r}")
        return "\n".join(lines) + "\n"

    def _histograms(self) -> list[str]:
        ttft = _head("ttft_seconds", "histogram", "TTFT of the complete answers")
        tpot = _head("tpot_seconds", "histogram", "Mean time per output token of each of them")
        for key, latencies in self._latencies.items():
            labels = _labels(_CLASS, key)[1:-1]
            ttft += latencies.ttft.lines("llmd_router_ttft_seconds", labels)
            tpot += latencies.tpot.lines("llmd_router_tpot_seconds", labels)
        return ttft + tpot


def _gauges(instances: list[Instance]) -> list[str]:
    in_flight = _head("in_flight", "gauge", "Requests of this router in flight at an instance")
    work = _head("work_seconds", "gauge", "Engine seconds that they are expected to cost")
    foreign = _head("foreign", "gauge", "Requests running or waiting there beyond our own")
    for instance in instances:
        labels = _labels(_INSTANCE, (instance.place.target, instance.place.group, instance.name))
        in_flight.append(f"llmd_router_in_flight{labels} {instance.n_in_flight}")
        work.append(f"llmd_router_work_seconds{labels} {instance.work_s!r}")
        foreign.append(f"llmd_router_foreign{labels} {instance.n_foreign!r}")
    return in_flight + work + foreign


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP llmd_router_{name} {text}", f"# TYPE llmd_router_{name} {kind}"]


def _labels(names: Labels, values: Labels) -> str:
    return "{" + ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, values, strict=True)) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
