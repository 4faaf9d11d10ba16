"""One request of a recorded trace, as every form of trace gives it."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

# Ten times the longest context of any model: beyond it a number is a mistake, and its prompt would fill the memory.
MOST_TOKENS = 10_000_000


class Request(NamedTuple):
    """When it came, and how long its prompt and its answer are."""

    at_s: float
    isl: int
    osl: int

    @property
    def is_plausible(self) -> bool:
        """Whether the numbers can be those of a request."""
        return (
            math.isfinite(self.at_s)
            and 1 <= self.isl <= MOST_TOKENS
            and 0 <= self.osl <= MOST_TOKENS
        )


# One row as a request; None: a row that asks for nothing. ValueError or TypeError: it is no row of this form.
RowReader: TypeAlias = Callable[[str], Request | None]


class Form(NamedTuple):
    """One way of writing a trace down."""

    read_row: RowReader
    has_header: bool
    row: str  # what a right row holds, for the sentence about a wrong one
