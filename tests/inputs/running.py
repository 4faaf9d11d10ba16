"""The loop as it is on a cluster, with a router that counts what a test says; time is handed in."""

import contextlib

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from llmd_autoscaler.settings import TickSettings
from tests.controller.conftest import NOW_S, following, until
from tests.controller.test_cluster import MODEL, has_ready
from tests.core.worlds import QUICK, counted
from tests.fakes import FakeRecorder, FakeSource

TICK_S = 15.0


class Running:
    """A loop on the small API server; one model, whose requests are all of its first class."""

    def __init__(self, world, cluster, qps):
        self.world, self.cluster, self.qps = world, cluster, qps
        self.n_classes = 3
        self.recorder = FakeRecorder()
        source = FakeSource({MODEL: self._counted})
        self._loop = Loop(cluster, source, self.recorder, settings=TickSettings(), policy=QUICK)
        self.now_s = NOW_S

    def _counted(self, now_s):
        elapsed_s = now_s - NOW_S
        return counted(self.qps * elapsed_s, n_classes=self.n_classes, started_at_s=NOW_S)

    async def ticks(self, n):
        """The next ticks; what the first target was given in each."""
        numbers = []
        for _ in range(n):
            await self._loop.tick(now_s=self.now_s)
            self.now_s += TICK_S
            numbers.append(self.desired)
        return numbers

    async def ticks_without_a_model(self, n):
        """The next ticks, in which nothing is decided."""
        n_before = len(self.recorder.decisions)
        for _ in range(n):
            await self._loop.tick(now_s=self.now_s)
            self.now_s += TICK_S
        assert len(self.recorder.decisions) == n_before

    @property
    def decision(self):
        return self.recorder.decisions[-1].decision

    @property
    def desired(self):
        return self.decision.targets[0].desired

    async def seen(self, claim):
        """Wait until the cluster's view has a change."""
        return await until(self.cluster, claim)

    async def annotate(self, **notes):
        """Set annotations of the variant; None takes one away."""
        named = {f"autoscaling.llmd.ai/{name.replace('_', '-')}": v for name, v in notes.items()}
        await self.change(VARIANT_AUTOSCALINGS, "a100", {"metadata": {"annotations": named}})

    async def pause(self):
        """Pause the variant."""
        await self.change(VARIANT_AUTOSCALINGS, "a100", {"spec": {"paused": True}})

    async def change(self, resource, name, patch):
        """Merge a patch into an object and wait until the cluster has it."""
        patched = await self.world.kube.merge(resource, "llm", name, patch)
        version = patched["metadata"]["resourceVersion"]
        objects = self.cluster._mirrors[resource.kind]
        await self.seen(
            lambda _: objects.objects["llm", name]["metadata"]["resourceVersion"] == version
        )

    async def condition(self, kind, resource=VARIANT_AUTOSCALINGS, name="a100"):
        """(status, reason, message) of a condition as it stands; None where there is none."""
        found = await self.world.condition(resource, name, kind)
        return (found["status"], found["reason"], found["message"]) if found else None

    async def status(self, resource=VARIANT_AUTOSCALINGS, name="a100"):
        """A status as it stands."""
        return (await self.world.get(resource, name)).get("status", {})


@contextlib.asynccontextmanager
async def running(world, *, qps=2.0, n_ready=1):
    """One model with its pods, and a loop that has not ticked yet."""
    await world.all_of_one_model(n_ready=n_ready)
    async with following(world) as cluster:
        await until(cluster, has_ready(n_ready))
        yield Running(world, cluster, qps)
