"""A schedule of replica limits, as an annotation of a VariantAutoscaling writes it in JSON."""

import re
from typing import Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from models.count import PositiveCount
from models.found import shortened
from models.wire import WireModel

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTES_PER_HOUR, _HOURS_PER_DAY = 60, 24
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})")


def read_weekdays(text: str) -> frozenset[int]:
    """Days of the week, Monday is 0: days and spans of days with commas between, such as "Mon-Wed,Sat".

    Raises: ValueError: a part of it is neither.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(
                f'found "{shortened(text)}"; write days such as "Mon-Fri" or "Sat,Sun", each one of {", ".join(DAYS)}'
            )
        begin = DAYS.index(first)
        n = (DAYS.index(last) - begin) % len(DAYS) if dash else 0
        found.update((begin + i) % len(DAYS) for i in range(n + 1))
    return frozenset(found)


def read_minute(text: str) -> int:
    """Minutes since midnight of a time of day, "00:00" to "24:00".

    Raises: ValueError: it is none.
    """
    parts = _CLOCK.fullmatch(text)
    hours, minutes = (int(parts[1]), int(parts[2])) if parts else (_HOURS_PER_DAY, 1)
    total = hours * _MINUTES_PER_HOUR + minutes
    if minutes >= _MINUTES_PER_HOUR or total > _HOURS_PER_DAY * _MINUTES_PER_HOUR:
        raise ValueError(f'found "{shortened(text)}"; write a time of day such as "08:00"')
    return total


def read_zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database.

    Raises: ValueError: it has none of this name.
    """
    try:
        return ZoneInfo(name)
    # what a name that is a folder, a path or no text of a file system raises differs by system
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f'found "{shortened(name)}"; write a time zone that this system knows, such as "Europe/Berlin" or "UTC"'
        ) from error


class ScheduledLimits(WireModel):
    """Limits that hold on some days from one time of day to another."""

    days: str = Field(description='Days on which it begins, such as "Mon-Fri" or "Sat,Sun".')
    begin: str = Field(alias="from", description='Time of day at which it begins, such as "08:00".')
    end: str = Field(
        alias="to", description="Time of day at which it ends; an earlier one is on the next day."
    )
    timezone: str = Field(description='Where the times of day are read, such as "Europe/Berlin".')
    min_replicas: PositiveCount | None = Field(
        default=None, alias="min", description="Fewest instances meanwhile."
    )
    max_replicas: PositiveCount | None = Field(
        default=None, alias="max", description="Most instances meanwhile."
    )

    @field_validator("days")
    @classmethod
    def _are_days(cls, days: str) -> str:
        read_weekdays(days)
        return days

    @field_validator("begin", "end")
    @classmethod
    def _is_a_time_of_day(cls, text: str) -> str:
        read_minute(text)
        return text

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        read_zone(timezone)
        return timezone

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.min_replicas is None and self.max_replicas is None:
            raise ValueError("found neither min nor max; write at least one of them")
        if read_minute(self.begin) == read_minute(self.end):
            raise ValueError(
                f'found from and to "{self.begin}" alike; write "00:00" to "24:00" for a whole day'
            )
        return self


class LimitSchedule(WireModel):
    """The list; of entries that hold at the same time the first counts."""

    schedule: tuple[ScheduledLimits, ...] = Field(min_length=1, description="The entries.")
