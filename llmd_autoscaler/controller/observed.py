"""What was read at one moment, and the picture that follows from it; plain data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llmd_autoscaler.controller.hpas import Hpa
from llmd_autoscaler.controller.lead_times import ObservedLead
from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.controller.ports import ClusterView, ModelKey, Trouble
from llmd_autoscaler.controller.readings import Key, Unreadable
from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.translate.condition import Finding
from llmd_autoscaler.translate.json_object import Json
from llmd_autoscaler.translate.world import Level, Profile, ScaleTarget, Stock, Variant

LEVEL = "ServiceLevel"
VARIANT = "VariantAutoscaling"

Place = tuple[str, ScaleTarget]  # a namespace, and what is scaled in it


@dataclass(frozen=True, slots=True)
class Placed:
    """A trouble and its namespace, which a Trouble of a model does not repeat."""

    namespace: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Observed:
    """All that was read at one moment."""

    now_s: float
    levels: Mapping[Key, Level]
    variants: Mapping[Key, Variant]
    profiles: Mapping[Key, Profile]
    stocks: Mapping[str, Stock]  # by accelerator
    pods: Mapping[Key, tuple[Pod, ...]]  # by variant; absent: its scale target is not there
    selectors: Mapping[Key, Json]  # of the scale targets that are there, by variant
    status: Callable[
        [str, Key], Json
    ]  # the stored status of a kind and key; empty where there is none
    unreadable: Mapping[str, Mapping[Key, Unreadable]] = field(default_factory=dict)  # by kind
    replicas: Mapping[Key, int] = field(default_factory=dict)  # asked for in /scale, by variant
    unscalable: Mapping[Place, Finding] = field(default_factory=dict)  # why there is no scale
    # one of a target's pods, by variant, where its selector selects none of them
    unselected: Mapping[Key, Pod] = field(default_factory=dict)
    unwritten: Mapping[Key, str] = field(default_factory=dict)  # why /scale could not be written
    hpas: Mapping[Place, tuple[Hpa, ...]] = field(default_factory=dict)
    leads: Mapping[Key, ObservedLead] = field(default_factory=dict)  # by variant, once known


@dataclass(frozen=True, slots=True)
class Target:
    """A variant that can be acted on."""

    variant: Variant
    state: TargetState
    pods: tuple[Pod, ...]
    trust: Finding
    notes: tuple[Finding, ...] = ()  # what else is said of it, while it is acted on
    is_held: bool = False  # in trouble: planned around at its last number, and not written
    replicas: int = 0  # asked for in /scale
    n_lead_samples: int = 0  # starts behind its lead time; 0: the profile's


@dataclass(frozen=True, slots=True)
class Picture:
    """A view, and what else a publication needs of the resources in it."""

    view: ClusterView
    levels: Mapping[ModelKey, Level]
    targets: Mapping[Key, Target]
    troubles: tuple[Placed, ...]
    mended: tuple[tuple[str, Key, Finding], ...] = ()  # kind and key of what can be read again
