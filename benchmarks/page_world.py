"""A hundred models as the page sees them: statuses, the controller's gauges, a router's page, and six hours of history."""

import math
from collections.abc import Mapping

import numpy as np
from aiohttp import web

from benchmarks.tick_world import CLASSES, RouterPage
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.resources import SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.page.history import History
from llmd_autoscaler.router.latency import Latencies
from llmd_autoscaler.translate.condition import rfc3339_seconds

NAMESPACE = "llm"
TICK_S = 15.0
_SLO: Mapping[str, Json] = {
    "interactive": {"percentile": "0.99", "ttft": {"max": "1s"}, "tpot": {"max": "80ms"}},
    "relaxed": {"percentile": "0.95", "e2e": {"max": "60s"}},
}
_STEP = {
    "baseMs": "26.1", "perDecodeMs": "0.05", "perPrefillTokenMs": "0.16",
    "perContextKTokenMs": "0.08", "perAttentionMTokenSqMs": "2.9",
}  # fmt: skip


class Models:
    """Models whose numbers wander from tick to tick."""

    def __init__(self, n: int, seed: int) -> None:
        self.n = n
        self._rng = np.random.default_rng(seed)
        self._router = RouterPage(range(n), seed)
        self._load = self._rng.uniform(1.5, 8.0, n)
        self._latencies = {(m, c): Latencies() for m in range(n) for c in range(len(CLASSES))}
        self._counter = 0

    def tick(self) -> None:
        """Another tick."""
        self._counter += 1
        self._load = np.clip(self._load + self._rng.normal(0.0, 0.4, self.n), 1.0, 9.0)
        for (m, _), latencies in self._latencies.items():
            for ttft_s in self._rng.lognormal(math.log(0.3), 0.4, 10):
                latencies.ttft.observe(float(ttft_s))
                latencies.tpot.observe(0.03 + 0.005 * float(self._load[m] % 1.0))

    def app(self) -> web.Application:
        """`/router/metrics` and `/controller/metrics`."""
        app = web.Application()

        async def router(_: web.Request) -> web.Response:
            return web.Response(text=self._router.next_tick() + self._histograms())

        async def controller(_: web.Request) -> web.Response:
            return web.Response(text="".join(self._gauges(m) for m in range(self.n)))

        app.router.add_get("/router/metrics", router)
        app.router.add_get("/controller/metrics", controller)
        return app

    async def declare(self, kube: Kube) -> None:
        """The objects of all models."""
        for m in range(self.n):
            level: Json = {"metadata": {"name": f"model-{m}"}, "spec": _level_spec(m)}
            variant: Json = {"metadata": {"name": f"model-{m}-a100"}, "spec": _variant_spec(m)}
            await kube.apply(SERVICE_LEVELS, NAMESPACE, f"model-{m}", level, manager="people")
            await kube.apply(
                VARIANT_AUTOSCALINGS, NAMESPACE, f"model-{m}-a100", variant, manager="people"
            )

    async def publish(self, kube: Kube, now_s: float) -> None:
        """The statuses of all models, every one of them changed."""
        for m in range(self.n):
            stamp: Json = {
                "decisionID": f"1-{self._counter * self.n + m}",
                "decidedAt": rfc3339_seconds(now_s),
                "validUntil": rfc3339_seconds(now_s + 600.0),
            }
            variant = stamp | self._variant_status(m, now_s)
            level = stamp | self._level_status(m)
            name = f"model-{m}"
            await kube.apply_status(
                VARIANT_AUTOSCALINGS, NAMESPACE, f"{name}-a100", variant, manager="controller"
            )
            await kube.apply_status(SERVICE_LEVELS, NAMESPACE, name, level, manager="controller")

    def fill(self, history: History, key_of: Mapping[int, str], *, end_s: float, n: int) -> None:
        """So many moments, with every series that a model of two classes has."""
        names = [
            *(f"class/{c}/{s}" for c in CLASSES for s in _CLASS_SERIES),
            *(f"target/{{}}/{s}" for s in ("desired", "ready", "starting", "draining", "load")),
            "cost", "per_million", "gpus",
        ]  # fmt: skip
        for i in range(n):
            drawn = self._rng.uniform(0.9, 1.0, (self.n, len(names)))
            moment = {
                key: {
                    name.format(f"model-{m}-a100"): float(drawn[m, j])
                    for j, name in enumerate(names)
                }
                for m, key in key_of.items()
            }
            history.append(end_s - (n - i) * TICK_S, moment)

    def _desired(self, m: int) -> int:
        return math.ceil(float(self._load[m]))

    def _variant_status(self, m: int, now_s: float) -> Json:
        desired, load = self._desired(m), f"{self._load[m]:.2f}"
        message = f"{self._load[m] * 2:.2f} req/s is load {load}: {desired} carry it"
        return {
            "groupNames": "mixed",
            "replicas": desired,
            "readyReplicas": desired,
            "desiredReplicas": desired,
            "load": load,
            "costPerHour": f"{desired * 14}",
            "groups": [{"name": "mixed", "desired": desired, "current": desired, "load": load}],
            "leadTime": {"p50": "2m", "p90": "3m20s", "source": "profile"},
            "reasons": [{"code": "DemandMet", "message": message}],
            "history": [
                {
                    "at": rfc3339_seconds(now_s - 600.0 * i),
                    "from": desired + i % 2,
                    "to": desired + (i + 1) % 2,
                    "code": "DemandUp",
                }
                for i in range(10, 0, -1)
            ],
        }

    def _level_status(self, m: int) -> Json:
        kept = "0.985" if m % 25 == 0 else "0.996"  # a few that miss
        return {
            "traffic": {
                "source": "router",
                "window": "60s",
                "classes": [
                    {"name": c, "qps": "4.2", "islMean": 1100, "oslMean": 220} for c in CLASSES
                ],
            },
            "forecast": [
                {"class": c, "horizon": "230s", "qpsP50": "4.4", "qpsP90": "5.1"} for c in CLASSES
            ],
            "mix": [
                {
                    "target": f"model-{m}-a100", "group": "mixed", "instances": self._desired(m),
                    "port": 8000, "kvTokens": 310000, "step": _STEP,
                }
            ],
            "routes": [
                {"class": c, "target": f"model-{m}-a100", "group": "mixed", "fraction": "1"}
                for c in CLASSES
            ],
            "attainment": [
                {"class": c, "window": "1h", "predicted": "0.994", "realised": kept} for c in CLASSES
            ],
            "costPerMillionTokens": "1.67",
        }  # fmt: skip

    def _gauges(self, m: int) -> str:
        labels = f'namespace="{NAMESPACE}",model="model-{m}"'
        target, desired = f'{labels},target="model-{m}-a100"', self._desired(m)
        kept = 0.985 if m % 25 == 0 else 0.996
        lines = [
            f"llmd_autoscaler_desired_instances{{{target}}} {desired}",
            f"llmd_autoscaler_ready_instances{{{target}}} {desired}",
            f"llmd_autoscaler_load{{{target}}} {self._load[m]!r}",
            f"llmd_autoscaler_utilization{{{target}}} {self._load[m] / desired!r}",
            *(
                f'llmd_autoscaler_attainment{{{labels},class="{c}",kind="realised"}} {kept}'
                for c in CLASSES
            ),
        ]
        return "\n".join(lines) + "\n"

    def _histograms(self) -> str:
        lines: list[str] = []
        for (m, c), latencies in self._latencies.items():
            labels = f'model="model-{m}",class="{CLASSES[c]}"'
            lines += latencies.ttft.lines("llmd_router_ttft_seconds", labels)
            lines += latencies.tpot.lines("llmd_router_tpot_seconds", labels)
        return "\n".join(lines) + "\n"


_CLASS_SERIES = (
    "qps", "expected", "isl", "osl", "predicted", "realised", "attained",
    "ttft_p50", "ttft_p95", "ttft_p99", "tpot_p50", "tpot_p95", "tpot_p99",
)  # fmt: skip


def _level_spec(m: int) -> Json:
    matches: Mapping[str, Json] = {
        "interactive": {"header": {"name": "x-llm-class", "value": "interactive"}},
        "relaxed": {"default": True},
    }
    return {
        "modelID": f"model-{m}",
        "classes": [
            {"name": c, "priority": 100 - i, "match": matches[c], "slo": _SLO[c]}
            for i, c in enumerate(CLASSES)
        ],
    }


def _variant_spec(m: int) -> Json:
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"model-{m}"},
        "modelID": f"model-{m}",
        "accelerator": "A100-80GB",
        "acceleratorCount": 4,
        "groups": ["mixed"],
        "costPerHour": "14.00",
        "minReplicas": 1,
        "maxReplicas": 10,
        "profileRef": {"name": "p"},
    }
