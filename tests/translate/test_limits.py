"""The limits that hold now, and what is said of where they come from."""

import json
from pathlib import Path

import pytest
import yaml

from llmd_autoscaler.translate.limits import PREFIX, limits_at
from models.variant_autoscaling import VariantAutoscaling

VARIANT = list(
    yaml.safe_load_all((Path(__file__).parents[1] / "data/api.yaml").read_text(encoding="utf-8"))
)[1]
NOW_S = 1795512600.0  # 2026-11-24T09:30:00Z, a Tuesday: 10:30 in Berlin
DAYTIME = {"days": "Mon-Fri", "from": "08:00", "to": "20:00", "timezone": "Europe/Berlin", "min": 4}
NIGHT = {"days": "Mon-Sun", "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin", "max": 2}


def at(now_s=NOW_S, **notes):
    """The limits of a variant whose spec says 1 to 10."""
    named = {PREFIX + name.replace("_", "-"): text for name, text in notes.items()}
    wire = {"metadata": {"name": "a", "annotations": named}, "spec": VARIANT["spec"]}
    return limits_at(VariantAutoscaling.from_wire(wire), now_s=now_s)


def pair(found):
    return found.min_instances, found.max_instances


def said(found):
    return found.finding.status, found.finding.reason, found.finding.message


def test_without_annotations_the_specs_limits_hold_and_nothing_is_said():
    found = at()
    assert (pair(found), found.finding) == ((1, 10), None)


def test_annotations_of_others_say_nothing():
    wire = VARIANT | {"metadata": {"name": "a", "annotations": {"min-replicas": "4"}}}
    wire.pop("status", None)
    assert limits_at(VariantAutoscaling.from_wire(wire), now_s=NOW_S).finding is None


def test_both_limits_can_be_replaced_beyond_those_of_the_spec():
    found = at(min_replicas="12", max_replicas="20")
    assert pair(found) == (12, 20)
    assert said(found)[2].startswith(
        "minReplicas 12 instead of 1 and maxReplicas 20 instead of 10 until the annotation is removed;"
    )


def test_an_end_in_another_zone_is_told_in_utc():
    found = at(min_replicas="4", override_until="2026-11-24T20:00:00+01:00")
    assert pair(found) == (4, 10)
    assert "until 2026-11-24T19:00:00Z" in said(found)[2]


def test_an_override_is_over_at_its_end_and_not_after():
    end = "2026-11-24T09:30:00Z"
    pairs = [pair(at(s, min_replicas="4", override_until=end)) for s in (NOW_S - 0.001, NOW_S)]
    assert pairs == [(4, 10), (1, 10)]


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({"min_replicas": "0"}, '{}min-replicas: found "0"; write a whole number, 1 or more'),
        ({"min_replicas": "4.0"}, '{}min-replicas: found "4.0"; write a whole number, 1 or more'),
        ({"min_replicas": ""}, '{}min-replicas: found ""; write a whole number, 1 or more'),
        ({"max_replicas": "٣"}, '{}max-replicas: found "٣"; write a whole number, 1 or more'),
        ({"max_replicas": "2147483648"}, '{}max-replicas: found "2147483648"; write a whole number, 1 or more'),
        ({"min_replicas": "12"}, "minReplicas 12 is above maxReplicas 10 of spec; write {0}min-replicas and {0}max-replicas that agree"),
        ({"min_replicas": "3", "max_replicas": "2"}, "minReplicas 3 is above maxReplicas 2; write {0}min-replicas and {0}max-replicas that agree"),
        ({"min_replicas": "3", "override_until": "tomorrow"}, '{}override-until: found "tomorrow"; write a time in UTC, such as "2026-11-24T09:30:00Z"'),
        ({"override_until": "2026-11-24T10:00:00Z"}, "{0}override-until alone changes nothing; write {0}min-replicas or {0}max-replicas too"),
        ({"schedule": json.dumps([DAYTIME | {"min": 40}])}, "{}schedule[0]: minReplicas 40 is above maxReplicas 10 of spec; write min and max that agree"),
    ],
)  # fmt: skip
def test_a_wrong_annotation_is_ignored_with_a_sentence(notes, message):
    found = at(**notes)
    assert pair(found) == (1, 10)
    assert said(found) == ("False", "Invalid", f"ignored: {message.format(PREFIX)}")


def test_a_schedule_holds_within_its_hours():
    found = at(schedule=json.dumps([DAYTIME]))
    assert pair(found) == (4, 10)
    assert said(found)[:2] == ("True", "Schedule")


def test_the_next_entry_is_announced_while_none_holds():
    # 20:30 in Berlin
    found = at(NOW_S + 10 * 3600.0, schedule=json.dumps([DAYTIME, NIGHT]))
    assert pair(found) == (1, 10)
    assert said(found) == (
        "False",
        "Waiting",
        "maxReplicas 2 instead of 10 (Mon-Sun 22:00 to 06:00 Europe/Berlin) begins at 2026-11-24T21:00:00Z",
    )


def test_of_entries_that_hold_together_the_first_counts():
    all_day = DAYTIME | {"from": "00:00", "to": "24:00", "min": 2}
    assert pair(at(schedule=json.dumps([DAYTIME, all_day]))) == (4, 10)
    assert pair(at(schedule=json.dumps([all_day, DAYTIME]))) == (2, 10)


def test_an_entry_that_began_yesterday_still_holds():
    # Tuesday 01:00 UTC is 02:00 in Berlin, in the night that began on Monday
    monday = NIGHT | {"days": "Mon"}
    assert pair(at(NOW_S - 8.5 * 3600.0, schedule=json.dumps([monday]))) == (1, 2)


def test_an_override_counts_before_the_schedule_and_is_not_mixed_with_it():
    both = {"schedule": json.dumps([DAYTIME]), "max_replicas": "3"}
    # the schedule's minimum of 4 would contradict it
    assert pair(at(**both)) == (1, 3)


@pytest.mark.parametrize(
    "notes",
    [{"min_replicas": "x"}, {"min_replicas": "9", "override_until": "2026-11-24T09:00:00Z"}],
    ids=["wrong", "ended"],
)
def test_an_override_that_is_not_in_force_leaves_the_schedule_in_force(notes):
    found = at(schedule=json.dumps([DAYTIME]), **notes)
    assert (pair(found), said(found)[:2]) == ((4, 10), ("True", "Schedule"))


def test_what_is_wrong_is_told_even_beside_what_holds():
    found = at(schedule="{", min_replicas="4")
    assert said(found)[:2] == ("True", "Override")
    assert "ignored: autoscaling.llmd.ai/schedule: found" in said(found)[2]
