"""Objects of the API as JSON, and times as Kubernetes writes them."""

from datetime import UTC, datetime

Json = dict[str, object]


def timestamp(at_s: float) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(written: str) -> float:
    """Unix seconds of an RFC 3339 time; 0 for an empty text."""
    return datetime.fromisoformat(written).timestamp() if written else 0.0
