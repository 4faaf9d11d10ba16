"""From resources and pods as they stand to what a tick acts on; what cannot be acted on is a trouble.

Pure: nothing here waits or writes. A broken resource takes itself out, never its neighbours.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmd_autoscaler.controller.pods import Pod, counts, instances
from llmd_autoscaler.controller.ports import ClusterView, Instance, ModelKey, ModelView, Trouble
from llmd_autoscaler.controller.readings import Key, Unreadable
from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.condition import Finding
from llmd_autoscaler.translate.json_object import Json
from llmd_autoscaler.translate.stored import stored_desired, stored_epoch
from llmd_autoscaler.translate.world import (
    Level,
    Profile,
    Stock,
    Variant,
    catalogued_profiles,
    fitted_profile,
    refused_profile,
    serves_mixed,
    target_state,
)

LEVEL = "ServiceLevel"
VARIANT = "VariantAutoscaling"
# Where the sentence about an unreadable resource stands: the condition that people look at first.
_UNREADABLE_AT = {
    LEVEL: "SLOFeasible",
    VARIANT: "OptimizationReady",
    "CapacityProfile": "Fitted",
    "AcceleratorStock": "Discovered",
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A trouble and its namespace, which a Trouble of a model does not repeat."""

    namespace: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Observed:
    """All that was read at one moment."""

    levels: Mapping[Key, Level]
    variants: Mapping[Key, Variant]
    profiles: Mapping[Key, Profile]
    stocks: Mapping[str, Stock]  # by accelerator
    pods: Mapping[Key, tuple[Pod, ...]]  # by variant; absent: its scale target is not there
    status: Callable[
        [str, Key], Json
    ]  # the stored status of a kind and key; empty where there is none
    unreadable: Mapping[str, Mapping[Key, Unreadable]] = field(default_factory=dict)  # by kind


@dataclass(frozen=True, slots=True)
class Target:
    """A variant that can be acted on."""

    variant: Variant
    state: TargetState
    pods: tuple[Pod, ...]
    trust: Finding


@dataclass(frozen=True, slots=True)
class Picture:
    """A view, and what else a publication needs of the resources in it."""

    view: ClusterView
    levels: Mapping[ModelKey, Level]
    targets: Mapping[Key, Target]
    troubles: tuple[Placed, ...]


def picture(observed: Observed, routers: tuple[str, ...]) -> Picture:
    """What a tick acts on."""
    acting, conflicts = _acting_levels(observed)
    targets, refused = _targets(observed)
    by_model: dict[ModelKey, list[Target]] = {}
    for target in targets.values():
        by_model.setdefault(_model_key(target.variant), []).append(target)
    idle = [_without_targets(level) for key, level in acting.items() if key not in by_model]
    orphans = [
        _without_level(variant)
        for variant in observed.variants.values()
        if _model_key(variant) not in acting
    ]
    troubles = (*_unreadable(observed), *conflicts, *refused, *idle, *orphans)
    models = {key: level for key, level in acting.items() if key in by_model}
    of_model, loose = _sorted_out(observed, troubles, models)
    epochs, stock = _epochs(observed), _stock(by_model, observed.stocks)
    views = tuple(
        ModelView(
            key=key,
            service_level=level.name,
            classes=level.classes,
            targets=tuple(target.state for target in by_model[key]),
            instances=tuple(_instances(by_model[key])),
            troubles=tuple(of_model.get(key, ())),
            stored_epoch=epochs.get(key, 0),
            stock=stock[key],
        )
        for key, level in models.items()
    )
    return Picture(
        view=ClusterView(models=views, routers=routers, troubles=tuple(loose)),
        levels=acting,
        targets=targets,
        troubles=troubles,
    )


def _stock(
    by_model: Mapping[ModelKey, Sequence[Target]], stocks: Mapping[str, Stock]
) -> dict[ModelKey, dict[str, int]]:
    """Accelerators that each model may use, by kind: what limits and shares leave beside the others.

    A kind that nobody limits is not there. Two models that grow in one tick may both count on the same
    free accelerator: one of their pods then waits for it, and the next tick sees that.
    """
    left: dict[ModelKey, dict[str, int]] = {key: {} for key in by_model}
    for name, stock in stocks.items():
        held = {key: sum(_held(each, name) for each in by_model[key]) for key in by_model}
        of_space: dict[str, int] = {}
        for key, n in held.items():
            of_space[key.namespace] = of_space.get(key.namespace, 0) + n
        total = sum(held.values())
        for key, own in held.items():
            share = stock.shares.get(key.namespace, math.inf)
            free = min(stock.limit - total, share - of_space[key.namespace]) + own
            if math.isfinite(free):
                left[key][name] = max(0, int(free))
    return left


def _held(target: Target, accelerator: str) -> int:
    """Accelerators of a kind that a target uses, or has been promised."""
    state = target.state
    if state.accelerator != accelerator:
        return 0
    return max(state.desired, state.n_present + state.n_draining) * state.n_accelerators


def _acting_levels(observed: Observed) -> tuple[dict[ModelKey, Level], list[Placed]]:
    """The ServiceLevel of each model, the oldest where there are several, and their conflicts."""
    acting: dict[ModelKey, Level] = {}
    conflicts: dict[tuple[str, str], Placed] = {}
    for level in sorted(observed.levels.values(), key=lambda each: each.seniority):
        first = acting.setdefault(ModelKey(level.namespace, level.model_id), level)
        if first is level:
            continue
        for one, other in ((first, level), (level, first)):
            message = (
                f'"{other.name}" is a ServiceLevel of {level.model_id} too, and a model has one; '
                f'"{first.name}" acts, because it is older: delete one of them'
            )
            finding = Finding("Conflict", "True", "SecondServiceLevel", message)
            conflicts.setdefault((one.namespace, one.name), _placed(one, LEVEL, finding))
    return acting, list(conflicts.values())


def _targets(observed: Observed) -> tuple[dict[Key, Target], list[Placed]]:
    """The variants that can be acted on, and why the others cannot."""
    targets: dict[Key, Target] = {}
    refused: list[Placed] = []
    taken: dict[tuple[str, str, str], Variant] = {}
    for variant in sorted(observed.variants.values(), key=lambda each: each.seniority):
        ref = variant.scale_target
        first = taken.setdefault((variant.namespace, ref.kind, ref.name), variant)
        found = _target(observed, variant, first)
        if isinstance(found, Finding):
            refused.append(_placed(variant, VARIANT, found))
        else:
            targets[variant.namespace, variant.name] = found
    # in the order of names, so that a decision lists them alike whoever was made first
    return dict(sorted(targets.items())), refused


def _target(observed: Observed, variant: Variant, first: Variant) -> Target | Finding:
    """A variant as a target, or the condition that keeps it from being one."""
    key = (variant.namespace, variant.name)
    unresolved = _unresolved(observed, variant, first)
    if unresolved is not None:
        return unresolved
    try:
        fitted = fitted_profile(variant, _profiles(observed, variant))
    except ConfigError as error:
        return refused_profile(str(error))
    pods = observed.pods[key]
    try:
        state = target_state(
            variant,
            fitted,
            observed.stocks,
            counts(pods),
            desired=stored_desired(observed.status(VARIANT, key)),
        )
    except ConfigError as error:
        return Finding("OptimizationReady", "False", "NoPrice", str(error))
    return Target(variant, state, pods, fitted.trust)


def _unresolved(observed: Observed, variant: Variant, first: Variant) -> Finding | None:
    ref = variant.scale_target
    if ref.kind != "Deployment" or ref.api_version != "apps/v1":
        message = f"spec.scaleTargetRef: {ref.api_version} {ref.kind} cannot be scaled yet; name an apps/v1 Deployment"
        return Finding("TargetResolved", "False", "UnsupportedKind", message)
    if first is not variant:
        message = f'Deployment "{ref.name}" is the target of VariantAutoscaling "{first.name}" already; name another'
        return Finding("TargetResolved", "False", "TargetTaken", message)
    if (variant.namespace, variant.name) not in observed.pods:
        message = f'no Deployment is named "{ref.name}" in namespace {variant.namespace}; make it, or correct spec.scaleTargetRef.name'
        return Finding("TargetResolved", "False", "NotFound", message)
    if not serves_mixed(variant):
        message = f"spec.groups: {', '.join(variant.groups)} cannot be planned for yet; add mixed"
        return Finding("OptimizationReady", "False", "UnsupportedGroups", message)
    return None


def _profiles(observed: Observed, variant: Variant) -> dict[str, Profile]:
    """The profiles that a variant may name: the catalogue's, and over them those of its namespace.

    Raises: ConfigError: the one that it names is there but cannot be read.
    """
    ref = variant.resource.spec.profile_ref
    broken = observed.unreadable.get("CapacityProfile", {})
    if ref is not None and (variant.namespace, ref.name) in broken:
        raise ConfigError(broken[variant.namespace, ref.name].message)
    own = {
        name: each
        for (space, name), each in observed.profiles.items()
        if space == variant.namespace
    }
    return {**catalogued_profiles(), **own}


def _sorted_out(
    observed: Observed, troubles: Iterable[Placed], models: Mapping[ModelKey, Level]
) -> tuple[dict[ModelKey, list[Trouble]], list[Trouble]]:
    """Troubles by the model whose resource they are of, and those of no model that is acted on."""
    model_of: dict[tuple[str, Key], ModelKey] = {}
    for key, level in observed.levels.items():
        model_of[LEVEL, key] = ModelKey(level.namespace, level.model_id)
    for key, variant in observed.variants.items():
        model_of[VARIANT, key] = _model_key(variant)
    of_model: dict[ModelKey, list[Trouble]] = {}
    loose: list[Trouble] = []
    for placed in troubles:
        trouble = placed.trouble
        model = model_of.get((trouble.kind, (placed.namespace, trouble.name)))
        if model is not None and model in models:
            of_model.setdefault(model, []).append(trouble)
        else:
            loose.append(trouble)
    return of_model, loose


def _epochs(observed: Observed) -> dict[ModelKey, int]:
    """The highest leader epoch in any stored status of each model."""
    found: dict[ModelKey, int] = {}
    for key, level in observed.levels.items():
        model = ModelKey(level.namespace, level.model_id)
        found[model] = max(found.get(model, 0), stored_epoch(observed.status(LEVEL, key)))
    for key, variant in observed.variants.items():
        model = _model_key(variant)
        found[model] = max(found.get(model, 0), stored_epoch(observed.status(VARIANT, key)))
    return found


def _instances(targets: Iterable[Target]) -> Iterator[Instance]:
    for target in targets:
        yield from instances(target.pods, target.variant.name, target.variant.port)


def _unreadable(observed: Observed) -> Iterator[Placed]:
    for kind, of_kind in observed.unreadable.items():
        for (namespace, name), found in of_kind.items():
            trouble = Trouble(kind, name, _UNREADABLE_AT[kind], "Unreadable", found.message)
            yield Placed(namespace, trouble)


def _without_level(variant: Variant) -> Placed:
    message = f"no ServiceLevel in namespace {variant.namespace} has modelID {variant.model_id}; write one with its classes"
    finding = Finding("OptimizationReady", "False", "NoServiceLevel", message)
    return _placed(variant, VARIANT, finding)


def _without_targets(level: Level) -> Placed:
    message = f"no VariantAutoscaling of {level.model_id} in namespace {level.namespace} can be acted on; their conditions say why"
    return _placed(level, LEVEL, Finding("SLOFeasible", "Unknown", "NoTargets", message))


def _placed(resource: Level | Variant, kind: str, finding: Finding) -> Placed:
    trouble = Trouble(kind, resource.name, finding.type, finding.reason, finding.message)
    return Placed(resource.namespace, trouble)


def _model_key(variant: Variant) -> ModelKey:
    return ModelKey(variant.namespace, variant.model_id)
