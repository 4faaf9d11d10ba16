"""The controller's own metrics, and its logs: one JSON line an event, one `tick_decided` a model and tick."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from llmd_autoscaler.core.realised import Outcomes
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.world import Decision, Reason, ReasonCode, TargetState, is_seen

# From a step that does nothing to one that blocks several ticks.
_STEP_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 5.0, 15.0)
# Codes that a person may act on.
_WARNINGS = {ReasonCode.AT_LIMIT, ReasonCode.INFEASIBLE, ReasonCode.NOT_OBSERVED}
_LOG = structlog.stdlib.get_logger(__name__)

# A condition that says that something is wrong: namespace, name and kind of its object, its type and reason.
Failing = tuple[str, str, str, str, str]


class Model(Protocol):
    """Which model."""

    @property
    def namespace(self) -> str:
        """Its namespace."""
        ...

    @property
    def model_id(self) -> str:
        """What clients name."""
        ...


class View(Protocol):
    """A model as it was seen."""

    @property
    def key(self) -> Model:
        """Which."""
        ...

    @property
    def classes(self) -> tuple[QosClass, ...]:
        """Its classes."""
        ...

    @property
    def targets(self) -> tuple[TargetState, ...]:
        """Its targets."""
        ...


class Decided(Protocol):
    """A decision with what it was made from; the controller's Publication is one."""

    @property
    def view(self) -> View:
        """The model."""
        ...

    @property
    def decision(self) -> Decision:
        """The decision."""
        ...

    @property
    def decision_id(self) -> str:
        """Its name."""
        ...

    @property
    def decided_at_s(self) -> float:
        """When."""
        ...

    @property
    def source(self) -> str:
        """Who counted the traffic."""
        ...

    @property
    def realised(self) -> Outcomes | None:
        """What became of the requests."""
        ...


class Telemetry:
    """What the loop, the source and the cluster report to; one page in the text format."""

    CONTENT_TYPE: ClassVar[str] = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, *, fresh_s: float = 60.0) -> None:
        """An empty page.

        Args:
            fresh_s: a model that was not decided for so long has no numbers: missing beats stale.
        """
        self._registry = CollectorRegistry()
        self._models = _Models(self._registry, fresh_s)
        self._steps = Histogram(
            "llmd_autoscaler_tick_step_seconds",
            "Wall time of each step of a tick",
            ["step"],
            buckets=_STEP_BUCKETS_S,
            registry=self._registry,
        )
        self._ticks = self._counter("ticks", "Ticks begun")
        self._tick_failures = self._counter("tick_failures", "Steps that failed, by step", "step")
        self._scrape_failures = self._counter(
            "scrape_failures", "Metrics pages that could not be used, by reason", "reason"
        )
        self._status_writes = self._counter("status_writes", "Statuses written")
        self._failing = Gauge(
            "llmd_autoscaler_failing_condition",
            "1 for each condition that says that something is wrong",
            ["namespace", "name", "kind", "type", "reason"],
            registry=self._registry,
        )
        self._ignored = Gauge(
            "llmd_autoscaler_ignored_cells",
            "Cells of routers' pages whose model, class, edge or bound is not known, at the last tick",
            registry=self._registry,
        )

    def tick_began(self) -> None:
        """A tick begins."""
        self._ticks.inc()

    def step(self, name: str, took_s: float) -> None:
        """A step of the tick is over."""
        self._steps.labels(name).observe(took_s)

    def decided(self, publication: Decided, took_s: float) -> None:
        """A model was decided: its numbers, and the one line that tells all of it."""
        self._models.take(publication)
        codes = [reason.code for reason in _reasons(publication.decision)]
        log = _LOG.warning if any(code in _WARNINGS for code in codes) else _LOG.info
        log("tick_decided", **_line(publication), took_s=round(took_s, 4))

    def failed(self, step: str, message: str) -> None:
        """A step, or one model in it, failed; the others go on."""
        self._tick_failures.labels(step).inc()
        _LOG.error("tick_failed", step=step, detail=message)

    def scrape_failed(self, reason: str) -> None:
        """A metrics page could not be used."""
        self._scrape_failures.labels(reason).inc()

    def ignored_cells(self, n: int) -> None:
        """So many cells of the routers' pages are of names that we do not know."""
        self._ignored.set(n)

    def status_written(self) -> None:
        """A status was written."""
        self._status_writes.inc()

    def page(self, *, now_s: float, failing: Iterable[Failing] = ()) -> bytes:
        """The text of /metrics, with the conditions that fail now."""
        self._models.fill(now_s=now_s)
        self._failing.clear()
        for each in failing:
            self._failing.labels(*each).set(1.0)
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"llmd_autoscaler_{name}", text, labels, registry=self._registry)


class _Models:
    """The last decision of each model, as gauges that are filled when somebody asks for them."""

    def __init__(self, registry: CollectorRegistry, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._last: dict[tuple[str, str], Decided] = {}

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            labels = ("namespace", "model", *labels)
            return Gauge(f"llmd_autoscaler_{name}", text, labels, registry=registry)

        self._desired = gauge("desired_instances", "Instances decided", "target")
        self._ready = gauge("ready_instances", "Instances that serve", "target")
        self._starting = gauge("starting_instances", "Instances that do not serve yet", "target")
        self._draining = gauge("draining_instances", "Instances that end", "target")
        self._load = gauge("load", "Instances that the work is worth", "target")
        self._utilization = gauge(
            "utilization", "Work over what the ready instances carry", "target"
        )
        self._cost = gauge("cost_usd_per_hour", "Price of the decided mix")
        self._attainment = gauge(
            "attainment", "Share of requests that attained their SLO", "class", "kind"
        )
        self._objective = gauge(
            "objective", "Share of requests that is to attain every bound", "class"
        )
        self._reason = gauge("reason", "1 for each reason of a target's number", "target", "code")
        self._all = (
            self._desired,
            self._ready,
            self._starting,
            self._draining,
            self._objective,
            self._reason,
            self._load,
            self._utilization,
            self._cost,
            self._attainment,
        )

    def take(self, publication: Decided) -> None:
        """Keep a decision until the next of its model."""
        key = publication.view.key
        self._last[key.namespace, key.model_id] = publication

    def fill(self, *, now_s: float) -> None:
        """Set the gauges of the models that were decided lately, and no others."""
        self._last = {
            key: each
            for key, each in self._last.items()
            if now_s - each.decided_at_s <= self._fresh_s
        }
        for gauge in self._all:
            gauge.clear()
        for key, each in self._last.items():
            self._cost.labels(*key).set(each.decision.usd_per_hour)
            for qos in each.view.classes:
                self._objective.labels(*key, qos.name).set(qos.percentile_frac)
            self._fill_targets(key, each)
            self._fill_attainment(key, each)

    def _fill_targets(self, key: tuple[str, str], each: Decided) -> None:
        for state in each.view.targets:
            decided = each.decision.target(state.name)
            labels = (*key, state.name)
            self._desired.labels(*labels).set(decided.desired)
            self._ready.labels(*labels).set(state.n_ready)
            self._starting.labels(*labels).set(state.n_starting)
            self._draining.labels(*labels).set(state.n_draining)
            for reason in (*each.decision.reasons, *decided.reasons):
                self._reason.labels(*labels, str(reason.code)).set(1.0)
            if not is_seen(decided.reasons):
                continue
            self._load.labels(*labels).set(decided.load)
            if decided.utilization is not None:
                self._utilization.labels(*labels).set(decided.utilization)

    def _fill_attainment(self, key: tuple[str, str], each: Decided) -> None:
        """A share that is not known is not there: before the first answers, it is NaN."""
        realised = None if each.realised is None else each.realised.attainment()
        for kind, shares in (("predicted", each.decision.predicted), ("realised", realised)):
            if shares is None:
                continue
            for qos, share in zip(each.view.classes, shares, strict=True):
                if math.isfinite(share):
                    self._attainment.labels(*key, qos.name, kind).set(share)


def _line(publication: Decided) -> Mapping[str, object]:
    """A decision in the words of its status."""
    decision, key = publication.decision, publication.view.key
    has_traffic = is_seen(decision.reasons)
    return {
        "namespace": key.namespace,
        "model": key.model_id,
        "decision_id": publication.decision_id,
        "source": publication.source,
        "qps": round(float(decision.qps.sum()), 3) if has_traffic else None,
        "mix": {each.name: each.desired for each in decision.targets},
        "ready": {each.name: each.n_ready for each in publication.view.targets},
        "load": {
            t.name: round(float(t.load), 3) if has_traffic else None for t in decision.targets
        },
        "cost_usd_per_hour": round(float(decision.usd_per_hour), 4),
        "reasons": [f"{each.code}: {each.message}" for each in _reasons(decision)],
    }


def _reasons(decision: Decision) -> Iterator[Reason]:
    """The model's reasons and its targets', each sentence once."""
    seen: set[str] = set()
    for reason in (*decision.reasons, *(r for t in decision.targets for r in t.reasons)):
        if reason.message not in seen:
            seen.add(reason.message)
            yield reason
