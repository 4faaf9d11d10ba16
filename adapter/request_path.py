"""Reads a path of the custom metrics API.

A path is decoded and cut once, and everything behind uses these very segments: what is authorised
and what is answered must never be two readings of one path.
"""

from dataclasses import dataclass

from adapter.discovery import GROUP, RESOURCE, VERSIONS, Version

ALL = "*"
_N_METRIC = 5


@dataclass(frozen=True, slots=True)
class MetricPath:
    """One metric of one object of a namespace, or of all of them (`*`)."""

    version: Version
    namespace: str
    name: str
    metric: str


def segments_of(path: str) -> tuple[str, ...]:
    """The segments of a decoded path; none where one of them could be read in two ways.

    The same segments are refused as by Kubernetes' IsValidPathSegmentName; an encoded slash was
    decoded before and is one segment too many.
    """
    parts = tuple(path.removeprefix("/").split("/"))
    is_plain = all(part not in {"", ".", ".."} and "%" not in part for part in parts)
    return parts if path.startswith("/") and is_plain else ()


def version_of(segments: tuple[str, ...]) -> Version | None:
    """The version of our group that a path is under; None for any other path."""
    if segments[:2] != ("apis", GROUP):
        return None
    return next((version for version in VERSIONS if segments[2:3] == (version,)), None)


def metric_path(segments: tuple[str, ...]) -> MetricPath | None:
    """The metric that a path names; None where it names none of ours."""
    version, rest = version_of(segments), segments[3:]
    if version is None or len(rest) != _N_METRIC or rest[0] != "namespaces" or rest[2] != RESOURCE:
        return None
    return MetricPath(version, namespace=rest[1], name=rest[3], metric=rest[4])
