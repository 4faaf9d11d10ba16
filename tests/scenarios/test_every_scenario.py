"""What must hold whatever traffic comes."""

import pytest

from llmd_autoscaler.simulator.scenarios import catalog
from tests.scenarios.runs import played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

every_scenario = pytest.mark.parametrize("name", catalog.names())


@every_scenario
def test_every_request_is_answered(name: str) -> None:
    assert played(name).result.answers.is_completed.all()


@every_scenario
def test_no_number_leaves_the_limits(name: str) -> None:
    run = played(name)
    (target,) = run.setup.targets
    wanted = {d.targets[0].desired for d in run.decisions}
    assert min(wanted) >= target.min_instances
    assert max(wanted) <= target.max_instances


@every_scenario
def test_there_is_a_decision_with_a_reason_every_tick(name: str) -> None:
    run = played(name)
    assert len(run.decisions) == int(run.setup.replay.duration_s // 15) + 1
    assert all(d.reasons and d.targets[0].reasons for d in run.decisions)


@every_scenario
def test_the_number_turns_back_seldom(name: str) -> None:
    run = played(name)
    # one reversal in five minutes at most: the scale-in window is four
    assert run.result.n_reversals <= run.scenario.duration_s / 300.0
