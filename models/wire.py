"""The form that every wire type has: camelCase outside, snake_case inside, frozen, and strict.

There are two ways in, and they differ on purpose. Python code calls the constructor with our names
and units (`max_s=1.5`, tuples, enums). What was written by somebody else goes through `from_wire`,
where a duration is text and a field is known by its wire name only.
"""

import json
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """A mapping on the wire."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    @classmethod
    def from_wire(cls, wire: Mapping[str, object], *, is_tolerant: bool = False) -> Self:
        """The value that JSON data says.

        Args:
            wire: what a JSON or YAML reader gave.
            is_tolerant: ignore unknown fields, for objects that a newer version of us may have
                written; whoever reads a person's file leaves it False, so that a slip is found.

        Raises: pydantic.ValidationError: `models.fault.faults` turns it into sentences.
        """
        return cls.model_validate_json(
            json.dumps(wire),
            by_alias=True,
            by_name=False,
            extra="ignore" if is_tolerant else "forbid",
        )

    def to_wire(self) -> dict[str, object]:
        """JSON data with what was set, in one canonical spelling; nothing that is absent is written."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
