"""What is answered to a path that may be asked for: from memory, and nothing else."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from adapter.authorization import ALL
from adapter.external_metrics import (
    NAME_LABEL,
    ExternalMetricValueList,
    external_metric_value_list,
)
from adapter.refusal import bad_request
from adapter.request_path import MetricPath, SeriesPath
from adapter.selector import Predicate, parse_selector
from adapter.store import METRICS, Key, Served, Store, WithheldError
from adapter.telemetry import Telemetry
from adapter.wire import metric_value_list
from llmd_autoscaler.clock import Clock
from models.custom_metrics import MetricValueListV1Beta1, MetricValueListV1Beta2

Matches = Callable[[Key, Mapping[str, str]], bool]

_N_SHOWN = 5  # names in a sentence that an HPA's condition shows


@dataclass(frozen=True, slots=True)
class Answers:
    """Numbers of the store in the form of each API.

    Raises, each of its functions: WithheldError, a number is not served, for a reason;
    RefusedError, the question cannot be read.
    """

    store: Store
    telemetry: Telemetry
    clock: Clock

    def custom(
        self, path: MetricPath, query: Mapping[str, str]
    ) -> MetricValueListV1Beta1 | MetricValueListV1Beta2:
        """custom.metrics.k8s.io: one object, or all whose labels match."""
        _check_metric(path.metric)
        if query.get("metricLabelSelector"):
            raise WithheldError(
                "metric_selector",
                f"{path.metric} has no labels: remove metric.selector from the HPA",
            )
        if path.name == ALL:
            matches = _selector(query)
            found = self._all(path.namespace, path.metric, lambda _, labels: matches(labels))
        else:
            found = [self._one(Key(path.namespace, path.name), path.metric)]
        self.telemetry.served.inc(len(found))
        return metric_value_list(path.version, found)

    def external(self, path: SeriesPath, query: Mapping[str, str]) -> ExternalMetricValueList:
        """external.metrics.k8s.io: the one object whose labels, or name as a label, match.

        Two are no answer: the HPA adds up what it is given, and would run the sum of two variants.
        """
        _check_metric(path.metric)
        matches = _selector(query)
        found = self._all(
            path.namespace,
            path.metric,
            lambda key, labels: matches({**labels, NAME_LABEL: key.name}),
            is_alone=True,
        )
        self.telemetry.served.inc()
        return external_metric_value_list(found[0])

    def _one(self, key: Key, metric: str) -> Served:
        now_s, monotonic_s = self.clock.now_s(), time.monotonic()
        return self.store.served(key, metric, now_s=now_s, monotonic_s=monotonic_s)

    def _all(
        self, namespace: str, metric: str, matches: Matches, *, is_alone: bool = False
    ) -> list[Served]:
        results = self.store.all_served(
            namespace,
            metric,
            matches,
            now_s=self.clock.now_s(),
            monotonic_s=time.monotonic(),
        )
        found, withheld = _sorted_out(results)
        if is_alone and len(found) + len(withheld) > 1:
            # one of two that is withheld is no reason to serve the other in its place
            raise _ambiguous(namespace, len(found) + len(withheld), found)
        if not found and withheld:
            raise withheld[0]
        if not found:
            raise WithheldError(
                "unknown_object",
                f"no VariantAutoscaling in namespace {namespace} matches the labelSelector",
            )
        for error in withheld:
            self.telemetry.withheld.labels(error.reason).inc()
        return found


def _sorted_out(
    results: Iterable[Served | WithheldError],
) -> tuple[list[Served], list[WithheldError]]:
    found, withheld = [], []
    for result in results:
        if isinstance(result, Served):
            found.append(result)
        else:
            withheld.append(result)
    return found, withheld


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise WithheldError(
            "unknown_metric",
            f"there is no metric {metric}: those of a VariantAutoscaling are {', '.join(METRICS)}",
        )


def _selector(query: Mapping[str, str]) -> Predicate:
    try:
        return parse_selector(query.get("labelSelector", ""))
    except ValueError as error:
        raise bad_request(str(error)) from error


def _ambiguous(namespace: str, n_matched: int, found: list[Served]) -> WithheldError:
    names = ", ".join(served.key.name for served in found[:_N_SHOWN])
    return WithheldError(
        "ambiguous",
        f"{n_matched} VariantAutoscalings in namespace {namespace} match the selector ({names} ...), and the HPA would"
        f" add them up: select one by {NAME_LABEL}: NAME",
    )
