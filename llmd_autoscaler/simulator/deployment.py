"""The pods of a Deployment through their lives, in simulated time: pure, for virtual time and the process alike.

An instance is starting (created, not yet ready), ready, draining (told to end, still serving what it
has) and gone. Starting and ready ones count towards the replicas, as in Kubernetes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random

_Z90 = 1.2815515655446004  # the standard normal's 90 % quantile: p90 = p50 * exp(_Z90 * sigma)


@dataclass(frozen=True, slots=True)
class StartUp:
    """How long instances take from creation to ready: a lognormal through two quantiles.

    The first `n_warm` instances are ready at once: what runs already when a simulation begins.
    """

    p50_s: float
    p90_s: float
    seed: int = 0
    n_warm: int = 0

    def __post_init__(self) -> None:
        """Refuse quantiles that no lognormal has.

        Raises: ValueError: not 0 < p50 <= p90 (all zero is fine: ready at once).
        """
        if self.p50_s == self.p90_s == 0.0:
            return
        if not 0.0 < self.p50_s <= self.p90_s < math.inf:
            raise ValueError(
                f"start-up p50 {self.p50_s:g} s, p90 {self.p90_s:g} s: needs 0 < p50 <= p90"
            )

    def lead_s(self, deployment: str, ordinal: int) -> float:
        """The lead time of the ordinal-th instance that the deployment ever created.

        It depends on nothing else, so two runs that decide alike see the same starts, in whichever
        order and clock.
        """
        if ordinal < self.n_warm or not self.p50_s:
            return 0.0
        draw = Random(f"{self.seed}/{deployment}/{ordinal}")  # noqa: S311 (a simulation)
        sigma = math.log(self.p90_s / self.p50_s) / _Z90
        return self.p50_s * math.exp(sigma * draw.gauss(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Instance:
    """One pod. `ready_s` is a plan until it has passed; inf = nobody knows yet."""

    name: str
    created_s: float
    ready_s: float
    draining_since_s: float | None = None
    gone_s: float | None = None
    deletion_cost: int = 0

    @property
    def is_active(self) -> bool:
        """Whether it counts towards the replicas."""
        return self.draining_since_s is None and self.gone_s is None

    def is_ready(self, now_s: float) -> bool:
        """Whether it takes new requests."""
        return self.is_active and self.ready_s <= now_s

    def alive_s(self, until_s: float) -> float:
        """Seconds for which it has held its accelerators: start-up and drain are paid for too."""
        end_s = until_s if self.gone_s is None else min(self.gone_s, until_s)
        return max(0.0, end_s - self.created_s)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment and all instances it ever had, oldest first.

    `grace_s` after the drain began an instance is gone; inf where somebody else says when.
    """

    name: str
    start_up: StartUp
    grace_s: float = math.inf
    instances: tuple[Instance, ...] = ()
    n_created: int = 0

    @property
    def active(self) -> tuple[Instance, ...]:
        """Starting and ready ones: `status.replicas`."""
        return tuple(instance for instance in self.instances if instance.is_active)

    def n_ready(self, now_s: float) -> int:
        """`status.readyReplicas`."""
        return sum(instance.is_ready(now_s) for instance in self.instances)

    def instance_hours(self, until_s: float) -> float:
        """Hours of all instances together; times the accelerators of one it is the GPU-hours."""
        return sum(instance.alive_s(until_s) for instance in self.instances) / 3600.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A Deployment after a step, and what changed."""

    deployment: Deployment
    created: tuple[Instance, ...] = ()
    drained: tuple[Instance, ...] = ()
    gone: tuple[Instance, ...] = ()


def reconcile(deployment: Deployment, desired: int, now_s: float) -> Reconciled:
    """Create what is missing, drain what is too many, let go of those whose grace is over.

    Raises: ValueError: desired is negative.
    """
    if desired < 0:
        raise ValueError(f"deployment {deployment.name}: {desired} replicas desired")
    before = {instance.name: instance for instance in deployment.instances}
    gone = {
        name: replace(instance, gone_s=instance.draining_since_s + deployment.grace_s)
        for name, instance in before.items()
        if instance.gone_s is None
        and instance.draining_since_s is not None
        and instance.draining_since_s + deployment.grace_s <= now_s
    }
    active = deployment.active
    drained = {
        victim.name: replace(victim, draining_since_s=now_s)
        for victim in victims(active, len(active) - desired, now_s)
    }
    first = deployment.n_created
    n_missing = max(0, desired - len(active))
    created = tuple(_created(deployment, first + i, now_s) for i in range(n_missing))
    instances = (*(before | gone | drained).values(), *created)
    after = replace(deployment, instances=instances, n_created=first + n_missing)
    return Reconciled(after, created, tuple(drained.values()), tuple(gone.values()))


def victims(active: Iterable[Instance], n: int, now_s: float) -> tuple[Instance, ...]:
    """The instances that a scale-in by n removes, in the order of Kubernetes.

    Not ready before ready, then the lower `controller.kubernetes.io/pod-deletion-cost`, then the one
    ready for a shorter time, then the newer. (Kubernetes compares ages by powers of two and breaks
    ties by UID; here the newer one always goes first, so that runs can be repeated.)
    """

    def rank(instance: Instance) -> tuple[bool, int, float, float, str]:
        is_ready = instance.is_ready(now_s)
        ready_s = instance.ready_s if is_ready else 0.0
        return is_ready, instance.deletion_cost, -ready_s, -instance.created_s, instance.name

    return tuple(sorted(active, key=rank)[: max(0, n)])


def ended(deployment: Deployment, name: str, now_s: float) -> Deployment:
    """The Deployment after an instance ended: drained empty, or died (the next step replaces it)."""
    return _with(deployment, lambda it: replace(it, gone_s=now_s) if it.name == name else it)


def with_deletion_costs(deployment: Deployment, costs: Mapping[str, int]) -> Deployment:
    """The Deployment with `controller.kubernetes.io/pod-deletion-cost` set on some instances."""
    return _with(
        deployment, lambda it: replace(it, deletion_cost=costs.get(it.name, it.deletion_cost))
    )


def _with(deployment: Deployment, change: Callable[[Instance], Instance]) -> Deployment:
    changed = (it if it.gone_s is not None else change(it) for it in deployment.instances)
    return replace(deployment, instances=tuple(changed))


def _created(deployment: Deployment, ordinal: int, now_s: float) -> Instance:
    ready_s = now_s + deployment.start_up.lead_s(deployment.name, ordinal)
    return Instance(name=f"{deployment.name}-{ordinal}", created_s=now_s, ready_s=ready_s)
