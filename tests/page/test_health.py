"""What is wrong with a model, and what to do."""

import pytest

from llmd_autoscaler.core.world import ReasonCode
from llmd_autoscaler.page.headline import headline, totals_json
from llmd_autoscaler.page.health import percent, row_json
from llmd_autoscaler.page.model import model_json
from llmd_autoscaler.page.words import _CONDITIONS, condition_words, reason_words
from tests.page.objects import NOW_S, attained, level, objects, variant

SETTLED = {
    "desiredReplicas": 4,
    "readyReplicas": 4,
    "groups": [{"name": "mixed", "desired": 4}],
    "conditions": [],
}


def row(*, levels=None, variants=None, now_s=NOW_S):
    found = model_json(objects(levels=levels, variants=variants))
    return row_json(found, now_s=now_s)


def sentence(*rows, sources=()):
    models = {f"llm/acme/M{i}": model_json(objects()) for i in range(len(rows))}
    return headline(models, dict(zip(models, rows, strict=True)), sources)


def test_a_model_that_keeps_its_slo_with_all_instances_is_fine() -> None:
    found = row(variants=[variant(**SETTLED)])
    assert (found["state"], found["note"], found["problems"]) == ("ok", "SLO kept", [])


def test_the_class_with_the_least_room_stands_for_the_model() -> None:
    # interactive 0.996 - 0.99 = 0.006, relaxed 0.955 - 0.95 = 0.005
    found = row(levels=[level(attainment=attained("0.996", "0.955"))])
    assert (found["attained_class"], found["attained_frac"]) == ("relaxed", 0.955)


def test_instances_that_start_make_a_model_busy_not_ill() -> None:
    found = row()
    assert (found["state"], found["note"]) == ("busy", "1 starting")


def test_a_missed_slo_is_bad_and_names_the_bound_that_is_missed_most() -> None:
    found = row(levels=[level(attainment=attained("0.972"))])
    (problem,) = found["problems"]
    assert (found["state"], problem["what"]) == ("bad", "interactive misses its SLO")
    assert (
        problem["why"]
        == "97.2 % of its requests attained every bound within 1h; 99 % are promised."
    )
    assert problem["todo"].startswith("TTFT is missed most")


def test_a_predicted_miss_warns() -> None:
    found = row(levels=[level(attainment=attained("0.996", predicted="0.98"))])
    assert (found["state"], found["note"]) == ("warn", "interactive is predicted to miss its SLO")


def test_a_decision_that_ran_out_is_bad() -> None:
    found = row(now_s=NOW_S + 586.0)  # validUntil is 585 s after
    assert (found["state"], found["note"]) == ("bad", "The decision has run out")
    assert row(now_s=NOW_S + 585.0)["state"] == "busy"


def test_a_reached_limit_says_which_one_to_raise() -> None:
    reasons = [{"code": "AtLimit", "message": "maxReplicas 10 is the limit"}]
    (problem,) = row(variants=[variant(reasons=reasons)])["problems"]
    assert problem["state"] == "warn"
    assert (
        problem["todo"]
        == "Raise maxReplicas (now 10) or add a variant; see also the stock of A100-80GB."
    )


@pytest.mark.parametrize(
    ("type_", "status", "state"),
    [
        ("SLOFeasible", "False", "bad"),
        ("TargetResolved", "False", "bad"),
        ("MetricsAvailable", "False", "warn"),
        ("ProfileTrusted", "False", "warn"),
        ("Conflict", "True", "warn"),
        ("Conflict", "False", "ok"),
        ("ProfileTrusted", "Unknown", "ok"),
    ],
)
def test_a_condition_that_fails_is_a_problem_with_its_message(type_, status, state) -> None:
    condition = {
        "type": type_,
        "status": status,
        "reason": "R",
        "message": "why",
        "lastTransitionTime": "2026-11-24T09:00:00Z",
    }
    found = row(variants=[variant(**SETTLED | {"conditions": [condition]})])
    assert found["state"] == state
    assert [problem["why"] for problem in found["problems"]] == (["why"] if state != "ok" else [])


def test_warming_up_is_no_illness() -> None:
    condition = {
        "type": "OptimizationReady",
        "status": "False",
        "reason": "WarmingUp",
        "message": "20 of 60 s seen",
    }
    assert row(variants=[variant(**SETTLED | {"conditions": [condition]})])["state"] == "busy"


def test_gpus_and_cost_count_who_starts_and_who_drains() -> None:
    found = row()  # 3 ready + 1 starting + 2 draining, 4 GPUs and $14 each
    assert (found["n_gpus"], found["usd_per_hour"]) == (24, 84.0)


def test_a_share_is_never_rounded_up_to_its_promise() -> None:
    assert percent(0.98999) == "98.9 %"
    assert percent(0.99) == "99 %"


def test_one_model_says_its_name_and_its_share() -> None:
    assert sentence(row(variants=[variant(**SETTLED)])) == (
        "ok",
        "Chat-70B keeps its SLO: 99.6 % attained in its tightest class.",
    )


def test_the_worst_model_stands_in_the_headline() -> None:
    fine, ill = row(variants=[variant(**SETTLED)]), row(levels=[level(attainment=attained("0.9"))])
    state, text = sentence(fine, ill, fine)
    assert (state, text) == (
        "bad",
        "1 of 3 models needs attention. M1: interactive misses its SLO.",
    )


def test_a_silent_api_server_comes_before_everything() -> None:
    away = {"name": "API server", "url": "", "is_connected": False, "since_s": 0.0, "detail": ""}
    state, text = sentence(row(), sources=[away])
    assert (state, text) == (
        "unknown",
        "The API server does not answer: what stands here is the last known.",
    )


def test_the_price_of_tokens_is_that_of_all_tokens() -> None:
    cheap, dear = row(), row()
    cheap |= {"usd_per_hour": 10.0, "usd_per_million_tokens": 1.0}  # 10 million tokens an hour
    dear |= {"usd_per_hour": 40.0, "usd_per_million_tokens": 4.0}  # 10 million
    totals = totals_json({"a": cheap, "b": dear})
    assert totals["usd_per_million_tokens"] == 2.5  # 50 / 20
    assert (totals["n_models"], totals["usd_per_hour"]) == (2, 50.0)


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_code_of_a_decision_has_plain_words(code: ReasonCode) -> None:
    assert reason_words(code) != code


@pytest.mark.parametrize("type_", sorted(_CONDITIONS))
def test_every_condition_says_what_to_do(type_: str) -> None:
    assert all(condition_words(type_, ""))
