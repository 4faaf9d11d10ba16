"""The kinds of work that instances of one variant can share."""

from enum import StrEnum


class Group(StrEnum):
    """What the instances of a group do."""

    PREFILL = "prefill"
    DECODE = "decode"
    MIXED = "mixed"
    BATCH = "batch"
