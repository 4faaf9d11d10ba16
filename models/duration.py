"""Durations as Go writes them ("1m30s") and as we count them (seconds).

The API server keeps the text that it is given, so one length must have one spelling: two spellings of
90 seconds would be a change to every watcher.
"""

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from models.found import expect_text, shortened

_NS_PER_S = 10**9
_UNITS_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, the one that Go writes
    "μs": 10**3,  # U+03BC, which Go reads as well
    "ms": 10**6,
    "s": _NS_PER_S,
    "m": 60 * _NS_PER_S,
    "h": 3600 * _NS_PER_S,
}
# Go holds a duration in 63 bits of nanoseconds: 292 years
_MOST_NS = 2**63 - 1
_MOST_DIGITS = 40
_WANTED = 'a duration with its unit, such as "500ms", "90s" or "1h30m"'
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_PATTERN = r"^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$"


def read_duration_s(text: str) -> float:
    """Seconds of any duration that Go's time.ParseDuration reads.

    Raises: ValueError: the text is no duration, or longer than Go can hold.
    """
    unsigned = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if unsigned == "0":
        return 0.0
    parts = _PART.findall(unsigned)
    if not parts or "".join(number + unit for number, unit in parts) != unsigned:
        raise ValueError(f'found "{shortened(text)}"; write {_WANTED}')
    # exact until the last step, so that 0.1s and 100ms are the same float
    total_ns = sum((_exact(number) * _UNITS_NS[unit] for number, unit in parts), Fraction(0))
    if total_ns > _MOST_NS:
        raise ValueError(f'found "{shortened(text)}"; write a duration below 292 years')
    return float(-total_ns / _NS_PER_S if text.startswith("-") else total_ns / _NS_PER_S)


def write_duration(seconds: float) -> str:
    """The one spelling of a duration, to the nanosecond: Go's, less its trailing zero units (10m, not 10m0s).

    Raises: ValueError: not a number, infinite, or longer than Go can hold.
    """
    if not abs(seconds) * _NS_PER_S <= _MOST_NS:
        raise ValueError(f"{seconds} s is no duration that Go can hold")
    total_ns = round(Fraction(seconds) * _NS_PER_S)
    sign, total_ns = ("-", -total_ns) if total_ns < 0 else ("", total_ns)
    if total_ns < _NS_PER_S:
        return sign + _below_a_second(total_ns)
    minutes, rest_ns = divmod(total_ns, 60 * _NS_PER_S)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    if minutes or (hours and rest_ns):
        text += f"{minutes}m"
    if rest_ns:
        text += _decimal(rest_ns, _NS_PER_S) + "s"
    return sign + text


def _below_a_second(total_ns: int) -> str:
    if total_ns == 0:
        return "0s"
    unit = next(unit for unit in ("ms", "µs", "ns") if total_ns >= _UNITS_NS[unit])
    return _decimal(total_ns, _UNITS_NS[unit]) + unit


def _decimal(total_ns: int, unit_ns: int) -> str:
    whole, rest = divmod(total_ns, unit_ns)
    digits = str(rest).rjust(len(str(unit_ns)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _exact(number: str) -> Fraction:
    # a million digits would be slow to read as a fraction, and no duration needs them
    if len(number) > _MOST_DIGITS:
        raise ValueError(f'found "{shortened(number)}"; write at most {_MOST_DIGITS} digits')
    return Fraction(number + "0" if number.endswith(".") else number)


def _from_wire(value: object, info: ValidationInfo[None]) -> object:
    return read_duration_s(expect_text(value, _WANTED)) if info.mode == "json" else value


_DurationText = Annotated[
    float,
    BeforeValidator(_from_wire),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]

Duration = Annotated[_DurationText, Field(ge=0)]
"""Seconds, 0 or more; text on the wire."""

PositiveDuration = Annotated[_DurationText, Field(gt=0)]
"""Seconds, more than 0; text on the wire."""
