"""The simulated cluster with real child processes; simulated time runs 20 to 100 times as fast."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.cluster_process import ClusterOptions, simulated_cluster
from llmd_autoscaler.simulator.deployment_controller import N_WARM, STARTUP_P50
from llmd_autoscaler.simulator.kubeapi.kinds import DEPLOYMENT, HPA, POD, VARIANT_AUTOSCALING
from llmd_autoscaler.simulator.kubeapi.objects import seconds
from llmd_autoscaler.simulator.kubeapi.paths import Target
from llmd_autoscaler.simulator.pod_status import ready_since_s, serves
from llmd_autoscaler.translate.json_object import items, text

pytestmark = pytest.mark.slow

STAND_IN = str(Path(__file__).with_name("stand_in_server.py"))
SERVE = [sys.executable, STAND_IN, "--host", "$(POD_IP)", "--port", "8000"]


class Watched:
    """A cluster and ways to wait for what it should come to."""

    def __init__(self, cluster):
        self.verbs, self.address = cluster.verbs, cluster.address
        self.store = cluster.verbs.store

    def pods(self):
        return list(self.store.collection(POD).objects.values())

    def serving(self):
        return [pod for pod in self.pods() if serves(pod)]

    def deployment(self):
        return self.verbs.get(Target(DEPLOYMENT, "llm", "d"))

    def scale(self, replicas):
        self.verbs.merge(Target(DEPLOYMENT, "llm", "d"), {"spec": {"replicas": replicas}})

    async def until(self, claim):
        async with asyncio.timeout(20):
            while not claim():
                changes = [self.store.collection(k).changed for k in (POD, DEPLOYMENT, HPA)]
                waiting = [asyncio.create_task(change.wait()) for change in changes]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()

    def deploy(self, replicas, command=SERVE, grace_s=30, **annotations):
        labels = {"app": "d"}
        container = {"name": "server", "image": "none", "command": command}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": grace_s},
        }
        self.verbs.create(
            Target(DEPLOYMENT, "llm"),
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d", "annotations": annotations},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": template,
                },
            },
        )


@contextlib.asynccontextmanager
async def cluster(rate=20.0, **options):
    clock = Clock.starting_at(1_700_000_000.0, rate)
    async with simulated_cluster(ClusterOptions(clock=clock, **options)) as running:
        yield Watched(running)


async def ask(pod, path):
    url = f"http://{text(pod, 'status', 'podIP')}:8000{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


def is_alive(process_id):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, 0)
        return True
    return False


async def test_pods_serve_on_addresses_of_their_own():
    async with cluster() as it:
        it.deploy(2)
        await it.until(lambda: len(it.serving()) == 2)
        found = {await ask(pod, "/health") for pod in it.serving()}
        await it.until(lambda: it.deployment()["status"]["readyReplicas"] == 2)
    assert len(found) == 2


async def test_a_pod_is_not_ready_before_its_lead_time_is_over():
    async with cluster(rate=20.0) as it:
        it.deploy(2, **{STARTUP_P50: "60", N_WARM: "1"})
        await it.until(lambda: len(it.serving()) == 2)
        warm, cold = sorted(it.serving(), key=lambda pod: text(pod, "metadata", "name"))
    # times are whole seconds on the wire, cut: 60 s can read as 59
    assert ready_since_s(cold) - seconds(text(cold, "metadata", "creationTimestamp")) >= 59
    assert ready_since_s(warm) < ready_since_s(cold)


async def test_a_scale_in_drains_a_pod_and_lets_it_go():
    async with cluster() as it:
        it.deploy(2)
        await it.until(lambda: len(it.serving()) == 2)
        it.scale(1)
        await it.until(lambda: len(it.pods()) == 1)
        assert it.deployment()["status"]["replicas"] == 1


async def test_a_process_deaf_to_sigterm_is_killed_after_its_grace():
    async with cluster(rate=100.0) as it:
        it.deploy(1, command=[*SERVE, "--deaf"], grace_s=50)  # half a wall second
        await it.until(it.serving)
        process_id = int(await ask(it.serving()[0], "/health"))
        it.scale(0)
        await it.until(lambda: not it.pods())
        assert not is_alive(process_id)


async def test_a_pod_whose_process_dies_is_replaced():
    async with cluster() as it:
        it.deploy(1)
        await it.until(it.serving)
        (first,) = it.serving()
        with contextlib.suppress(aiohttp.ClientError):
            await ask(first, "/crash")
        uid = first["metadata"]["uid"]
        await it.until(lambda: it.serving() and it.serving()[0]["metadata"]["uid"] != uid)


async def test_a_pod_that_never_serves_is_tried_again_ever_more_seldom():
    async with cluster(rate=100.0) as it:
        before_s = it.store.clock.now_s()
        it.deploy(1, command=[sys.executable, "-c", "raise SystemExit('no such model')"])
        await it.until(lambda: ("llm", "d-3") in it.store.collection(POD).objects)
        took_s = it.store.clock.now_s() - before_s
    # three failures, followed by pauses of 10, 20 and 40 simulated seconds
    assert took_s >= 70


async def test_a_pod_that_fails_says_why():
    seen = []
    async with cluster() as it:
        it.deploy(1, command=[sys.executable, "-c", "raise SystemExit('no such model')"])

        def has_failed():
            for change in it.store.collection(POD).since(0):
                pod = change.after or {}
                if text(pod, "status", "phase") == "Failed":
                    seen.append(text(pod, "status", "message"))
            return bool(seen)

        await it.until(has_failed)
    assert seen[0] == "the process ended with code 1: no such model"


async def test_the_processes_end_with_the_cluster():
    async with cluster() as it:
        it.deploy(2)
        await it.until(lambda: len(it.serving()) == 2)
        process_ids = [int(await ask(pod, "/health")) for pod in it.serving()]
    assert not any(is_alive(process_id) for process_id in process_ids)


async def test_the_pods_of_a_deleted_deployment_end():
    async with cluster() as it:
        it.deploy(2)
        await it.until(lambda: len(it.serving()) == 2)
        it.verbs.delete(Target(DEPLOYMENT, "llm", "d"))
        await it.until(lambda: not it.pods())


async def test_a_deployment_with_a_wrong_annotation_says_so_and_harms_nobody():
    async with cluster() as it:
        it.deploy(1, **{STARTUP_P50: "soon"})
        await it.until(lambda: len(list(items(it.deployment(), "status", "conditions"))) == 2)
        failure = list(items(it.deployment(), "status", "conditions"))[1]
        assert failure["type"] == "ReplicaFailure"
        assert "soon" in failure["message"]
        it.verbs.merge(
            Target(DEPLOYMENT, "llm", "d"), {"metadata": {"annotations": {STARTUP_P50: "0"}}}
        )
        await it.until(it.serving)


def hpa():
    described = {
        "apiVersion": VARIANT_AUTOSCALING.api_version,
        "kind": "VariantAutoscaling",
        "name": "d",
    }
    free = {
        "stabilizationWindowSeconds": 0,
        "tolerance": "0",
        "policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}],
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "d"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [
                {
                    "type": "Object",
                    "object": {
                        "describedObject": described,
                        "metric": {"name": "desired_replicas"},
                        "target": {"type": "AverageValue", "averageValue": "1"},
                    },
                }
            ],
            "behavior": {"scaleUp": free, "scaleDown": free},
        },
    }


class StandInAdapter:
    """Answers every metric with one value, or with a 404 where the value is None."""

    def __init__(self):
        self.value, self.paths = "2", []

    async def answer(self, request):
        self.paths.append(request.path)
        if self.value is None:
            return web.json_response(
                {"kind": "Status", "message": "withheld: past validUntil"}, status=404
            )
        return web.json_response({"items": [{"value": self.value}]})

    @contextlib.asynccontextmanager
    async def listening(self):
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        try:
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


def scaling_active(it):
    body = it.verbs.get(Target(HPA, "llm", "d"))
    found = (c for c in items(body, "status", "conditions") if c["type"] == "ScalingActive")
    return next(found, {})


async def test_the_hpa_follows_the_metric_through_the_aggregated_path():
    adapter = StandInAdapter()
    async with adapter.listening() as url, cluster(rate=60.0, adapter_url=url) as it:
        it.deploy(1)
        it.verbs.create(Target(HPA, "llm"), hpa())
        await it.until(lambda: len(it.serving()) == 2)
        adapter.value = "3"
        await it.until(lambda: len(it.serving()) == 3)
        adapter.value = "1"
        await it.until(lambda: len(it.pods()) == 1)
    assert set(adapter.paths) == {
        f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/llm/{VARIANT_AUTOSCALING.resource}/d/desired_replicas"
    }


async def test_a_metric_that_is_withheld_freezes_the_hpa_with_the_reason_verbatim():
    adapter = StandInAdapter()
    adapter.value = None
    async with adapter.listening() as url, cluster(rate=60.0, adapter_url=url) as it:
        it.deploy(2)
        it.verbs.create(Target(HPA, "llm"), hpa())
        await it.until(lambda: scaling_active(it).get("status") == "False")
        assert "withheld: past validUntil" in scaling_active(it)["message"]
        assert it.deployment()["spec"]["replicas"] == 2


async def test_two_hpas_of_one_deployment_do_not_act():
    adapter = StandInAdapter()
    async with adapter.listening() as url, cluster(rate=60.0, adapter_url=url) as it:
        it.deploy(1)
        second = hpa() | {"metadata": {"name": "e"}}
        it.verbs.create(Target(HPA, "llm"), hpa())
        it.verbs.create(Target(HPA, "llm"), second)
        await it.until(lambda: scaling_active(it).get("reason") == "AmbiguousSelector")
        assert it.deployment()["spec"]["replicas"] == 1


RUN = """
import asyncio
from llmd_autoscaler.simulator.cluster_process import ClusterOptions, run_cluster
asyncio.run(run_cluster(ClusterOptions(), on_address=lambda address: print(address, flush=True)))
"""


async def test_the_process_announces_its_address_and_ends_on_sigterm():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        address = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession() as session, session.get(f"{address}/healthz") as answer:
            assert await answer.text() == "ok"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_the_process_ends_when_its_parent_is_killed():
    parent_code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {RUN!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent_code, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        lines = [(await parent.stdout.readline()).decode().strip() for _ in range(2)]
        child = next(int(line) for line in lines if line.isdecimal())
        assert any(line.startswith("http://127.0.0.1:") for line in lines)
        parent.kill()
        await parent.wait()
        while is_alive(child):  # noqa: ASYNC110 (somebody else's child tells us nothing)
            await asyncio.sleep(0.05)
