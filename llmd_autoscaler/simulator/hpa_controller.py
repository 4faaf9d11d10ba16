"""The HPA controller of the simulated cluster: reads metrics where Kubernetes would, writes `/scale`."""

import asyncio
import json
from collections import Counter

import aiohttp

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.hpa import (
    Condition,
    HpaResult,
    HpaSpec,
    Metric,
    Scale,
    desired_replicas,
)
from llmd_autoscaler.simulator.hpa_behavior import History
from llmd_autoscaler.simulator.hpa_resource import conditions, first_history, hpa_spec, metric_path
from llmd_autoscaler.simulator.kubeapi.kinds import DEPLOYMENT, HPA, POD
from llmd_autoscaler.simulator.kubeapi.objects import Json, timestamp
from llmd_autoscaler.simulator.kubeapi.paths import Target
from llmd_autoscaler.simulator.kubeapi.selectors import parse_selector
from llmd_autoscaler.simulator.kubeapi.status import ApiError
from llmd_autoscaler.simulator.kubeapi.verbs import Verbs
from llmd_autoscaler.simulator.pod_status import serves
from llmd_autoscaler.simulator.quantity import milli
from llmd_autoscaler.translate.json_object import child, items, text, whole

_TIMEOUT = aiohttp.ClientTimeout(total=6.0)  # wall; the proxy gives up after 5
_N_WORKERS = 5  # --concurrent-horizontal-pod-autoscaler-syncs


class HpaController:
    """Evaluates every HPA once a period."""

    def __init__(self, verbs: Verbs, address: str, *, period_s: float = 15.0) -> None:
        """A controller of the API at an address.

        Args:
            verbs: the store's verbs, for all but the metrics.
            address: where the API serves: metrics are read through it, as any client would.
            period_s: --horizontal-pod-autoscaler-sync-period, simulated seconds.
        """
        self._verbs = verbs
        self._clock = verbs.store.clock
        self._address = address
        self._period_s = period_s
        self._histories: dict[str, History] = {}  # by HPA uid
        self._workers = asyncio.Semaphore(_N_WORKERS)

    async def run(self) -> None:
        """Evaluate all HPAs each period until cancelled; a period that is late is left out."""
        next_s = self._clock.now_s()
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                await self.evaluate_all(session)
                missed = max(0.0, self._clock.now_s() - next_s) // self._period_s
                next_s += (missed + 1) * self._period_s
                await asyncio.sleep(self._clock.wall_until_s(next_s))

    async def evaluate_all(self, session: aiohttp.ClientSession) -> None:
        """One period."""
        bodies = list(self._verbs.store.collection(HPA).objects.values())
        seen = {text(body, "metadata", "uid") for body in bodies}
        self._histories = {uid: past for uid, past in self._histories.items() if uid in seen}
        owners = Counter(_target_of(body) for body in bodies)
        await asyncio.gather(
            *(
                self._evaluate(session, body, is_alone=owners[_target_of(body)] == 1)
                for body in bodies
            )
        )

    async def _evaluate(
        self, session: aiohttp.ClientSession, body: Json, *, is_alone: bool
    ) -> None:
        try:
            if not is_alone:
                message = f"more than one HPA scales {_target_of(body).name}: keep one"
                self._hold(body, Condition("ScalingActive", False, "AmbiguousSelector", message))
                return
            self._scale(body)  # no metric is read for what cannot be scaled
            spec = hpa_spec(body)
            async with self._workers:
                metrics = [await self._read(session, body, i) for i, _ in enumerate(spec.metrics)]
            self._act(body, spec, metrics)
        except ConfigError as error:
            self._hold(body, Condition("ScalingActive", False, "FailedGetObjectMetric", str(error)))
        except ApiError as error:
            self._hold(body, Condition("AbleToScale", False, "FailedGetScale", str(error)))

    def _hold(self, body: Json, failure: Condition) -> None:
        """Leave the scale alone and say why."""
        found = self._verbs.store.collection(DEPLOYMENT).objects.get(_target_of(body).key, {})
        scale = Scale(whole(found, "spec", "replicas"), whole(found, "status", "replicas"), 0)
        self._show(body, scale, HpaResult(scale.spec_replicas, (failure,), History()))

    def _act(self, body: Json, spec: HpaSpec, metrics: list[Metric]) -> None:
        """Decide on the scale as it is now, for it may have moved while the metrics were read."""
        uid, scale = text(body, "metadata", "uid"), self._scale(body)
        history = self._histories.get(uid) or first_history(body)
        result = desired_replicas(spec, scale, metrics, history, self._clock.now_s())
        if result.replicas != scale.spec_replicas:
            self._verbs.merge(_target_of(body), {"spec": {"replicas": result.replicas}})
        self._histories[uid] = result.history
        self._show(body, scale, result)

    def _scale(self, body: Json) -> Scale:
        target = _target_of(body)
        found = self._verbs.get(target)
        selector = parse_selector(text(found, "status", "selector"))
        pods = self._verbs.listed(Target(POD, target.namespace), selector)
        return Scale(
            spec_replicas=whole(found, "spec", "replicas"),
            status_replicas=whole(found, "status", "replicas"),
            n_ready=sum(serves(pod) for pod in pods),
        )

    async def _read(self, session: aiohttp.ClientSession, body: Json, index: int) -> Metric:
        """One metric through the aggregated path; the message of a refusal is kept verbatim."""
        path = metric_path(body, index)
        try:
            async with session.get(self._address + path) as answer:
                found = json.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Metric(failure=f"unable to fetch metrics: {type(error).__name__} {error}")
        if not isinstance(found, dict) or not answer.ok:
            why = text(found, "message") if isinstance(found, dict) else "no object"
            return Metric(failure=f"unable to fetch metrics from custom metrics API: {why}")
        try:
            values = tuple(milli(text(item, "value")) for item in items(found, "items"))
        except ValueError as error:
            return Metric(failure=f"unable to fetch metrics from custom metrics API: {error}")
        return Metric(values)

    def _show(self, body: Json, scale: Scale, result: HpaResult) -> None:
        now_s = self._clock.now_s()
        namespace, name = text(body, "metadata", "namespace"), text(body, "metadata", "name")
        status: Json = {
            "currentReplicas": scale.status_replicas,
            "desiredReplicas": result.replicas,
            "conditions": conditions(body, result.conditions, now_s),
        }
        if result.replicas != scale.spec_replicas:
            status["lastScaleTime"] = timestamp(now_s)
        key = Target(HPA, namespace, name, "status")
        if key.key in self._verbs.store.collection(HPA).objects:  # not deleted meanwhile
            self._verbs.merge(key, {"status": status})


def _target_of(body: Json) -> Target:
    """The scale that an HPA moves; only Deployments have one here, others are not found."""
    reference = child(body, "spec", "scaleTargetRef")
    name, namespace = text(reference, "name"), text(body, "metadata", "namespace")
    if (reference.get("kind"), reference.get("apiVersion")) != ("Deployment", "apps/v1"):
        name = f"{reference.get('kind')}/{name}"
    return Target(DEPLOYMENT, namespace, name, "scale")
