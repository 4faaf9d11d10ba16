"""Resources of the API server as the controller reads them: wire in, core types and sentences out.

Only `spec` and the identity are read here, fields of newer versions are ignored; what a status says
is read by `translate.stored`, because a status that somebody broke must not take its object away.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from pydantic import ValidationError

from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.condition import FALSE, TRUE, UNKNOWN, Finding
from llmd_autoscaler.translate.limits import Limits
from llmd_autoscaler.translate.profile import (
    catalog_names,
    engine_profile,
    lead_time,
    load_catalog,
)
from llmd_autoscaler.translate.service_level import qos_classes
from llmd_autoscaler.translate.variant import cost_usd_per_hour, fitting_profile
from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile, CapacityProfileSpec, Trust
from models.fault import faults
from models.group import Group
from models.resource import Resource
from models.service_level import ServiceLevel
from models.variant_autoscaling import VariantAutoscaling

# Some times the lead time of a large model: sleeping for less costs more in waiting than it saves.
IDLE_AFTER_S = 900.0

Wire = Mapping[str, object]
Kind = TypeVar("Kind", bound=Resource)


@dataclass(frozen=True, slots=True)
class Level:
    """A ServiceLevel."""

    namespace: str
    name: str
    created_s: float
    generation: int
    model_id: str
    classes: tuple[QosClass, ...]
    default_class: str
    min_instances: int = 1
    idle_after_s: float = IDLE_AFTER_S

    @property
    def seniority(self) -> tuple[float, str]:
        """Sorts the older first, as all who meet the same conflict must."""
        return self.created_s, self.name


@dataclass(frozen=True, slots=True)
class ScaleTarget:
    """The object whose instances are counted and scaled."""

    api_version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A VariantAutoscaling; `resource` is for this package alone."""

    namespace: str
    name: str
    created_s: float
    generation: int
    model_id: str
    accelerator: str
    n_accelerators: int
    groups: tuple[str, ...]
    scale_target: ScaleTarget
    port: int
    metrics_path: str
    metrics_scheme: str
    resource: VariantAutoscaling
    actuation: str = "HPA"  # HPA | Direct | Advisory

    @property
    def seniority(self) -> tuple[float, str]:
        """Sorts the older first, as all who meet the same conflict must."""
        return self.created_s, self.name


@dataclass(frozen=True, slots=True)
class Profile:
    """A CapacityProfile by name."""

    namespace: str
    name: str
    resource: CapacityProfile


@dataclass(frozen=True, slots=True)
class Stock:
    """How many accelerators of one kind may be used; infinite where nobody says."""

    name: str
    accelerator: str
    limit: float
    shares: Mapping[str, int]
    resource: AcceleratorStock


@dataclass(frozen=True, slots=True)
class InstanceCounts:
    """Pods of one target by what they do."""

    n_ready: int = 0
    n_starting: int = 0
    n_draining: int = 0


def read_level(wire: Wire) -> Level:
    """A ServiceLevel. Raises: ConfigError: it cannot be read, with its first fault."""
    level = _read(ServiceLevel, wire)
    classes = level.spec.classes
    return Level(
        namespace=level.metadata.namespace or "",
        name=level.metadata.name,
        created_s=level.metadata.creation_timestamp_s or 0.0,
        generation=level.metadata.generation or 0,
        model_id=level.spec.model_id,
        classes=qos_classes(level.spec),
        default_class=next(each.name for each in classes if each.match.default),
        min_instances=level.spec.min_instances,
        idle_after_s=level.spec.idle_after_s or IDLE_AFTER_S,
    )


def read_variant(wire: Wire) -> Variant:
    """A VariantAutoscaling. Raises: ConfigError: it cannot be read, with its first fault."""
    variant = _read(VariantAutoscaling, wire)
    spec, metadata = variant.spec, variant.metadata
    ref = spec.scale_target_ref
    return Variant(
        namespace=metadata.namespace or "",
        name=metadata.name,
        created_s=metadata.creation_timestamp_s or 0.0,
        generation=metadata.generation or 0,
        model_id=spec.model_id,
        accelerator=spec.accelerator,
        n_accelerators=spec.accelerator_count,
        groups=tuple(group.value for group in spec.groups),
        scale_target=ScaleTarget(ref.api_version, ref.kind, ref.name),
        port=spec.metrics.port,
        metrics_path=spec.metrics.path,
        metrics_scheme=spec.metrics.scheme.value,
        resource=variant,
        actuation=spec.actuation.value,
    )


def read_profile(wire: Wire) -> Profile:
    """A CapacityProfile. Raises: ConfigError: it cannot be read, with its first fault."""
    profile = _read(CapacityProfile, wire)
    return Profile(profile.metadata.namespace or "", profile.metadata.name, profile)


def read_stock(wire: Wire) -> Stock:
    """An AcceleratorStock. Raises: ConfigError: it cannot be read, with its first fault."""
    stock = _read(AcceleratorStock, wire)
    spec = stock.spec
    return Stock(
        name=stock.metadata.name,
        accelerator=spec.accelerator,
        limit=math.inf if spec.limit is None else spec.limit,
        shares={share.namespace: share.max for share in spec.shares},
        resource=stock,
    )


@cache
def catalogued_profiles() -> Mapping[str, Profile]:
    """The profiles that come with the package, by name."""
    return {name: Profile("", name, load_catalog(name)) for name in catalog_names()}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A variant's profile after all checks."""

    spec: CapacityProfileSpec
    trust: Finding


def fitted_profile(variant: Variant, profiles: Mapping[str, Profile]) -> Fitted:
    """The profile of a variant, which must fit it.

    Args:
        variant: the variant.
        profiles: those that it may name.

    Raises: ConfigError: none has the name, or it was taken of another model or other hardware.
    """
    spec = fitting_profile(
        variant.resource, {name: profile.resource for name, profile in profiles.items()}
    )
    return Fitted(spec, _trust(spec, _origin(variant, profiles)))


def target_state(
    variant: Variant,
    fitted: Fitted,
    stocks: Mapping[str, Stock],
    counts: InstanceCounts,
    *,
    desired: int,
    limits: Limits,
) -> TargetState:
    """A variant as the decision takes it.

    Args:
        variant: the variant.
        fitted: its profile.
        stocks: AcceleratorStocks by accelerator, for the price of an instance.
        counts: its pods.
        desired: what was last published, 0 for nothing.
        limits: the fewest and the most instances that it may have now.

    Raises: ConfigError: nobody says what an instance costs.
    """
    spec = variant.resource.spec
    prices = {name: stock.resource for name, stock in stocks.items()}
    return TargetState(
        name=variant.name,
        accelerator=variant.accelerator,
        n_accelerators=variant.n_accelerators,
        usd_per_hour=cost_usd_per_hour(variant.resource, prices),
        min_instances=limits.min_instances,
        max_instances=limits.max_instances,
        profile=engine_profile(fitted.spec),
        lead=lead_time(fitted.spec),
        desired=desired,
        n_ready=counts.n_ready,
        n_starting=counts.n_starting,
        n_draining=counts.n_draining,
        is_paused=spec.paused,
    )


def serves_mixed(variant: Variant) -> bool:
    """Whether its instances may do both phases, the one group that is planned for today."""
    return Group.MIXED.value in variant.groups


def _origin(variant: Variant, profiles: Mapping[str, Profile]) -> str:
    """Which profile a variant has, so that whoever edits one sees which edit is in force."""
    ref = variant.resource.spec.profile_ref
    if ref is None:
        return "the profile in spec.profile"
    profile = profiles[ref.name]
    if not profile.namespace:
        return f'the catalogue\'s profile "{ref.name}"'
    generation = profile.resource.metadata.generation
    of_edit = f" of generation {generation}" if generation else ""
    return f'CapacityProfile "{ref.name}"{of_edit}'


def _trust(spec: CapacityProfileSpec, origin: str) -> Finding:
    """How far a profile can be trusted before anything was compared with it."""
    error = spec.step_error
    off = f", its step time {error.median_frac:.1%} off in the median" if error else ""
    if spec.trust is Trust.MEASURED:
        return Finding("ProfileTrusted", TRUE, "Measured", f"{origin} was measured{off}")
    return Finding(
        "ProfileTrusted",
        UNKNOWN,
        "Predicted",
        f"{origin} was predicted{off}, and has not been compared with live instances",
    )


def refused_profile(message: str) -> Finding:
    """What a profile that cannot be used makes of its variant."""
    return Finding("ProfileTrusted", FALSE, "ProfileDoesNotFit", message)


def _read(kind: type[Kind], wire: Wire) -> Kind:
    try:
        return kind.from_wire({k: v for k, v in wire.items() if k != "status"}, is_tolerant=True)
    except ValidationError as error:
        found = faults(error, kind)
        metadata = wire.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ConfigError(f'{kind.__name__} "{name}": {found[0].text()}{more}') from error
