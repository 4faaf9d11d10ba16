"""The whole loop on the real API server: traffic rises and falls, and the real HPA follows the controller to the number."""

import asyncio
import contextlib
import itertools
import re
import time

import numpy as np
import pytest

from llmd_autoscaler.kube.api import Kube, KubeError
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import DEPLOYMENTS, PODS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.simulator.replay import Replay
from tests.e2e.fleet import loop
from tests.e2e.identity import refused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Prompts of 3,000 tokens cost an A100 server half a second each: two a second need several servers.
ISL, OSL = 3000, 200
QUIET_QPS, BUSY_QPS = 0.3, 3.0
PHASES_S = ((60.0, QUIET_QPS), (240.0, BUSY_QPS), (600.0, QUIET_QPS))
# Two looks of the HPA and what a busy machine adds to them.
FOLLOWED_WITHIN_S = 6.0


def traffic():
    """Quiet, busy, quiet again."""
    gaps = [np.full(int(span_s * qps), 1.0 / qps) for span_s, qps in PHASES_S]
    at_s = np.cumsum(np.concatenate(gaps))
    n = len(at_s)
    return Replay(
        at_s=at_s - at_s[0],
        isl=np.full(n, ISL, dtype=np.int64),
        osl=np.full(n, OSL, dtype=np.int64),
        class_of=np.arange(n, dtype=np.int64) % 2,
    )


class Seen:
    """The numbers that an object had, each with when it was first seen."""

    def __init__(self, kube, resource, namespace, *path):
        self.numbers = []
        self._path = path
        self._mirror = Mirror(kube, resource, namespace, on_change=self._changed)

    def _changed(self):
        for found in self._mirror.objects.values():
            for step in self._path:
                found = found.get(step, {})  # noqa: PLW2901 (a walk down)
            if isinstance(found, int) and [n for _, n in self.numbers[-1:]] != [found]:
                self.numbers.append((time.monotonic(), found))

    @contextlib.asynccontextmanager
    async def following(self):
        task = asyncio.create_task(self._mirror.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def is_in_order_within(part, whole):
    """Whether one sequence is another with some left out."""
    rest = iter(whole)
    return all(each in rest for each in part)


@pytest.mark.usefixtures("adapter")
async def test_the_hpa_follows_the_controller_up_and_down_and_to_no_other_number(
    plane, api, namespace, tmp_path
):
    async with contextlib.AsyncExitStack() as stack:
        it = await stack.enter_async_context(loop(plane, api, namespace, tmp_path, most=6))
        desired = Seen(it.kube, VARIANT_AUTOSCALINGS, namespace, "status", "desiredReplicas")
        replicas = Seen(it.kube, DEPLOYMENTS, namespace, "spec", "replicas")
        await stack.enter_async_context(desired.following())
        await stack.enter_async_context(replicas.following())
        clients = it.clients(traffic())
        await clients.run(asyncio.Event())
        async with asyncio.timeout(FOLLOWED_WITHIN_S):
            while replicas.numbers[-1][1] != desired.numbers[-1][1]:  # noqa: ASYNC110 (a watch)
                await asyncio.sleep(0.1)
    published = [n for _, n in desired.numbers]
    landed = [n for _, n in replicas.numbers]
    assert max(published) >= 3
    assert published[-1] < max(published)
    assert set(landed) <= {1, *published}
    assert is_in_order_within(landed[1:], published)
    # each number that stood long enough for the HPA to look was landed on
    held = [
        n
        for (at, n), (end, _) in itertools.pairwise(desired.numbers)
        if end - at > FOLLOWED_WITHIN_S
    ]
    assert is_in_order_within(held, landed)
    assert refused(plane) == set()


@pytest.fixture
async def quiet(plane, api, namespace, tmp_path):
    """A loop that has decided once, without traffic."""
    async with loop(plane, api, namespace, tmp_path, most=6) as it:
        async with asyncio.timeout(60):
            while "decisionID" not in await it.status():  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
        yield it


@pytest.mark.usefixtures("adapter")
async def test_a_killed_controller_comes_back_as_a_newer_leader_and_no_number_moves(quiet):
    before = await quiet.status()
    replicas = Seen(quiet.kube, DEPLOYMENTS, quiet.namespace, "spec", "replicas")
    async with replicas.following(), asyncio.timeout(60):
        quiet.kill("controller")
        while (after := await quiet.status())["decisionID"] == before["decisionID"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(FOLLOWED_WITHIN_S)
    (epoch, _), (epoch_after, _) = (
        map(int, each["decisionID"].split("-")) for each in (before, after)
    )
    assert epoch_after > epoch
    assert after["desiredReplicas"] == before["desiredReplicas"]
    assert [n for _, n in replicas.numbers] == [before["desiredReplicas"]]


async def test_every_pod_says_whose_it_is_and_what_it_does(quiet):
    async with asyncio.timeout(30):
        while True:
            pods, _ = await quiet.kube.list(PODS, quiet.namespace)
            labels = [pod["metadata"]["labels"] for pod in pods]
            if all("llm-d.ai/role" in each for each in labels):
                break
            await asyncio.sleep(0.1)
    wanted = {
        "autoscaling.llmd.ai/target": quiet.target.state.name,
        "autoscaling.llmd.ai/group": "mixed",
        "llm-d.ai/role": "prefill-decode",
    }
    assert len(labels) == 1
    assert labels[0] == labels[0] | wanted


async def test_what_was_decided_stands_in_the_columns_of_kubectl_and_in_an_event(quiet, api):
    path = f"/apis/autoscaling.llmd.ai/v1alpha1/namespaces/{quiet.namespace}/variantautoscalings"
    table = await api.call("GET", path, accept="application/json;as=Table;g=meta.k8s.io;v=v1")
    [row] = table["rows"]
    titles = [each["name"] for each in table["columnDefinitions"]]
    cells = dict(zip(titles, row["cells"], strict=True))
    assert (cells["Groups"], cells["Replicas"], cells["Desired"]) == ("mixed", 1, 1)
    # the reign counts on from one controller of this file to the next, since all stand for one lease
    assert re.fullmatch(r"[1-9]\d*-1", cells["Decision"])
    assert cells["Reason"]
    events = await api.get(f"/api/v1/namespaces/{quiet.namespace}/events")
    ours = [
        each for each in events["items"] if each["source"].get("component") == "llmd-controller"
    ]
    assert {each["involvedObject"]["kind"] for each in ours} & {
        "VariantAutoscaling",
        "ServiceLevel",
    }


@pytest.mark.usefixtures("quiet", "adapter")
async def test_under_the_roles_that_we_ship_no_process_of_ours_is_refused_anything(plane):
    assert [event for event in plane.audit_events() if "llmd-controller" in str(event["user"])]
    assert refused(plane) == set()


async def test_a_role_that_is_missing_would_be_found(plane):
    """The test of the test above."""
    kubeconfig = plane.service_account("default", "llmd-stranger")
    async with await Kube.connect(kubeconfig=str(kubeconfig)) as kube:
        with pytest.raises(KubeError):
            await kube.list(DEPLOYMENTS, "kube-system")

    def is_found():
        return refused(plane, whose=frozenset({"llmd-stranger"}))

    async with asyncio.timeout(10):
        while not is_found():  # noqa: ASYNC110 (a file that another process writes)
            await asyncio.sleep(0.1)
