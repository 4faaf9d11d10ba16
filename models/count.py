"""Whole numbers, within what Kubernetes holds in an int32."""

from typing import Annotated

from pydantic import Field

_MOST = 2**31 - 1

Count = Annotated[int, Field(ge=0, le=_MOST)]
"""0 or more."""

PositiveCount = Annotated[int, Field(ge=1, le=_MOST)]
"""1 or more."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port."""
