"""The name of a decision: which leader made it, and which of its decisions it is."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from models.found import expect_text, found

_PATTERN = r"^(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,17})$"
MAX_EPOCH = 10**18 - 1  # the last that has no more than 18 digits
_WANTED = 'leader epoch and counter, such as "7-1482"'
_TEXT = re.compile(_PATTERN.removesuffix("$"))


@dataclass(frozen=True, order=True, slots=True)
class DecisionId:
    """`epoch-counter`; later decisions compare greater."""

    epoch: int
    counter: int

    def text(self) -> str:
        """The same as text."""
        return f"{self.epoch}-{self.counter}"

    @staticmethod
    def parse(text: str) -> "DecisionId":
        """The decision that a text such as "7-1482" names.

        Raises: ValueError: not two whole numbers with a hyphen between them.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"found {found(text)}; write {_WANTED}")
        return DecisionId(epoch=int(match[1]), counter=int(match[2]))


def _read(value: object) -> DecisionId:
    if isinstance(value, DecisionId):
        return value
    return DecisionId.parse(expect_text(value, _WANTED))


DecisionIdText = Annotated[
    DecisionId,
    PlainValidator(_read),
    PlainSerializer(DecisionId.text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
"""A DecisionId; text on the wire."""
