"""Names that Kubernetes or a metric's label must be able to carry."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from models.found import found

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"


def _label(name: str) -> str:
    if len(name) > 63 or not re.fullmatch(_LABEL, name):  # noqa: PLR2004 (RFC 1123)
        raise ValueError(
            f"found {found(name)}; write at most 63 of a-z, 0-9 and '-', such as \"interactive\""
        )
    return name


def _subdomain(name: str) -> str:
    if len(name) > 253 or not re.fullmatch(_SUBDOMAIN, name):  # noqa: PLR2004 (RFC 1123)
        raise ValueError(
            f"found {found(name)}; write at most 253 of a-z, 0-9, '-' and '.', such as \"llama-70b\""
        )
    return name


LabelName = Annotated[
    str,
    AfterValidator(_label),
    WithJsonSchema({"type": "string", "maxLength": 63, "pattern": f"^{_LABEL}$"}),
]
"""One part of a DNS name: namespaces and our classes."""

ObjectName = Annotated[
    str,
    AfterValidator(_subdomain),
    WithJsonSchema({"type": "string", "maxLength": 253, "pattern": f"^{_SUBDOMAIN}$"}),
]
"""A DNS name: what Kubernetes calls objects."""

Text = Annotated[str, Field(min_length=1)]
"""Any text but an empty one."""
