"""Moments: RFC 3339 with a zone in, UTC out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.timestamp import read_timestamp_s, write_timestamp

# date -u -d 2026-11-24T09:30:00Z +%s
HALF_PAST_NINE_S = 1795512600


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("2026-11-24T09:30:00Z", HALF_PAST_NINE_S),
        ("2026-11-24t09:30:00z", HALF_PAST_NINE_S),
        ("2026-11-24T10:30:00+01:00", HALF_PAST_NINE_S),
        ("2026-11-24T09:30:00.25Z", HALF_PAST_NINE_S + 0.25),
        ("2026-11-24T09:30:00.123456789Z", HALF_PAST_NINE_S + 0.123456),
        ("1970-01-01T00:00:00Z", 0.0),
    ],
)
def test_a_time_with_its_zone_is_read(text, unix_s):
    assert read_timestamp_s(text) == unix_s


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-24",
        "2026-11-24T09:30:00",
        "2026-11-24 09:30:00Z",
        "20261124T093000Z",
        "2026-13-01T00:00:00Z",
        "2026-11-24T24:01:00Z",
        "0000-01-01T00:00:00Z",
        "1795512600",
    ],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match='write a time in UTC, such as "2026-11-24T09:30:00Z"'):
        read_timestamp_s(text)


@pytest.mark.parametrize(
    ("unix_s", "text"),
    [
        (HALF_PAST_NINE_S, "2026-11-24T09:30:00Z"),
        (HALF_PAST_NINE_S + 0.5, "2026-11-24T09:30:00.5Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (-62135596800, "0001-01-01T00:00:00Z"),
    ],
)
def test_a_moment_has_one_spelling(unix_s, text):
    assert write_timestamp(unix_s) == text


@pytest.mark.parametrize("unix_s", [float("nan"), float("inf"), 1e12, -1e12])
def test_what_no_calendar_holds_is_not_written(unix_s):
    with pytest.raises(ValueError, match="no moment that RFC 3339 can write"):
        write_timestamp(unix_s)


@given(st.floats(min_value=0, max_value=4e9))
def test_a_canonical_text_stays_as_it_is(unix_s):
    text = write_timestamp(unix_s)
    assert write_timestamp(read_timestamp_s(text)) == text


@given(st.floats(min_value=0, max_value=4e9))
def test_a_moment_is_kept_to_the_microsecond(unix_s):
    assert abs(read_timestamp_s(write_timestamp(unix_s)) - unix_s) <= 1e-6
