"""One model as files declare it: its classes, its targets and their profiles, ready to be run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.profile import engine_profile, lead_time, load_catalog
from llmd_autoscaler.translate.routing import RequestClass, read_routing_table
from llmd_autoscaler.translate.variant import cost_usd_per_hour, fitting_profile
from llmd_autoscaler.translate.yaml_file import Resource
from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile
from models.object_meta import ObjectMeta
from models.service_level import ServiceLevel
from models.variant_autoscaling import Actuation, VariantAutoscaling

DEFAULT_NAMESPACE = "default"
_DEPLOYMENT = ("apps/v1", "Deployment")

Wire = dict[str, object]


@dataclass(frozen=True, slots=True)
class DeclaredTarget:
    """One VariantAutoscaling and what runs it."""

    state: TargetState
    deployment: str
    port: int
    profile: Wire
    """Its CapacityProfile, as YAML would say it."""


@dataclass(frozen=True, slots=True)
class DeclaredObject:
    """One resource as it is applied."""

    kind: str
    name: str
    namespace: str  # empty for what belongs to the whole cluster
    body: Wire


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One model with everything that serves it."""

    namespace: str
    model: str
    service_level: str
    annotations: Mapping[str, str]
    """Of the ServiceLevel."""
    classes: tuple[RequestClass, ...]
    targets: tuple[DeclaredTarget, ...]
    stock: Mapping[str, int]
    """Accelerators of each kind that the model may use; a kind that nobody limits is not there."""
    objects: tuple[DeclaredObject, ...]


def read_blueprint(resources: Sequence[Resource], source: str) -> Blueprint:
    """The one model of a set of resources.

    Args:
        resources: of all files together.
        source: what the sentence calls them, mostly their folder.

    Raises: ConfigError: not exactly one model, nothing that serves it, or two things that contradict each other.
    """
    level = _only_level(resources, source)
    namespace = _namespace_of(level)
    for resource in resources:
        found = _namespace_of(resource)
        if not isinstance(resource, AcceleratorStock) and found != namespace:
            raise ConfigError(
                f'{source}: {resource.kind} "{resource.metadata.name}" is in namespace "{found}", '
                f'ServiceLevel "{level.metadata.name}" in "{namespace}"; write one namespace'
            )
    variants = [each for each in resources if isinstance(each, VariantAutoscaling)]
    if not variants:
        raise ConfigError(
            f'{source}: nothing serves "{level.spec.model_id}"; write a VariantAutoscaling'
        )
    stock = {r.spec.accelerator: r for r in resources if isinstance(r, AcceleratorStock)}
    profiles = {r.metadata.name: r for r in resources if isinstance(r, CapacityProfile)}
    return Blueprint(
        namespace=namespace,
        model=level.spec.model_id,
        service_level=level.metadata.name,
        annotations=level.metadata.annotations,
        classes=read_routing_table(level.to_wire()).classes,
        targets=tuple(_target(variant, level, profiles, stock) for variant in variants),
        stock=dict(_limits(stock.values(), namespace)),
        objects=tuple(_object(each, namespace) for each in resources),
    )


def _limits(stocks: Iterable[AcceleratorStock], namespace: str) -> Iterator[tuple[str, int]]:
    """What limits and shares leave one model that is alone."""
    for stock in stocks:
        shares = [share.max for share in stock.spec.shares if share.namespace == namespace]
        limits = [n for n in (stock.spec.limit, *shares) if n is not None]
        if limits:
            yield stock.spec.accelerator, min(limits)


def _only_level(resources: Sequence[Resource], source: str) -> ServiceLevel:
    levels = [each for each in resources if isinstance(each, ServiceLevel)]
    if len(levels) != 1:
        raise ConfigError(
            f"{source}: holds {len(levels)} resources of kind ServiceLevel; write exactly one, for one trace asks for one model"
        )
    return levels[0]


def _namespace_of(resource: Resource) -> str:
    return resource.metadata.namespace or DEFAULT_NAMESPACE


def _target(
    variant: VariantAutoscaling,
    level: ServiceLevel,
    profiles: Mapping[str, CapacityProfile],
    stock: Mapping[str, AcceleratorStock],
) -> DeclaredTarget:
    spec, reference = variant.spec, variant.spec.scale_target_ref
    where = f'VariantAutoscaling "{variant.metadata.name}": spec'
    if spec.model_id != level.spec.model_id:
        raise ConfigError(
            f'{where}.modelID: found "{spec.model_id}", but the ServiceLevel is of "{level.spec.model_id}"; write that'
        )
    if (reference.api_version, reference.kind) != _DEPLOYMENT:
        raise ConfigError(
            f"{where}.scaleTargetRef: found {reference.api_version} {reference.kind}; the simulator runs an apps/v1 Deployment"
        )
    if spec.actuation is not Actuation.HPA:
        raise ConfigError(f"{where}.actuation: found {spec.actuation}; the simulator scales by HPA")
    if spec.profile_ref and spec.profile_ref.name not in profiles:
        profiles = {**profiles, spec.profile_ref.name: load_catalog(spec.profile_ref.name)}
    profile = fitting_profile(variant, profiles)
    name = variant.metadata.name
    state = TargetState(
        name=name,
        accelerator=spec.accelerator,
        n_accelerators=spec.accelerator_count,
        usd_per_hour=cost_usd_per_hour(variant, stock),
        min_instances=spec.min_replicas,
        max_instances=spec.max_replicas,
        profile=engine_profile(profile),
        lead=lead_time(profile),
        desired=0,
        n_ready=0,
        is_paused=spec.paused,
    )
    wire = CapacityProfile(metadata=ObjectMeta(name=name), spec=profile).to_wire()
    return DeclaredTarget(state, reference.name, spec.metrics.port, wire)


def _object(resource: Resource, namespace: str) -> DeclaredObject:
    body = resource.to_wire()
    body.pop("status", None)  # what a file says of the past is not ours to repeat
    is_clusterwide = isinstance(resource, AcceleratorStock)
    return DeclaredObject(
        resource.kind, resource.metadata.name, "" if is_clusterwide else namespace, body
    )
