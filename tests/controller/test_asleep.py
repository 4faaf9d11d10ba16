"""A model that sleeps and wakes: the loop's own tick, and the arithmetic of a real HPA behind it."""

import dataclasses
from dataclasses import dataclass, field

from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import ClusterView, ModelCounts, ModelKey, ModelView
from llmd_autoscaler.kube.resources import SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.settings import TickSettings
from llmd_autoscaler.simulator.hpa import HpaSpec, Metric, MetricSpec, Scale, desired_replicas
from llmd_autoscaler.simulator.hpa_behavior import Behavior, History, PolicyKind, Rules
from llmd_autoscaler.simulator.hpa_behavior import Policy as HpaPolicy
from tests.controller.conftest import NOW_S, following, until
from tests.controller.test_cluster import MODEL
from tests.core.worlds import INTERACTIVE, QUICK, counted, target
from tests.fakes import FakeRecorder, FakeSource

TICK_S, IDLE_S = 15.0, 300.0
# The last request of the first burst, and the first of the second.
LAST_S, AGAIN_S = 600.0, 2400.0
_RULES = Rules(window_s=0.0, policies=(HpaPolicy(PolicyKind.PODS, 1000, 15.0),), tolerance=0.0)


def arrived(now_s):
    """Two requests a second until the last, and again from later on."""
    return 2.0 * (min(now_s, LAST_S) + max(0.0, now_s - AGAIN_S))


@dataclass
class Sleeper:
    """One model behind one HPA with minReplicas 0; pods serve at once."""

    replicas: int = 1
    desired: int = 0
    is_asleep: bool = False
    is_heard: bool = True
    history: History = field(default_factory=History)
    log: dict[float, tuple[int, int]] = field(default_factory=dict)  # desired and replicas
    loop: Loop = field(init=False)

    def __post_init__(self):
        self.restart()

    def restart(self):
        """Another controller takes over: nothing but the status is left."""
        settings = TickSettings(period_s=TICK_S)
        self.loop = Loop(self, self, FakeRecorder(), settings=settings, policy=QUICK)

    async def observe(self, *, now_s):
        del now_s
        state = target(limits=(0, 10), desired=self.desired, n_ready=self.replicas)
        model = ModelView(ModelKey("llm", "m"), "m", (INTERACTIVE,), (state,), min_instances=0)
        model = dataclasses.replace(model, idle_after_s=IDLE_S, is_asleep=self.is_asleep)
        return ClusterView((model,))

    async def counts(self, view, *, now_s):
        traffic = {"r": counted(arrived(now_s))} if self.is_heard else {}
        return {view.models[0].key: ModelCounts("router", traffic)}

    async def publish(self, publications, *, now_s):
        del now_s
        for each in publications:
            self.desired = each.decision.targets[0].desired
            self.is_asleep = self.desired == 0

    async def run(self, from_s, until_s):
        """Ticks, and after each a look of the HPA."""
        spec = HpaSpec(0, 10, (MetricSpec(target_milli=1000),), Behavior(_RULES, _RULES))
        now_s = from_s
        while now_s <= until_s:
            await self.loop.tick(now_s=now_s)
            metric = Metric((self.desired * 1000,))
            scale = Scale.steady(self.replicas)
            found = desired_replicas(spec, scale, (metric,), self.history, now_s)
            self.replicas, self.history = found.replicas, found.history
            self.log[now_s] = (self.desired, self.replicas)
            now_s += TICK_S

    def first_s(self, state, *, after_s):
        """When it was first at (desired, replicas)."""
        return next(at for at, found in self.log.items() if at >= after_s and found == state)


async def test_a_model_sleeps_after_its_idle_time_and_its_hpa_goes_to_zero():
    it = Sleeper()
    await it.run(0.0, 1800.0)
    asleep_s = it.first_s((0, 0), after_s=LAST_S)
    # the loop sees the last request at its next look
    assert LAST_S + IDLE_S <= asleep_s <= LAST_S + IDLE_S + TICK_S
    assert all(found == (0, 0) for at, found in it.log.items() if at >= asleep_s)


async def test_it_wakes_at_the_tick_after_the_first_request():
    it = Sleeper()
    await it.run(0.0, AGAIN_S + 60.0)
    awake = [at for at, (desired, _) in it.log.items() if at > AGAIN_S and desired >= 1]
    assert awake[0] == AGAIN_S + TICK_S
    assert it.log[awake[0]][1] >= 1  # the HPA put it to zero itself, so it wakes it


async def test_a_controller_that_starts_while_it_sleeps_neither_wakes_nor_loses_it():
    it = Sleeper()
    await it.run(0.0, 1800.0)
    it.restart()
    await it.run(1815.0, AGAIN_S + 60.0)
    between = [found for at, found in it.log.items() if 1815.0 <= at <= AGAIN_S]
    assert set(between) == {(0, 0)}
    assert it.log[AGAIN_S + TICK_S][0] >= 1


async def test_a_silent_router_wakes_nothing_and_puts_nothing_to_sleep():
    awake = Sleeper()
    await awake.run(0.0, 585.0)
    awake.is_heard = False
    await awake.run(600.0, 1800.0)
    asleep = Sleeper()
    await asleep.run(0.0, 1800.0)
    asleep.is_heard = False
    await asleep.run(1815.0, 2100.0)
    assert min(desired for desired, _ in awake.log.values()) >= 1
    assert asleep.log[2100.0] == (0, 0)


async def test_a_zero_that_somebody_else_wrote_is_not_woken_by_the_hpa():
    it = Sleeper()
    await it.run(0.0, 300.0)
    it.replicas, it.history = 0, History()  # an HPA that was made anew at 0 has no memory of it
    await it.run(315.0, 360.0)
    # we still ask for one or more: the HPA's own condition says why it does not act, and HPAHealthy repeats it
    assert it.log[360.0][0] >= 1
    assert it.log[360.0][1] == 0


async def test_on_an_api_server_a_model_sleeps_with_its_whole_mix_and_wakes_by_one_request(world):
    await world.level(minInstances=0, idleAfter="5m")
    await world.profile()
    await world.variant(minReplicas=0)
    await world.hpa(minReplicas=0)
    await world.deployment()  # without a pod: what is left when the HPA went to zero
    woken = [0.0]

    def router(_):
        return counted(woken[0], n_classes=3, started_at_s=NOW_S)

    async with following(world) as cluster:
        await until(cluster, lambda view: bool(view.models))
        settings = TickSettings(period_s=TICK_S)
        source, recorder = FakeSource({MODEL: router}), FakeRecorder()
        loop = Loop(cluster, source, recorder, settings=settings, policy=QUICK)
        numbers = []
        for tick in range(30):
            await loop.tick(now_s=NOW_S + tick * TICK_S)
            numbers.append(recorder.decisions[-1].decision.targets[0].desired)
        asleep = (await world.get(SERVICE_LEVELS, "llama"))["status"]
        health = await world.condition(VARIANT_AUTOSCALINGS, "a100", "HPAHealthy")
        woken[0] = 1.0
        await loop.tick(now_s=NOW_S + 30 * TICK_S)
        awake = (await world.get(SERVICE_LEVELS, "llama"))["status"]
    # awake for 5 min, 20 ticks, from the start on; then at zero
    assert (numbers[19], numbers[20], health["status"]) == (1, 0, "True")
    assert asleep["mix"] == []
    assert [each["instances"] for each in awake["mix"]] == [1]
