"""A schedule as people write it: days, times of day and a zone, or a sentence that says what to write."""

import pytest
from pydantic import ValidationError

from models.fault import faults
from models.limit_schedule import LimitSchedule, read_minute, read_weekdays

ENTRY = {"days": "Mon-Fri", "from": "08:00", "to": "20:00", "timezone": "Europe/Berlin", "min": 4}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon-Fri", {0, 1, 2, 3, 4}),
        ("Sat,Sun", {5, 6}),
        ("Fri-Mon", {4, 5, 6, 0}),
        ("Mon-Mon", {0}),
        ("Tue, Thu-Fri", {1, 3, 4}),
    ],
)
def test_days_are_named_alone_or_as_spans(text, days):
    assert read_weekdays(text) == days


@pytest.mark.parametrize("text", ["", "Mo", "mon", "Mon-", "-Fri", "Mon-Tue-Wed", "Mon;Tue", "1-5"])
def test_what_names_no_days_is_told_how_to(text):
    with pytest.raises(ValueError, match='write days such as "Mon-Fri" or "Sat,Sun"'):
        read_weekdays(text)


def test_a_time_of_day_is_minutes_since_midnight_up_to_midnight():
    assert [read_minute(text) for text in ("00:00", "08:30", "24:00")] == [0, 510, 1440]


@pytest.mark.parametrize(
    "text", ["", "8:00", "08:60", "24:01", "25:00", "0800", "08:00:00", "\u0660\u0668:00"]
)
def test_what_is_no_time_of_day_is_told_how_to(text):
    with pytest.raises(ValueError, match='write a time of day such as "08:00"'):
        read_minute(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days": "Mo"}, 'schedule[0].days: found "Mo"'),
        ({"from": "8"}, 'schedule[0].from: found "8"'),
        ({"timezone": "Mars"}, 'schedule[0].timezone: found "Mars"; write a time zone that this system knows'),
        ({"timezone": "../etc"}, "schedule[0].timezone: found"),
        ({"timezone": "Europe"}, "schedule[0].timezone: found"),
        ({"timezone": ""}, "schedule[0].timezone: found"),
        ({"timezone": None}, "schedule[0].timezone: found nothing; write a text"),
        ({"min": 0}, "schedule[0].min: found 0 (a number); write 1 or more"),
        ({"min": "4"}, 'schedule[0].min: found "4"; write 4 without quotes'),
        ({"min": True}, "schedule[0].min: found true (a boolean); write a whole number"),
        ({"mins": 4}, "schedule[0].mins: unknown field; did you mean min?"),
        ({"to": "08:00"}, 'schedule[0]: found from and to "08:00" alike; write "00:00" to "24:00"'),
        ({"min": None}, "schedule[0]: found neither min nor max; write at least one of them"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_entry_is_told_with_its_place(changes, said):
    with pytest.raises(ValidationError) as caught:
        LimitSchedule.from_wire({"schedule": [ENTRY | changes]})
    assert faults(caught.value, LimitSchedule)[0].text().startswith(said)


def test_what_was_read_is_written_as_it_was():
    wire = {"schedule": [ENTRY]}
    assert LimitSchedule.from_wire(wire).to_wire() == wire
