"""A ServiceLevel as the router needs it: names, classes, places, routes."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.profile import step_model
from llmd_autoscaler.translate.service_level import qos_classes
from models.fault import faults
from models.service_level import Match as WireMatch
from models.service_level import ServiceLevel, ServiceLevelSpec
from models.service_level_status import ClassTraffic, ServiceLevelStatus
from models.service_level_status import MixEntry as WireMixEntry
from models.service_level_status import Route as WireRoute


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a request can go: the VariantAutoscaling and the group of its instances."""

    target: str
    group: str


@dataclass(frozen=True, slots=True)
class Match:
    """What makes a request one of a class; exactly one of the three is set."""

    header: str = ""  # lower case
    value: str = ""
    objective: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class RequestClass:
    """One class, how it is recognised, and what its requests are like on average."""

    qos: QosClass
    match: Match
    mean_osl_tokens: float | None = None
    hit_frac: float = 0.0


@dataclass(frozen=True, slots=True)
class MixEntry:
    """One group of the instance mix."""

    place: Place
    port: int
    step: StepModel


@dataclass(frozen=True, slots=True)
class Route:
    """The fraction of a route set that goes to one place."""

    place: Place
    fraction: float


@dataclass(frozen=True, slots=True)
class RouteSet:
    """Routes of one class up to a prompt length; their fractions sum to 1."""

    isl_up_to: float
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All that the router knows of one model."""

    model: str
    names: tuple[str, ...]  # the model, then its aliases
    classes: tuple[RequestClass, ...]
    mix: Mapping[Place, MixEntry]
    route_sets: Mapping[str, tuple[RouteSet, ...]]  # class -> sets, shortest prompts first
    valid_until_s: float = math.inf

    def route_set(self, class_name: str, isl: int) -> RouteSet | None:
        """The first set that covers a prompt of `isl` tokens; None where the class has none."""
        return next((s for s in self.route_sets.get(class_name, ()) if s.isl_up_to >= isl), None)


def read_routing_table(wire: Mapping[str, object]) -> RoutingTable:
    """The routing table that a ServiceLevel of the API server says; fields of newer versions are ignored.

    Raises: ObservationError: it is no ServiceLevel that we can read.
    """
    try:
        level = ServiceLevel.from_wire(wire, is_tolerant=True)
    except ValidationError as error:
        why = faults(error, ServiceLevel)[0].text()
        raise ObservationError(f"the ServiceLevel cannot be read: {why}") from error
    status = level.status or ServiceLevelStatus()
    return RoutingTable(
        model=level.spec.model_id,
        names=(level.spec.model_id, *(served.name for served in level.spec.served_models)),
        classes=_request_classes(level.spec, status),
        mix=_mix(status.mix),
        route_sets=_route_sets(status.routes),
        valid_until_s=math.inf if status.valid_until_s is None else status.valid_until_s,
    )


def _request_classes(
    spec: ServiceLevelSpec, status: ServiceLevelStatus
) -> tuple[RequestClass, ...]:
    seen = {each.name: each for each in status.traffic.classes} if status.traffic else {}
    return tuple(
        RequestClass(
            qos=qos,
            match=_match(each.match),
            mean_osl_tokens=_osl(seen.get(each.name)),
            hit_frac=_hit(seen.get(each.name)),
        )
        for qos, each in zip(qos_classes(spec), spec.classes, strict=True)
    )


def _osl(seen: ClassTraffic | None) -> float | None:
    return float(seen.osl_mean) if seen and seen.osl_mean else None


def _hit(seen: ClassTraffic | None) -> float:
    return seen.prefix_hit or 0.0 if seen else 0.0


def _match(match: WireMatch) -> Match:
    header = match.header
    return Match(
        header=header.name.lower() if header else "",
        value=header.value if header else "",
        objective=match.objective or "",
        is_default=match.default is True,
    )


def _mix(entries: Iterable[WireMixEntry]) -> dict[Place, MixEntry]:
    """By place; a group at two tiers is one place, since a pod's label does not tell its tier."""
    places = ((Place(entry.target, entry.group.value), entry) for entry in entries)
    return {place: MixEntry(place, entry.port, step_model(entry.step)) for place, entry in places}


def _route_sets(routes: Iterable[WireRoute]) -> dict[str, tuple[RouteSet, ...]]:
    rules: dict[str, dict[float, list[Route]]] = defaultdict(lambda: defaultdict(list))
    for route in routes:
        isl_up_to = math.inf if route.isl_up_to is None else float(route.isl_up_to)
        place = Place(route.target, route.group.value)
        rules[route.class_name][isl_up_to].append(Route(place, route.fraction))
    return {
        name: tuple(RouteSet(isl, tuple(of_set)) for isl, of_set in sorted(sets.items()))
        for name, sets in rules.items()
    }
