"""Kubernetes quantities: `2500m`, `6.5`, `4Gi`, read as whole thousandths."""

import math
import re
from fractions import Fraction

_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000 ** (i + 1)) for i, suffix in enumerate("kMGTPE")},
    **{f"{suffix}i": Fraction(1024 ** (i + 1)) for i, suffix in enumerate("KMGTPE")},
}
_SHAPE = re.compile(
    r"^([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))(?:[eE]([+-]?\d{1,2})|([a-zA-Z]{0,2}))$"
)


def milli(written: str) -> int:
    """The thousandths of a quantity, rounded up as Kubernetes does: `8.0000001` is 8001.

    Raises: ValueError: it is no quantity.
    """
    found = _SHAPE.match(written)
    if found is None or (found[3] or "") not in _SUFFIXES:
        raise ValueError(f"{written!r} is no quantity: write a number such as 3, 6.5 or 2500m")
    number, exponent, suffix = found.groups()
    scale = Fraction(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""]
    return math.ceil(Fraction(number) * scale * 1000)
