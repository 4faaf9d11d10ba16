"""When the entries of a schedule of replica limits hold: by the clock on the wall of their time zone."""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from models.fault import faults
from models.found import shortened
from models.limit_schedule import (
    LimitSchedule,
    ScheduledLimits,
    read_minute,
    read_weekdays,
    read_zone,
)

_MINUTES_PER_HOUR, _HOURS_PER_DAY = 60, 24
# An entry that began yesterday may still hold, and the next begins within a week.
_DAYS_AROUND: Final = range(-1, 9)


@dataclass(frozen=True, slots=True)
class Span:
    """One time for which an entry holds; its end is no part of it."""

    begin_s: float
    end_s: float


def read_schedule(text: str) -> tuple[ScheduledLimits, ...]:
    """The entries of an annotation.

    Raises: ValueError: the first thing that is wrong with it, and where: it begins with "schedule".
    """
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f'schedule: found "{shortened(text)}", which is no JSON; write a list such as '
            '[{"days":"Mon-Fri","from":"08:00","to":"20:00","timezone":"Europe/Berlin","min":4}]'
        ) from error
    try:
        return LimitSchedule.from_wire({"schedule": listed}).schedule
    except ValidationError as error:
        said = faults(error, LimitSchedule)[0].text()
        # of a text that JSON cannot hold no place is known
        raise ValueError(said if said.startswith("schedule") else f"schedule: {said}") from error


def spans(entry: ScheduledLimits, *, now_s: float) -> list[Span]:
    """The times of an entry from yesterday to a week ahead, in their order."""
    zone, weekdays = read_zone(entry.timezone), read_weekdays(entry.days)
    begin, end = read_minute(entry.begin), read_minute(entry.end)
    over_night = timedelta(days=1 if end < begin else 0)
    today = datetime.fromtimestamp(now_s, zone).date()
    days = [today + timedelta(days=n) for n in _DAYS_AROUND]
    return [
        Span(_moment_s(day, begin, zone), _moment_s(day + over_night, end, zone))
        for day in days
        if day.weekday() in weekdays
    ]


def described(entry: ScheduledLimits) -> str:
    """When an entry holds, as people say it."""
    return f"{entry.days} {entry.begin} to {entry.end} {entry.timezone}"


def _moment_s(day: date, minute: int, zone: ZoneInfo) -> float:
    """Unix seconds of a time of day, which on a day of 23 or 25 hours is not so many minutes after its start."""
    hours, minutes = divmod(minute, _MINUTES_PER_HOUR)
    whole_days, hours = divmod(hours, _HOURS_PER_DAY)
    local = datetime.combine(day + timedelta(days=whole_days), time(hours, minutes), zone)
    return local.timestamp()
