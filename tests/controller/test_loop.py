"""The tick: who is decided, who is written, and what a restart keeps."""

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from llmd_autoscaler.controller import loop
from llmd_autoscaler.controller.loop import FIRST_TABULATED_PER_TICK, Loop, TickReport
from llmd_autoscaler.controller.ports import ModelKey, ModelView, Trouble
from llmd_autoscaler.core.decide import decide
from llmd_autoscaler.core.realised import Outcomes
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.core.world import Decision, Infeasible, Memory, ReasonCode, Route, TargetState
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.settings import TickSettings
from tests.core.worlds import FAST, INTERACTIVE, QUICK, RELAXED, counted, target, world
from tests.fakes import Counter, FakeCluster, FakeRecorder, FakeSource

TICK_S = 15.0
KEY, OTHER = ModelKey("llm", "one"), ModelKey("llm", "other")
SETTINGS = TickSettings()


def view(
    key: ModelKey = KEY, *targets: TargetState, stock: dict[str, int] | None = None, epoch: int = 0
) -> ModelView:
    return ModelView(
        key,
        key.model_id,
        (INTERACTIVE,),
        targets or (target(),),
        stock=stock or {},
        stored_epoch=epoch,
    )


def steady(qps: float) -> Counter:
    return lambda now_s: counted(qps * now_s)


@dataclass
class Running:
    """A loop and all around it."""

    cluster: FakeCluster
    source: FakeSource
    recorder: FakeRecorder
    loop: Loop

    async def until(self, until_s: float, *, from_s: float = 0.0) -> list[TickReport]:
        n = round((until_s - from_s) / TICK_S)
        return [await self.loop.tick(now_s=from_s + i * TICK_S) for i in range(n + 1)]

    def restarted(self) -> "Running":
        """Another process on the same cluster."""
        return running(self.cluster, self.source)


def running(cluster: FakeCluster, source: FakeSource) -> Running:
    recorder = FakeRecorder()
    loop = Loop(cluster, source, recorder, settings=SETTINGS, policy=QUICK)
    return Running(cluster, source, recorder, loop)


def one(counter: Counter, *targets: TargetState) -> Running:
    return running(FakeCluster(view(KEY, *targets)), FakeSource({KEY: counter}))


def changing(at_s: float, before_qps: float, after_qps: float) -> Counter:
    return lambda now_s: counted(before_qps * min(now_s, at_s) + after_qps * max(0.0, now_s - at_s))


async def test_every_step_of_a_tick_is_named_and_timed() -> None:
    it = one(steady(2.0))
    await it.until(0.0)
    assert it.recorder.steps == ["observe", "scrape", "decide", "publish"]


async def test_a_broken_model_does_not_stop_the_others() -> None:
    # its router counts two classes where the model has one: nothing that a decision can come from
    cluster = FakeCluster(view(OTHER), view(KEY))
    broken: Counter = lambda now_s: counted(now_s, n_classes=2)  # noqa: E731
    it = running(cluster, FakeSource({KEY: steady(2.0), OTHER: broken}))
    reports = await it.until(120.0)
    assert (reports[-1].n_models, reports[-1].n_decided) == (2, 1)
    assert it.recorder.decisions[-1].view.key == KEY
    step, message = it.recorder.failures[-1]
    assert step == "decide"
    assert message.startswith("llm/other: ValueError: ")


async def test_a_model_without_a_target_is_passed_over() -> None:
    cluster = FakeCluster(dataclasses.replace(view(OTHER), targets=()), view(KEY))
    it = running(cluster, FakeSource({KEY: steady(2.0)}))
    assert await it.until(0.0) == [TickReport(n_models=2, n_decided=1, n_written=1)]


async def test_a_model_that_nobody_counted_holds_its_number() -> None:
    it = running(FakeCluster(view(KEY, target(desired=4, n_ready=4))), FakeSource({}))
    await it.until(60.0)
    assert it.cluster.desired(KEY) == [4]
    assert it.recorder.decisions[-1].decision.reasons[0].code is ReasonCode.NOT_OBSERVED
    assert it.recorder.decisions[-1].source == "none"


async def test_an_unchanged_status_is_written_only_to_renew_it() -> None:
    it = one(lambda _: None)
    await it.until(1200.0)
    # valid for 600 s, renewed with 300 left
    assert it.cluster.times_s(KEY) == [0.0, 300.0, 600.0, 900.0, 1200.0]
    assert it.cluster.written[-1][1].valid_until_s == 1800.0


async def test_every_tick_decides_and_each_decision_has_its_own_number() -> None:
    it = one(lambda _: None)
    await it.until(45.0)
    assert [p.decision_id for p in it.recorder.decisions] == ["1-1", "1-2", "1-3", "1-4"]


async def test_a_changed_number_is_written_at_once() -> None:
    it = one(changing(300.0, 0.5, 12.0))
    await it.until(420.0)
    rises = [
        (now_s, p.decision.targets[0].desired)
        for now_s, p in it.cluster.written
        if p.decision.targets[0].desired > 1
    ]
    decided = next(p for p in it.recorder.decisions if p.decision.targets[0].desired > 1)
    assert rises[0] == (decided.decided_at_s, decided.decision.targets[0].desired)


async def test_a_load_that_moves_by_less_than_a_twentieth_is_not_written_for_itself() -> None:
    # one in a hundred more from 75 s on: after the first plan nothing is due before the renewal at 360 s
    it = one(changing(75.0, 2.0, 2.02))
    await it.until(345.0)
    assert it.cluster.times_s(KEY) == [0.0, 60.0]


async def test_a_load_that_moves_by_more_than_a_twentieth_is_written() -> None:
    it = one(changing(75.0, 2.0, 2.6))
    await it.until(345.0)
    planned = [p for now_s, p in it.cluster.written if now_s >= 60.0]
    assert {p.decision.targets[0].desired for p in planned} == {1}
    loads = [p.decision.targets[0].load for p in planned]
    assert len(loads) >= 2
    for before, after in itertools.pairwise(loads):
        assert abs(after - before) > 0.05 * before


@pytest.mark.parametrize("n_ready", [0, 2])
async def test_instances_that_became_ready_are_shown(n_ready: int) -> None:
    it = one(lambda _: None, target(desired=1, n_ready=1))
    await it.until(15.0)
    model = it.cluster.models[KEY]
    changed = dataclasses.replace(model.targets[0], n_ready=n_ready)
    it.cluster.models[KEY] = dataclasses.replace(model, targets=(changed,))
    await it.loop.tick(now_s=30.0)
    assert it.cluster.times_s(KEY) == [0.0, 30.0]


async def test_a_new_trouble_is_written_at_once() -> None:
    it = one(lambda _: None)
    await it.until(15.0)
    trouble = Trouble("ServiceLevel", "one", "Conflict", "Twice", "a second one")
    it.cluster.models[KEY] = dataclasses.replace(it.cluster.models[KEY], troubles=(trouble,))
    await it.until(45.0, from_s=30.0)
    assert it.cluster.times_s(KEY) == [0.0, 30.0]


async def test_a_changed_promise_is_written_at_once() -> None:
    it = one(lambda _: None)
    await it.until(15.0)
    stricter = dataclasses.replace(INTERACTIVE, percentile_frac=0.99)
    it.cluster.models[KEY] = dataclasses.replace(it.cluster.models[KEY], classes=(stricter,))
    await it.loop.tick(now_s=30.0)
    assert it.cluster.times_s(KEY) == [0.0, 30.0]


async def test_other_classes_begin_with_an_empty_memory() -> None:
    it = one(steady(2.0))
    await it.until(300.0)
    it.cluster.models[KEY] = dataclasses.replace(
        it.cluster.models[KEY], classes=(INTERACTIVE, RELAXED)
    )
    it.source.counters[KEY] = lambda now_s: counted(2.0 * now_s, n_classes=2)
    await it.loop.tick(now_s=315.0)
    assert it.recorder.decisions[-1].decision.reasons[0].code is ReasonCode.WARMING_UP


async def test_a_status_that_could_not_be_written_is_written_at_the_next_tick() -> None:
    it = one(lambda _: None)
    it.cluster.is_down = True
    with pytest.raises(ObservationError, match="does not answer"):
        await it.loop.tick(now_s=0.0)
    it.cluster.is_down = False
    await it.loop.tick(now_s=15.0)
    assert it.cluster.times_s(KEY) == [15.0]


async def test_the_epoch_is_above_every_stored_one_and_stays() -> None:
    cluster = FakeCluster(view(KEY, epoch=4), view(OTHER, epoch=7))
    it = running(cluster, FakeSource({}))
    await it.until(15.0)
    assert {p.decision_id.partition("-")[0] for p in it.recorder.decisions} == {"8"}


async def test_a_model_that_appears_with_a_higher_epoch_raises_ours() -> None:
    it = one(lambda _: None)
    await it.until(15.0)
    it.cluster.models[OTHER] = view(OTHER, epoch=5)
    await it.loop.tick(now_s=30.0)
    assert {p.decision_id.partition("-")[0] for p in it.recorder.decisions[-2:]} == {"6"}


async def test_each_start_takes_a_higher_epoch() -> None:
    it = one(lambda _: None)
    await it.until(15.0)
    later = it.restarted()
    await later.until(45.0, from_s=30.0)
    assert {p.decision_id.partition("-")[0] for p in later.recorder.decisions} == {"2"}


async def test_a_restart_keeps_the_number_and_scales_in_only_after_a_full_window() -> None:
    # 12 a second carry a fleet up; a controller that starts at 600 s sees half a second only
    it = one(changing(600.0, 12.0, 0.5))
    await it.until(600.0)
    before = it.cluster.desired(KEY)[-1]
    later = it.restarted()
    await later.until(1200.0, from_s=615.0)
    window_end_s = 615.0 + QUICK.scale_in_window_s
    decided = [(p.decided_at_s, p.decision.targets[0].desired) for p in later.recorder.decisions]
    assert before > 2
    assert {m for at_s, m in decided if at_s < window_end_s} == {before}
    assert decided[-1][1] < before


async def test_realised_outcomes_of_the_window_ride_along() -> None:
    def outcomes(now_s: float) -> dict[str, Outcomes]:
        return {"r": Outcomes(0.0, np.array([[now_s, 0.0, 0.0, 0.0, now_s / 3.0]]))}

    it = running(FakeCluster(view()), FakeSource({KEY: steady(2.0)}, outcomes))
    await it.until(60.0)
    realised = it.recorder.decisions[-1].realised
    assert it.recorder.decisions[0].realised is None
    assert realised is not None
    # 60 attained and 20 failed since the first look
    assert realised.attainment().tolist() == [0.75]


def tabulating(it: Running, code: ReasonCode) -> dict[float, int]:
    """How many models have this reason at each tick."""
    found: dict[float, int] = {}
    for publication in it.recorder.decisions:
        at_s = publication.decided_at_s
        found[at_s] = found.get(at_s, 0) + (publication.decision.reasons[0].code is code)
    return found


async def test_a_start_with_many_models_tabulates_some_a_tick_and_all_in_the_end() -> None:
    n_models = FIRST_TABULATED_PER_TICK + 3
    keys = [ModelKey("llm", f"m{i}") for i in range(n_models)]
    it = running(
        FakeCluster(*(view(key) for key in keys)), FakeSource({key: steady(2.0) for key in keys})
    )
    await it.until(75.0)
    waiting = tabulating(it, ReasonCode.WARMING_UP)
    # the first minute is seen at 60 s: then as many models as may, and the rest a tick later
    assert [waiting[at_s] for at_s in (45.0, 60.0, 75.0)] == [n_models, 3, 0]


def lengthening(now_s: float) -> CountSnapshot:
    """Thirty requests a tick, whose prompts are half as long again after each."""
    total = counted(0.0)
    for k in range(int(now_s // TICK_S)):
        total = total.plus(counted(30.0, isl=int(100 * 1.5 ** min(k, 10))))
    return total


async def test_models_whose_mixes_move_are_tabulated_again_in_turn() -> None:
    keys = [ModelKey("llm", f"m{i}") for i in range(3)]
    it = running(
        FakeCluster(*(view(key) for key in keys)), FakeSource(dict.fromkeys(keys, lengthening))
    )
    await it.until(135.0)
    first = {p.decided_at_s: p.view.key for p in reversed(it.recorder.decisions)}
    # all have their first table at 60 s; from then on each tick makes one, and the next tick begins behind it
    assert [first[at_s].model_id for at_s in (75.0, 90.0, 105.0, 120.0, 135.0)] == [
        "m0",
        "m1",
        "m2",
        "m0",
        "m1",
    ]


async def test_steady_routes_are_not_written_again() -> None:
    fast = target("h100", profile=FAST, usd_per_hour=30.0, limits=(1, 1))
    it = one(steady(4.0), target("a100", limits=(1, 1)), fast)
    await it.until(595.0)
    # the first look, the first plan with its routes, the renewal
    assert it.cluster.times_s(KEY) == [0.0, 60.0, 360.0]


def sent(*routes: Route) -> Decision:
    """A decision of which only the routes count."""
    it = world(0.0, None)
    decision, _ = decide(it, Memory.fresh(it), QUICK)
    return dataclasses.replace(decision, routes=routes)


@pytest.mark.parametrize(
    ("routes", "is_due"),
    [
        ([Route("interactive", None, {"a100": 0.70, "h100": 0.30})], False),
        ([Route("interactive", None, {"a100": 0.74, "h100": 0.26})], False),
        ([Route("interactive", None, {"a100": 0.76, "h100": 0.24})], True),
        ([Route("interactive", None, {"a100": 1.0})], True),
        ([Route("interactive", 4096, {"a100": 0.70, "h100": 0.30})], True),
        ([], True),
    ],
)
def test_routes_are_written_when_they_move_by_more_than_a_twentieth_or_lead_elsewhere(
    routes: list[Route], is_due: bool
) -> None:
    before = sent(Route("interactive", None, {"a100": 0.70, "h100": 0.30}))
    assert loop._differs(before, sent(*routes), SETTINGS.load_step_frac) == is_due


def test_a_class_that_became_infeasible_is_written_and_its_shortfall_is_not() -> None:
    lacking = [
        dataclasses.replace(sent(), infeasible=(Infeasible("interactive", "capacity", qps, ""),))
        for qps in (1.0, 1.5)
    ]
    assert loop._differs(sent(), lacking[0], SETTINGS.load_step_frac)
    assert not loop._differs(lacking[0], lacking[1], SETTINGS.load_step_frac)
