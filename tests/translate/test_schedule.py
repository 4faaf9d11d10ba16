"""When a schedule holds, by the clock on the wall of its zone."""

import datetime as dt

import pytest

from llmd_autoscaler.translate.schedule import read_schedule, spans
from models.limit_schedule import ScheduledLimits


def entry(days="Mon-Fri", begin="08:00", end="20:00", zone="Europe/Berlin"):
    return ScheduledLimits(days=days, begin=begin, end=end, timezone=zone, min_replicas=4)


def at_s(text):
    return dt.datetime.fromisoformat(text).timestamp()


def hours(one, now):
    """(begin, hours) of each span, the begin in UTC."""
    return [
        (
            dt.datetime.fromtimestamp(each.begin_s, dt.UTC).strftime("%a %d %H:%M"),
            (each.end_s - each.begin_s) / 3600.0,
        )
        for each in spans(one, now_s=at_s(now))
    ]


def test_a_span_stands_for_each_of_its_days_from_yesterday_to_a_week_ahead():
    # a Tuesday; Berlin is an hour ahead of UTC in winter
    assert hours(entry(days="Mon,Tue"), "2026-11-24T09:00:00Z") == [
        ("Mon 23 07:00", 12.0),
        ("Tue 24 07:00", 12.0),
        ("Mon 30 07:00", 12.0),
        ("Tue 01 07:00", 12.0),
    ]


def test_an_end_before_the_begin_is_on_the_next_day():
    assert hours(entry("Tue", "22:00", "06:00"), "2026-11-24T09:00:00Z")[0] == ("Tue 24 21:00", 8.0)


def test_a_day_belongs_to_its_zone():
    # 23:30 UTC on Monday is Tuesday in Berlin
    assert hours(entry("Tue", "00:00", "24:00"), "2026-11-23T23:30:00Z")[0] == (
        "Mon 23 23:00",
        24.0,
    )


@pytest.mark.parametrize(
    ("now", "day_hours"), [("2026-03-29T12:00:00Z", 23.0), ("2026-10-25T12:00:00Z", 25.0)]
)
def test_a_day_on_which_the_clocks_are_set_has_another_length(now, day_hours):
    assert hours(entry("Sun", "00:00", "24:00"), now)[0][1] == day_hours


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", 'schedule: found "{", which is no JSON; write a list such as'),
        ("", 'schedule: found "", which is no JSON'),
        ("[" * 100_000, "schedule: found"),
        ("3", "schedule: found 3 (a number); write a list"),
        ("[]", "schedule: found a list; write at least one item"),
        ("[3]", "schedule[0]: found 3 (a number); write a mapping"),
        ('[{"days":"\\ud800"}]', "schedule: found a text with half a character"),
    ],
    ids=["cut", "empty", "deep", "number", "no entry", "no object", "half a character"],
)
def test_what_is_no_schedule_is_told_as_that(text, said):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the sentence is the claim)
        read_schedule(text)
    assert str(caught.value).startswith(said)
