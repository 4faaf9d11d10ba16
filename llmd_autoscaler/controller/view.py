"""From resources and pods as they stand to what a tick acts on; what cannot be acted on is a trouble.

Pure: nothing here waits or writes. A broken resource takes itself out, never its neighbours.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from llmd_autoscaler.controller.hpas import HPA_HEALTHY, Scaled, health, may_sleep
from llmd_autoscaler.controller.observed import (
    LEVEL,
    VARIANT,
    Observed,
    Picture,
    Placed,
    Target,
)
from llmd_autoscaler.controller.overlap import overlaps
from llmd_autoscaler.controller.pods import counts, instances
from llmd_autoscaler.controller.ports import ClusterView, Instance, ModelKey, ModelView, Trouble
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.controller.starts import STARTS, starts
from llmd_autoscaler.controller.stock import stock_left
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.condition import FALSE, TRUE, Finding
from llmd_autoscaler.translate.limits import INVALID, Limits, limits_at
from llmd_autoscaler.translate.stored import (
    stored_desired,
    stored_epoch,
    stored_number,
    stored_truth,
    stored_valid_until_s,
)
from llmd_autoscaler.translate.world import (
    Level,
    Profile,
    ScaleTarget,
    Variant,
    catalogued_profiles,
    fitted_profile,
    refused_profile,
    serves_mixed,
    target_state,
)

_UNREADABLE = "Unreadable"
_WARNED_OF = frozenset({HPA_HEALTHY, STARTS})
# Where the sentence about an unreadable resource stands: the condition that people look at first.
_UNREADABLE_AT = {
    LEVEL: "SLOFeasible",
    VARIANT: "OptimizationReady",
    "CapacityProfile": "Fitted",
    "AcceleratorStock": "Discovered",
}


def picture(
    observed: Observed, routers: tuple[str, ...], before: Mapping[Key, Target] | None = None
) -> Picture:
    """What a tick acts on.

    Args:
        observed: what was read.
        routers: addresses of the routers to scrape.
        before: the targets of the last picture.
    """
    acting, conflicts = _acting_levels(observed)
    targets, refused = _targets(observed)
    by_model = _by_model(targets)
    targets |= _held_targets(observed, targets, before or {}, by_model)
    by_model = _by_model(dict(sorted(targets.items())))
    idle = [_without_targets(level) for key, level in acting.items() if key not in by_model]
    orphans = [
        _without_level(variant)
        for variant in observed.variants.values()
        if _model_key(variant) not in acting
    ]
    noted = [
        _placed(target.variant, VARIANT, note)
        for target in targets.values()
        for note in target.notes
        if needs_somebody(note)
    ]
    troubles = (*_unreadable(observed), *conflicts, *refused, *idle, *orphans, *noted)
    models = {key: level for key, level in acting.items() if key in by_model}
    of_model, loose = _sorted_out(observed, troubles, models)
    states = {key: [each.state for each in of_key] for key, of_key in by_model.items()}
    epochs, stock = _epochs(observed), stock_left(states, observed.stocks)
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
            min_instances=level.min_instances,
            idle_after_s=level.idle_after_s,
            is_asleep=_is_asleep(observed, by_model[key]),
            said=tuple(_said(by_model[key])),
        )
        for key, level in models.items()
    )
    return Picture(
        view=ClusterView(models=views, routers=routers, troubles=tuple(loose)),
        levels=acting,
        targets=targets,
        troubles=troubles,
        mended=tuple(_mended(observed)),
    )


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
    taken: dict[tuple[str, ScaleTarget], Variant] = {}
    by_seniority = sorted(observed.variants.values(), key=lambda each: each.seniority)
    for variant in by_seniority:
        taken.setdefault((variant.namespace, variant.scale_target), variant)
    first_names = {(each.namespace, each.name) for each in taken.values()}
    selectors = {key: each for key, each in observed.selectors.items() if key in first_names}
    overlapping = overlaps(selectors, observed.pods)
    for variant in by_seniority:
        first = taken[variant.namespace, variant.scale_target]
        found = _target(observed, variant, first, overlapping)
        if isinstance(found, Finding):
            refused.append(_placed(variant, VARIANT, found))
        else:
            targets[variant.namespace, variant.name] = found
    # in the order of names, so that a decision lists them alike whoever was made first
    return dict(sorted(targets.items())), refused


def _held_targets(
    observed: Observed,
    targets: Mapping[Key, Target],
    before: Mapping[Key, Target],
    by_model: Mapping[ModelKey, Sequence[Target]],
) -> dict[Key, Target]:
    """Targets in trouble whose last decision still holds, beside others of their model.

    Left out of the plan, their pods would lose their requests at once to instances that do not run yet.
    """
    held: dict[Key, Target] = {}
    for key, last in before.items():
        variant, pods = observed.variants.get(key), observed.pods.get(key)
        if key in targets or variant is None or pods is None or _model_key(variant) not in by_model:
            continue
        status = observed.status(VARIANT, key)
        desired, until_s = stored_desired(status), stored_valid_until_s(status)
        if not desired or until_s is None or until_s <= observed.now_s:
            continue
        n = counts(pods)
        state = dataclasses.replace(
            last.state,
            desired=desired,
            n_ready=n.n_ready,
            n_starting=n.n_starting,
            n_draining=n.n_draining,
            is_paused=True,
        )
        held[key] = Target(variant, state, pods, last.trust, is_held=True)
    return held


def _by_model(targets: Mapping[Key, Target]) -> dict[ModelKey, list[Target]]:
    by_model: dict[ModelKey, list[Target]] = {}
    for target in targets.values():
        by_model.setdefault(_model_key(target.variant), []).append(target)
    return by_model


def _target(
    observed: Observed, variant: Variant, first: Variant, overlapping: Mapping[Key, Finding]
) -> Target | Finding:
    """A variant as a target, or the condition that keeps it from being one."""
    key = (variant.namespace, variant.name)
    unresolved = _unresolved(observed, variant, first)
    if unresolved is not None:
        return unresolved
    try:
        fitted = fitted_profile(variant, _profiles(observed, variant))
    except ConfigError as error:
        return refused_profile(str(error))
    pods, limits = observed.pods[key], limits_at(variant.resource, now_s=observed.now_s)
    hpas = observed.hpas.get((variant.namespace, variant.scale_target), ())
    scaled = _scaled(variant, limits)
    try:
        state = target_state(
            variant,
            fitted,
            observed.stocks,
            counts(pods),
            desired=stored_desired(observed.status(VARIANT, key)),
            limits=limits,
        )
    except ConfigError as error:
        return Finding("OptimizationReady", "False", "NoPrice", str(error))
    if state.min_instances == 0 and not may_sleep(scaled, hpas):
        state = dataclasses.replace(state, min_instances=1)
    observed_lead = observed.leads.get(key)
    if observed_lead is not None:
        state = dataclasses.replace(state, lead=observed_lead.lead)
    late = starts(pods, state.lead, now_s=observed.now_s)
    followed = health(scaled, hpas, unwritten=observed.unwritten.get(key, ""))
    notes = (overlapping.get(key), limits.finding, followed, late)
    return Target(
        variant,
        state,
        pods,
        fitted.trust,
        tuple(note for note in notes if note),
        replicas=observed.replicas.get(key, 0),
        n_lead_samples=observed_lead.n_samples if observed_lead else 0,
    )


def _scaled(variant: Variant, limits: Limits) -> Scaled:
    """What an HPA must agree with."""
    return Scaled(
        variant.name,
        variant.scale_target,
        variant.actuation,
        limits.min_instances,
        limits.max_instances,
    )


def _is_asleep(observed: Observed, targets: Iterable[Target]) -> bool:
    """Whether 0 was published for every target of a model."""
    return all(
        stored_number(observed.status(VARIANT, (each.variant.namespace, each.variant.name))) == 0
        for each in targets
    )


def _said(targets: Iterable[Target]) -> Iterator[tuple[str, str, str]]:
    """What else is said of the targets, without the numbers: target, condition and reason."""
    for target in targets:
        for note in target.notes:
            yield target.variant.name, note.type, note.reason


def needs_somebody(note: Finding) -> bool:
    """Whether a note is of something that somebody must put right."""
    return note.reason == INVALID or (note.type, note.status) == ("Conflict", TRUE)


def is_warning(note: Finding) -> bool:
    """Whether a note is of something that goes wrong, if only for a while."""
    return needs_somebody(note) or (note.type in _WARNED_OF and note.status == FALSE)


def _unresolved(observed: Observed, variant: Variant, first: Variant) -> Finding | None:
    ref = variant.scale_target
    unscalable = observed.unscalable.get((variant.namespace, ref))
    if unscalable is not None:
        return unscalable
    if first is not variant:
        message = f'{ref.kind} "{ref.name}" is the target of VariantAutoscaling "{first.name}" already; name another'
        return Finding("TargetResolved", "False", "TargetTaken", message)
    if (variant.namespace, variant.name) not in observed.pods:
        message = f'no {ref.kind} is named "{ref.name}" in namespace {variant.namespace}; make it, or correct spec.scaleTargetRef.name'
        return Finding("TargetResolved", "False", "NotFound", message)
    lost = observed.unselected.get((variant.namespace, variant.name))
    if lost is not None:
        message = (
            f'the selector in the /scale of {ref.kind} "{ref.name}" is missing or selects none of its pods, such as {lost.name}; '
            "it says which of them are instances: correct it in the status of that object, or labelSelectorPath in its CRD"
        )
        return Finding("TargetResolved", "False", "SelectsNothing", message)
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
            trouble = Trouble(kind, name, _UNREADABLE_AT[kind], _UNREADABLE, found.message)
            yield Placed(namespace, trouble)


def _mended(observed: Observed) -> Iterator[tuple[str, Key, Finding]]:
    """Resources without decisions that can be read again, while their status still says that they cannot."""
    readable = (
        *(("CapacityProfile", key) for key in observed.profiles),
        *(("AcceleratorStock", ("", each.name)) for each in observed.stocks.values()),
    )
    for kind, key in readable:
        type_ = _UNREADABLE_AT[kind]
        if stored_truth(observed.status(kind, key), type_) == (FALSE, _UNREADABLE):
            yield kind, key, Finding(type_, TRUE, "Readable", "every field can be read again")


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
