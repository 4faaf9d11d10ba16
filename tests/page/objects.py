"""ServiceLevels and VariantAutoscalings as the API server has them, and a page that follows some."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import yaml
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.kube.resources import SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.page.assets import Assets
from llmd_autoscaler.page.board import Board
from llmd_autoscaler.page.cluster import following
from llmd_autoscaler.page.collector import Collector
from llmd_autoscaler.page.history import History
from llmd_autoscaler.page.model import ModelObjects
from llmd_autoscaler.page.server import Face
from llmd_autoscaler.page.sources import Presence, Sources

NOW_S = 1_795_512_600.0  # 2026-11-24T09:30:00Z
CHAT, CODE = "acme/Chat-70B", "acme/Code-8B"

_LEVEL = """
metadata: {name: chat, namespace: llm, resourceVersion: "7"}
spec:
  modelID: acme/Chat-70B
  classes:
  - name: interactive
    priority: 100
    match: {header: {name: x-llm-class, value: interactive}}
    slo: {percentile: "0.99", ttft: {max: 1s, perThousandPromptTokens: 500ms}, tpot: {max: 80ms}}
  - name: relaxed
    priority: 50
    match: {default: true}
    slo: {percentile: "0.95", e2e: {max: 60s}}
status:
  decisionID: 7-1482
  decidedAt: "2026-11-24T09:29:45Z"
  validUntil: "2026-11-24T09:39:45Z"
  summary: {classes: "2", qps: "7.51", attainment: "0.996", predicted: "0.993", feasible: "True"}
  traffic:
    source: router
    window: 60s
    classes: [{name: interactive, qps: "5.31", islMean: 1155, oslMean: 211, prefixHit: "0.12"}, {name: relaxed, qps: "2.2", islMean: 1160, oslMean: 208}]
  forecast: [{class: interactive, horizon: 180s, qpsP50: "5.6", qpsP90: "6.8"}]
  mix: [{target: chat-a100, group: mixed, instances: 4, port: 8000, kvTokens: 310000, step: {baseMs: "26.1", perDecodeMs: "0.05", perPrefillTokenMs: "0.16", perContextKTokenMs: "0.08", perAttentionMTokenSqMs: "2.9"}}]
  routes:
  - {class: interactive, islUpTo: 4096, target: chat-a100, group: mixed, fraction: "1"}
  - {class: interactive, target: chat-a100, group: mixed, fraction: "0.7"}
  - {class: interactive, target: chat-h100, group: mixed, fraction: "0.3"}
  attainment: [{class: interactive, window: 1h, predicted: "0.993", realised: "0.996", worst: ttft}, {class: relaxed, window: 1h, predicted: "1", realised: "0.999"}]
  costPerHour: "56"
  costPerMillionTokens: "1.67"
  binding: {limit: maxReplicas, of: chat-h100}
  conditions: [{type: SLOFeasible, status: "True", reason: AllClassesMet, message: "4 carry it", lastTransitionTime: "2026-11-24T08:10:00Z"}]
"""
_VARIANT = """
metadata: {name: chat-a100, namespace: llm, resourceVersion: "8"}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat-a100}
  modelID: acme/Chat-70B
  accelerator: A100-80GB
  acceleratorCount: 4
  groups: [mixed]
  costPerHour: "14.00"
  minReplicas: 1
  maxReplicas: 10
  profileRef: {name: p}
status:
  decisionID: 7-1482
  decidedAt: "2026-11-24T09:29:45Z"
  validUntil: "2026-11-24T09:39:45Z"
  groupNames: mixed
  costPerHour: "56"
  reason: DemandUp
  replicas: 4
  readyReplicas: 3
  desiredReplicas: 4
  load: "3.21"
  utilization: "1.07"
  groups: [{name: mixed, desired: 4, current: 3, starting: 1, readyBy: "2026-11-24T09:31:20Z", load: "3.21"}]
  leadTime: {p50: 91s, p90: 140s, source: profile}
  reasons: [{code: DemandUp, message: "5.30 req/s is load 3.21: 3 → 4"}]
  history: [{at: "2026-11-24T09:00:00Z", from: 4, to: 3, code: DemandDown}, {at: "2026-11-24T09:29:45Z", from: 3, to: 4, code: DemandUp}]
  conditions: [{type: TargetResolved, status: "True", reason: Resolved, message: 'Deployment "chat-a100": 3 ready, 1 starting, 2 draining', lastTransitionTime: "2026-11-24T07:00:00Z"}]
"""


def level(model=CHAT, name="chat", **status):
    """A ServiceLevel; fields of its status as given."""
    found = yaml.safe_load(_LEVEL)
    found["metadata"]["name"] = name
    found["spec"]["modelID"] = model
    found["status"] |= status
    return found


def variant(model=CHAT, name="chat-a100", **status):
    """A VariantAutoscaling; fields of its status as given."""
    found = yaml.safe_load(_VARIANT)
    found["metadata"]["name"] = name
    found["spec"]["modelID"] = model
    found["status"] |= status
    return found


def objects(*, levels=None, variants=None):
    """What concerns the chat model."""
    return ModelObjects(
        "llm",
        CHAT,
        [level()] if levels is None else levels,
        [variant()] if variants is None else variants,
    )


def attained(interactive, relaxed="0.999", *, predicted="0.993"):
    """`attainment` of a status."""
    return [
        {"class": "interactive", "window": "1h", "predicted": predicted, "realised": interactive, "worst": "ttft"},
        {"class": "relaxed", "window": "1h", "predicted": "1", "realised": relaxed},
    ]  # fmt: skip


async def write(kube, *wires):
    """Create objects with their statuses, or write the statuses of those that are there."""
    for wire in wires:
        resource = SERVICE_LEVELS if "classes" in wire["spec"] else VARIANT_AUTOSCALINGS
        namespace, name = wire["metadata"]["namespace"], wire["metadata"]["name"]
        body = {"metadata": {"name": name, "namespace": namespace}, "spec": wire["spec"]}
        await kube.apply(resource, namespace, name, body, manager="people")
        await kube.apply_status(resource, namespace, name, wire["status"], manager="controller")


@dataclass
class Page:
    """A page under test."""

    url: str
    collector: Collector
    kube: Kube

    async def shows(self, claim: Callable[[dict], bool]) -> None:
        """Wait until the board says so."""
        async with asyncio.timeout(20):
            while not claim(self.collector.board.everything()):  # noqa: ASYNC110 (what is waited for has no event of its own)
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def page(api, clock=None, *, controller="", routers=()):
    """A page on loopback that follows an API server, in this process."""
    clock = clock or Clock.starting_at(NOW_S, 1.0)
    async with (
        following(api, "") as cluster,
        Scraper(clock) as scraper,
        await Kube.connect(api) as kube,
    ):
        now_s = clock.now_s()
        sources = Sources(
            scraper,
            clock,
            Presence("controller", controller, now_s) if controller else None,
            [Presence("router", url, now_s) for url in routers],
        )
        presence = Presence("API server", api, now_s)
        collector = Collector(cluster, sources, clock, Board("b"), History(), presence)
        running = asyncio.create_task(collector.run())
        runner = web.AppRunner(
            Face(collector, Assets()).app(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield Page(f"http://127.0.0.1:{runner.addresses[0][1]}", collector, kube)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await runner.cleanup()
