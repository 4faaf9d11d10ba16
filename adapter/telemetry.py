"""The adapter's own metrics."""

from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from adapter.store import Store


class Telemetry:
    """Counters and gauges of one process, in a registry of their own."""

    CONTENT_TYPE: ClassVar[str] = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "llmd_adapter_requests", "Requests by status code", ["code"], registry=self._registry
        )
        self.served = Counter("llmd_adapter_served", "Values served", registry=self._registry)
        self.withheld = Counter(
            "llmd_adapter_withheld",
            "Values asked for and not served, by reason",
            ["reason"],
            registry=self._registry,
        )
        self._objects = Gauge(
            "llmd_adapter_objects", "VariantAutoscalings in the store", registry=self._registry
        )
        self._watch_connected = Gauge(
            "llmd_adapter_watch_connected", "1 while the watch is open", registry=self._registry
        )

    def page(self, store: Store) -> bytes:
        """The text of /metrics."""
        self._objects.set(len(store))
        self._watch_connected.set(store.is_connected)
        return generate_latest(self._registry)
