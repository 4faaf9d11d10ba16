"""Moments as Kubernetes writes them (RFC 3339, UTC) and as we count them (Unix seconds)."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from models.found import expect_text, shortened

_WANTED = 'a time in UTC, such as "2026-11-24T09:30:00Z"'
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[-+][0-9]{2}:[0-9]{2})"
)


def read_timestamp_s(text: str) -> float:
    """Unix seconds of an RFC 3339 time; finer than a microsecond is cut off.

    Raises: ValueError: no such time, or one without its zone.
    """
    try:
        # fromisoformat alone would take "20261124" and times without a zone
        moment = datetime.fromisoformat(text.upper() if _RFC3339.fullmatch(text) else "")
        return moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(f'found "{shortened(text)}"; write {_WANTED}') from error


def write_timestamp(unix_s: float) -> str:
    """The one spelling of a moment: UTC, to the microsecond, without trailing zeros.

    Raises: ValueError: not a number, or outside the years 1 to 9999.
    """
    try:
        moment = datetime.fromtimestamp(unix_s, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"{unix_s} s is no moment that RFC 3339 can write") from error
    text = moment.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def _from_wire(value: object, info: ValidationInfo[None]) -> object:
    return read_timestamp_s(expect_text(value, _WANTED)) if info.mode == "json" else value


Timestamp = Annotated[
    float,
    BeforeValidator(_from_wire),
    PlainSerializer(write_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Unix seconds."""
