"""What the loop needs of the world: two protocols, and the plain data that crosses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llmd_autoscaler.core.realised import Outcomes
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.traffic import CountSnapshot
from llmd_autoscaler.core.world import Decision, TargetState


@dataclass(frozen=True, slots=True, order=True)
class ModelKey:
    """One ServiceLevel: a namespace and the model that clients name."""

    namespace: str
    model_id: str


@dataclass(frozen=True, slots=True)
class Instance:
    """One pod of a target, and where it serves."""

    name: str
    target: str
    address: str  # host:port; "" before it has one
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """What somebody must put right of a resource, most often before it is acted on: a condition with one sentence."""

    kind: str  # ServiceLevel or VariantAutoscaling
    name: str
    condition: str  # TargetResolved, ProfileTrusted, Conflict, ...
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model as the cluster shows it."""

    key: ModelKey
    service_level: str  # the resource's name
    classes: tuple[QosClass, ...]
    targets: tuple[TargetState, ...]  # those that can be acted on
    instances: tuple[Instance, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    stored_epoch: int = 0  # the highest in any stored status of the model
    is_overwritten: bool = False  # somebody else has changed a status that we wrote
    stock: Mapping[str, int] = field(default_factory=dict)
    min_instances: int = 1  # of the model as a whole
    idle_after_s: float = 900.0  # without requests before it sleeps, where it may
    is_asleep: bool = False  # 0 was published for every target
    said: tuple[tuple[str, str, str], ...] = ()  # of its targets: name, condition and reason


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Everything that one tick acts on."""

    models: tuple[ModelView, ...]
    routers: tuple[str, ...] = ()  # base URLs of routers to scrape
    troubles: tuple[Trouble, ...] = ()  # of resources that belong to no model


@dataclass(frozen=True, slots=True, eq=False)
class ModelCounts:
    """What was counted of one model."""

    source: str  # router | vllm-histograms
    traffic: Mapping[str, CountSnapshot]  # by router (or pod); empty: nobody could be asked
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict)  # by router
    unreachable: tuple[str, ...] = ()  # names of what did not answer, with why


@dataclass(frozen=True, slots=True, eq=False)
class Publication:
    """One model's decision, ready to be written."""

    view: ModelView
    decision: Decision
    decision_id: str
    decided_at_s: float
    valid_until_s: float
    source: str
    realised: Outcomes | None  # of the last hour
    unreachable: tuple[str, ...] = ()


class Cluster(Protocol):
    """Where resources and pods live."""

    async def observe(self, *, now_s: float) -> ClusterView:
        """The resources and pods as of now; a broken resource is a trouble, never an error."""
        ...

    async def publish(self, publications: Sequence[Publication], *, now_s: float) -> None:
        """Write statuses and labels.

        Raises: ObservationError: the API server did not take them; the next tick writes again.
        """
        ...


class MetricsSource(Protocol):
    """Who counted the traffic."""

    async def counts(self, view: ClusterView, *, now_s: float) -> Mapping[ModelKey, ModelCounts]:
        """Cumulative counts of every model; a model that nobody counted has no traffic in its entry."""
        ...
