"""A server of metrics of pods, which the project has none of: what the HPA makes of them is measured on it.

Says what a test has set, to whoever asks: nothing of it is reachable but from this machine.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from llmd_autoscaler.clock import Clock
from models.timestamp import write_timestamp
from tests.controlplane.component import HOST
from tests.controlplane.pki import Authority

METRIC = "requests"
_SERVICE = "pod-metrics"
_GROUP_VERSION = "custom.metrics.k8s.io/v1beta2"


@dataclass(slots=True)
class PodMetrics:
    """What each pod is said to have; a pod that is not there has no metric."""

    namespace: str
    values: dict[str, int] = field(default_factory=dict)

    async def discovery(self, _: web.Request) -> web.Response:
        """The one resource."""
        resource = {"name": f"pods/{METRIC}", "singularName": "", "namespaced": True}
        resource |= {"kind": "MetricValueList", "verbs": ["get"]}
        body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _GROUP_VERSION}
        return web.json_response(body | {"resources": [resource]})

    async def answer(self, _: web.Request) -> web.Response:
        """All pods that have the metric; each test asks in a namespace of its own, and for all of it."""
        now = write_timestamp(Clock().now_s())
        items = [
            {
                "describedObject": {
                    "kind": "Pod",
                    "apiVersion": "v1",
                    "namespace": self.namespace,
                    "name": name,
                },
                "metric": {"name": METRIC, "selector": None},
                "timestamp": now,
                "windowSeconds": 60,
                "value": str(value),
            }
            for name, value in self.values.items()
        ]
        body = {"kind": "MetricValueList", "apiVersion": _GROUP_VERSION, "metadata": {}}
        return web.json_response(body | {"items": items})


@contextlib.asynccontextmanager
async def serving(
    metrics: PodMetrics, authority: Authority, service: str, folder: Path
) -> AsyncIterator[int]:
    """The port of a server of these metrics, which has a certificate for a service."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.server(_SERVICE, [service, HOST]).write(folder, _SERVICE))
    app = web.Application()
    app.router.add_get(f"/apis/{_GROUP_VERSION}", metrics.discovery)
    path = f"/apis/{_GROUP_VERSION}/namespaces/{metrics.namespace}/pods/{{which}}/{METRIC}"
    app.router.add_get(path, metrics.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, ssl_context=tls).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
