"""The adapter's own metrics."""

from typing import ClassVar, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from adapter.store import Store

# an answer comes from memory; what is above 10 ms waited for a review
_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

What = Literal["metric", "discovery", "own", "health", "unknown"]


class Telemetry:
    """Counters, gauges and histograms of one process, in a registry of their own."""

    CONTENT_TYPE: ClassVar[str] = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "llmd_adapter_requests", "Requests by status code", ["code"], registry=registry
        )
        self.served = Counter("llmd_adapter_served", "Values served", registry=registry)
        self.withheld = Counter(
            "llmd_adapter_withheld",
            "Values asked for and not served, by reason",
            ["reason"],
            registry=registry,
        )
        self._objects = Gauge(
            "llmd_adapter_objects", "VariantAutoscalings in the store", registry=registry
        )
        self._watch_connected = Gauge(
            "llmd_adapter_watch_connected", "1 while the watch is open", registry=registry
        )
        self._took = Histogram(
            "llmd_adapter_request_seconds",
            "Time from a request's headers to its answer, by what was asked for",
            ["what"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._authentications = Counter(
            "llmd_adapter_authentications",
            "Who asked: by the front proxy's word, by a token, or by neither; and whether that was believed",
            ["method", "result"],
            registry=registry,
        )
        self._authorizations = Counter(
            "llmd_adapter_authorizations", "What was decided", ["result"], registry=registry
        )
        self._reviews = Counter(
            "llmd_adapter_reviews",
            "Questions to the API server: whose a token is, and what somebody may",
            ["kind", "result"],
            registry=registry,
        )
        self._expires_at = Gauge(
            "llmd_adapter_certificate_expiry_seconds",
            "Unix time at which a certificate in use ends, the first of a bundle",
            ["certificate"],
            registry=registry,
        )
        self._reloads = Counter(
            "llmd_adapter_certificate_reloads",
            "Changes of certificates on disk or in the cluster, by whether they could be used",
            ["result"],
            registry=registry,
        )

        self._handshakes_failed = Counter(
            "llmd_adapter_handshakes_failed",
            "Connections that came to nothing: no TLS, a certificate of another CA, or too slow",
            registry=registry,
        )

    def handshake_failed(self) -> None:
        """A connection ended before its first request."""
        self._handshakes_failed.inc()

    def took(self, what: What, took_s: float) -> None:
        """A request is answered."""
        self._took.labels(what).observe(took_s)

    def authenticated(
        self,
        method: Literal["front_proxy", "token", "none"],
        result: Literal["known", "refused", "unanswered"],
    ) -> None:
        """A caller was told apart, or not."""
        self._authentications.labels(method, result).inc()

    def authorized(self, result: Literal["allowed", "denied", "unanswered"]) -> None:
        """A wish was decided on."""
        self._authorizations.labels(result).inc()

    def reviewed(
        self, kind: Literal["token", "access"], result: Literal["answered", "failed"]
    ) -> None:
        """The API server was asked."""
        self._reviews.labels(kind, result).inc()

    def expires(self, certificate: Literal["serving", "front_proxy_ca"], at_s: float) -> None:
        """A certificate came into use."""
        self._expires_at.labels(certificate).set(at_s)

    def reloaded(self, *, is_used: bool) -> None:
        """A certificate has changed."""
        self._reloads.labels("used" if is_used else "refused").inc()

    def page(self, store: Store) -> bytes:
        """The text of /metrics."""
        self._objects.set(len(store))
        self._watch_connected.set(store.is_connected)
        return generate_latest(self._registry)
