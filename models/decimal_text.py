"""Numbers that may carry a fraction: text on the wire, since Kubernetes has no floats in its resources."""

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from models.found import found, shortened

_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"
_DECIMAL = re.compile(_PATTERN.removesuffix("$"))


class UnquotedNumberError(ValueError):
    """A number where its text belongs: who knows how the file spells it (0.990) says so in the sentence."""


def read_decimal(text: str) -> float:
    """The number of a plain decimal text ("0.99", "14", "-3.5").

    Raises: ValueError: not plain digits, or too large for a float.
    """
    value = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ValueError(
            f'found "{shortened(text)}"; write a number in plain digits, such as "0.99" or "14"'
        )
    return value


def write_decimal(value: float) -> str:
    """The one spelling of a number: no exponent, no trailing zeros, the fewest digits that read back the same.

    Raises: ValueError: not a number or infinite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written as a decimal")
    if value == 0:
        return "0"  # -0.0 too
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _from_wire(value: object, info: ValidationInfo[None]) -> object:
    if info.mode != "json":
        return value
    if isinstance(value, str):
        return read_decimal(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise UnquotedNumberError(value)
    raise ValueError(f'found {found(value)}; write a number in quotes, such as "0.99"')


DecimalText = Annotated[
    float,
    BeforeValidator(_from_wire),
    PlainSerializer(write_decimal, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
"""Any finite number."""

AmountText = Annotated[DecimalText, Field(ge=0)]
"""0 or more."""

FractionText = Annotated[DecimalText, Field(ge=0, le=1)]
"""From 0 to 1."""
