"""Reads a path of the metrics APIs.

A path is decoded and cut once, and everything behind uses these very segments: what is authorised
and what is answered must never be two readings of one path.
"""

from dataclasses import dataclass

from adapter.authorization import Attributes
from adapter.discovery import EXTERNAL, EXTERNAL_VERSION, GROUP, RESOURCE, VERSIONS, Version

_N_METRIC = 5
_N_SERIES = 3


@dataclass(frozen=True, slots=True)
class MetricPath:
    """One metric of one object of a namespace, or of all of them (`*`)."""

    version: Version
    namespace: str
    name: str
    metric: str

    def attributes(self) -> Attributes:
        """What the API server has authorised for the same path."""
        return Attributes(
            group=GROUP,
            version=self.version,
            namespace=self.namespace,
            resource=RESOURCE,
            subresource=self.metric,
            name=self.name,
        )


@dataclass(frozen=True, slots=True)
class SeriesPath:
    """An external metric within a namespace."""

    namespace: str
    metric: str

    def attributes(self) -> Attributes:
        """What the API server has authorised for the same path: a list of what looks like a resource."""
        return Attributes(
            verb="list",
            group=EXTERNAL,
            version=EXTERNAL_VERSION,
            namespace=self.namespace,
            resource=self.metric,
        )


@dataclass(frozen=True, slots=True)
class PagePath:
    """A page of discovery, or of our own: a path that names no resource."""

    segments: tuple[str, ...]

    def attributes(self) -> Attributes:
        """The path."""
        return Attributes(path="/" + "/".join(self.segments))


Target = MetricPath | SeriesPath | PagePath


def segments_of(path: str) -> tuple[str, ...]:
    """The segments of a decoded path; none where one of them could be read in two ways.

    The same segments are refused as by Kubernetes' IsValidPathSegmentName; an encoded slash was
    decoded before and is one segment too many.
    """
    parts = tuple(path.removeprefix("/").split("/"))
    is_plain = all(part not in {"", ".", ".."} and "%" not in part for part in parts)
    return parts if path.startswith("/") and is_plain else ()


def target_of(segments: tuple[str, ...], *, is_external_served: bool) -> Target | None:
    """What a path names; None where that is nothing of ours."""
    match segments:
        case ("metrics",) | ("apis",):
            return PagePath(segments)
        case ("apis", group, *_) if group == GROUP:
            return _custom(segments)
        case ("apis", group, *_) if group == EXTERNAL and is_external_served:
            return _external(segments)
        case _:
            return None


def _custom(segments: tuple[str, ...]) -> Target | None:
    version = next((version for version in VERSIONS if segments[2:3] == (version,)), None)
    rest = segments[3:]
    if not rest:
        return PagePath(segments) if version or len(segments) == len(("apis", GROUP)) else None
    if version is None or len(rest) != _N_METRIC or rest[0] != "namespaces" or rest[2] != RESOURCE:
        return None
    return MetricPath(version, namespace=rest[1], name=rest[3], metric=rest[4])


def _external(segments: tuple[str, ...]) -> Target | None:
    version, rest = segments[2:3], segments[3:]
    if version not in {(), (EXTERNAL_VERSION,)}:
        return None
    if not rest:
        return PagePath(segments)
    if len(rest) != _N_SERIES or rest[0] != "namespaces":
        return None
    return SeriesPath(namespace=rest[1], metric=rest[2])
