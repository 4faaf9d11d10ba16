"""Statuses as the page shows them."""

import dataclasses

from llmd_autoscaler.controller.statuses import _resolved
from llmd_autoscaler.page.model import by_model, model_json
from llmd_autoscaler.page.words import reason_words
from llmd_autoscaler.translate.world import ScaleTarget
from tests.core.worlds import target
from tests.page.objects import CHAT, CODE, level, objects, variant


def test_a_class_has_its_bounds_in_seconds_and_its_traffic() -> None:
    interactive, relaxed = model_json(objects())["classes"]
    assert (interactive["ttft_max_s"], interactive["tpot_max_s"]) == (1.0, 0.08)
    assert interactive["ttft_per_prompt_token_s"] == 0.0005  # 500 ms per 1,000 tokens
    assert interactive["e2e_max_s"] is None
    assert (interactive["qps"], interactive["expected_p90_qps"]) == (5.31, 6.8)
    assert (relaxed["e2e_max_s"], relaxed["expected_p90_qps"]) == (60.0, None)


def test_a_target_shows_instances_in_every_state() -> None:
    (found,) = model_json(objects())["targets"]
    numbers = (found["n_desired"], found["n_ready"], found["n_starting"], found["n_draining"])
    assert numbers == (4, 3, 1, 2)


def test_the_sentence_that_counts_draining_pods_is_the_controllers_own() -> None:
    state = dataclasses.replace(target(n_ready=3), n_draining=2)
    said = _resolved(state, ScaleTarget("apps/v1", "Deployment", "chat-a100")).message
    condition = {"type": "TargetResolved", "status": "True", "message": said}
    (found,) = model_json(objects(variants=[variant(conditions=[condition])]))["targets"]
    assert found["n_draining"] == 2


def test_a_target_without_a_status_has_no_numbers() -> None:
    bare = variant()
    del bare["status"]
    (found,) = model_json(objects(variants=[bare]))["targets"]
    assert (found["n_desired"], found["n_ready"], found["load"]) == (None, None, None)


def test_routes_of_one_class_and_length_are_one_rule() -> None:
    short, long = model_json(objects())["routes"]
    assert (short["isl_up_to_tokens"], len(short["shares"])) == (4096, 1)
    assert long["isl_up_to_tokens"] is None
    assert [share["fraction"] for share in long["shares"]] == [0.7, 0.3]


def test_the_newest_change_comes_first_and_has_its_sentence() -> None:
    up, down = model_json(objects())["changes"]
    assert (up["before"], up["after"], up["message"]) == (3, 4, "5.30 req/s is load 3.21: 3 → 4")
    assert up["words"] == reason_words("DemandUp")
    assert (down["before"], down["after"], down["message"]) == (4, 3, "")


def test_a_change_keeps_the_sentence_that_it_was_seen_with() -> None:
    before = model_json(objects())["changes"]
    later = variant(
        decidedAt="2026-11-24T09:35:00Z", reasons=[{"code": "DemandMet", "message": "4 carry it"}]
    )
    up, _ = model_json(objects(variants=[later]), before)["changes"]
    assert up["message"] == "5.30 req/s is load 3.21: 3 → 4"


def test_a_change_that_the_status_forgot_is_still_known() -> None:
    before = model_json(objects())["changes"]
    later = variant(
        history=[{"at": "2026-11-24T09:40:00Z", "from": 4, "to": 5, "code": "DemandUp"}]
    )
    found = model_json(objects(variants=[later]), before)["changes"]
    assert [change["after"] for change in found] == [5, 4, 3]


def test_a_service_level_that_nobody_can_read_still_shows_its_conditions() -> None:
    broken = level()
    broken["spec"]["classes"] = "none"
    found = model_json(objects(levels=[broken]))
    assert (found["classes"], found["routes"]) == ([], [])
    assert found["conditions"][0]["type"] == "SLOFeasible"


def test_a_variant_without_a_service_level_is_a_model_all_the_same() -> None:
    found = by_model({}, {("llm", "a"): variant()})
    assert list(found) == [f"llm/{CHAT}"]
    assert model_json(found[f"llm/{CHAT}"])["feasible"] == ""


def test_the_older_of_two_service_levels_acts() -> None:
    new, old = level(name="new"), level(name="old")
    new["metadata"]["creationTimestamp"] = "2026-11-24T09:00:00Z"
    old["metadata"]["creationTimestamp"] = "2026-11-24T08:00:00Z"
    found = by_model({("llm", "new"): new, ("llm", "old"): old}, {})[f"llm/{CHAT}"]
    assert [each["metadata"]["name"] for each in found.levels] == ["old", "new"]


def test_models_of_one_name_in_two_namespaces_are_two() -> None:
    other = level()
    other["metadata"]["namespace"] = "other"
    found = by_model({("llm", "chat"): level(), ("other", "chat"): other}, {})
    assert sorted(found) == [f"llm/{CHAT}", f"other/{CHAT}"]
    assert CODE not in {each.model for each in found.values()}
