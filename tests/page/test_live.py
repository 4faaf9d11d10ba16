"""Newer numbers over older statuses."""

import math

from llmd_autoscaler.page.controller_metrics import ControllerReading, read_controller
from llmd_autoscaler.page.health import row_json
from llmd_autoscaler.page.live import overlaid, series, used_per_hour
from llmd_autoscaler.page.model import model_json
from tests.page.objects import NOW_S, objects, variant

LABELS = 'namespace="llm",model="acme/Chat-70B",target="chat-a100"'


def target(reading: ControllerReading | None = None, *, now_s: float = NOW_S, **status: object):
    model = model_json(objects(variants=[variant(**status)]))
    return overlaid(model, {}, reading, now_s=now_s)["targets"][0]


def said(**gauges: float) -> ControllerReading:
    page = "".join(
        f"llmd_autoscaler_{name}{{{LABELS}}} {value}\n" for name, value in gauges.items()
    )
    return read_controller(page.encode())["llm", "acme/Chat-70B"]


def test_a_status_alone_is_shown_as_it_is() -> None:
    found = target()
    assert (found["n_ready"], found["n_starting"], found["n_draining"]) == (3, 1, 2)


def test_the_controllers_own_counts_come_before_the_status() -> None:
    found = target(
        said(ready_instances=4, desired_instances=6, starting_instances=1, draining_instances=3)
    )
    numbers = (found["n_ready"], found["n_desired"], found["n_starting"], found["n_draining"])
    assert numbers == (4, 6, 1, 3)


def test_what_is_decided_and_does_not_serve_is_on_its_way() -> None:
    assert target(said(ready_instances=4, desired_instances=6))["n_starting"] == 2


def test_who_drained_in_an_old_status_is_gone() -> None:
    # decided 15 s before NOW_S; a minute is believed
    assert target(now_s=NOW_S + 46.0)["n_draining"] == 0


def test_a_rate_of_the_router_comes_before_that_of_the_status() -> None:
    rates = {"interactive": {"qps": 9.0, "isl": math.nan, "ttft_p99": 0.7}}
    model = overlaid(model_json(objects()), rates, None, now_s=NOW_S)
    interactive, relaxed = model["classes"]
    assert (interactive["qps"], interactive["isl_mean_tokens"]) == (9.0, 1155.0)
    assert relaxed["qps"] == 2.2
    values = series(model, rates, row_json(model, now_s=NOW_S))
    assert values["class/interactive/ttft_p99"] == 0.7
    assert "class/relaxed/ttft_p99" not in values
    assert math.isnan(values["class/relaxed/expected"])


def test_an_hour_costs_everything_that_exists() -> None:
    model = overlaid(model_json(objects()), {}, None, now_s=NOW_S)
    # 3 ready + 1 starting + 2 draining, of 4 GPUs and $14
    assert used_per_hour(model) == (24.0, 84.0)
