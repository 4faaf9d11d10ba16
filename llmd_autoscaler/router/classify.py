"""Which class a request belongs to: the first one of the ServiceLevel whose `match` says so."""

from collections.abc import Mapping, Sequence

from llmd_autoscaler.translate.routing import Match, RequestClass

# the name of the Gateway API Inference Extension; llm-d's own spelling is the same thing
OBJECTIVE_HEADERS = ("x-gateway-inference-objective", "x-llm-d-inference-objective")


def class_of(classes: Sequence[RequestClass], headers: Mapping[str, str]) -> RequestClass:
    """The first class that matches; without any match the default one, wherever it stands in the order.

    Args: classes: in the order of the ServiceLevel, exactly one of them the default.
        headers: looked up by lower-case name, so a case-insensitive mapping is expected.
    Raises: ValueError: nothing matches and no class is the default.
    """
    for candidate in classes:
        if not candidate.match.is_default and _matches(candidate.match, headers):
            return candidate
    for candidate in classes:
        if candidate.match.is_default:
            return candidate
    raise ValueError(
        "no class matches and none is the default: mark one with match: {default: true}"
    )


def _matches(match: Match, headers: Mapping[str, str]) -> bool:
    if match.header:
        return headers.get(match.header) == match.value
    return bool(match.objective) and any(
        headers.get(name) == match.objective for name in OBJECTIVE_HEADERS
    )
