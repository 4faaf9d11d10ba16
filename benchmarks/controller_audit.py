"""What an audit log says of one user: which requests in a span of time, and which statuses were written. Pure."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Event = Mapping[str, object]
# What goes on beside the ticks, at the pace of the wall clock: the lease, and watches that end each minute.
_BESIDE = frozenset({"leases"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    at_s: float  # Unix
    verb: str
    resource: str  # with its subresource
    name: str
    code: int

    @property
    def what(self) -> str:
        """Verb and resource."""
        return f"{self.verb} {self.resource}"

    @property
    def is_of_a_tick(self) -> bool:
        """Whether a tick made it: not the lease, not a watch."""
        return self.verb != "watch" and self.resource not in _BESIDE


def requests(events: Iterable[Event], user: str) -> Iterator[Request]:
    """The requests of a user, each once."""
    for event in events:
        who, about = _part(event, "user"), _part(event, "objectRef")
        # a watch is told when it begins and when it ends
        is_watch, has_ended = event.get("verb") == "watch", event.get("stage") == "ResponseComplete"
        if who.get("username") != user or is_watch == has_ended:
            continue
        resource = "/".join(
            str(about[part]) for part in ("resource", "subresource") if about.get(part)
        )
        code = _part(event, "responseStatus").get("code")
        yield Request(
            at_s=_unix_s(str(event.get("requestReceivedTimestamp"))),
            verb=str(event.get("verb")),
            resource=resource or str(event.get("requestURI")),
            name=str(about.get("name", "")),
            code=code if isinstance(code, int) else 0,
        )


def within(found: Iterable[Request], begin_s: float, end_s: float) -> list[Request]:
    """Those that came between two moments."""
    return [each for each in found if begin_s <= each.at_s < end_s]


def by_what(found: Iterable[Request]) -> Counter[str]:
    """How many of each kind."""
    return Counter(each.what for each in found)


def status_writes(found: Iterable[Request]) -> Counter[str]:
    """How many statuses were written, by the name of their object; a model's two objects have one name."""
    return Counter(
        each.name
        for each in found
        if each.verb == "patch" and each.resource.endswith("/status") and each.code == 200
    )


def _part(event: Event, name: str) -> Mapping[str, object]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def _unix_s(written: str) -> float:
    """A time as an audit log writes it, with microseconds."""
    return dt.datetime.fromisoformat(written).timestamp()
