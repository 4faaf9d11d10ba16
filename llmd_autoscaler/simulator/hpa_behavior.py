"""How fast an HPA moves: stabilisation windows and policies, as Kubernetes 1.37 reckons them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum

DOWN_WINDOW_S = 300.0  # --horizontal-pod-autoscaler-downscale-stabilization
TOLERANCE = 0.1  # --horizontal-pod-autoscaler-tolerance
INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


class PolicyKind(Enum):
    """What the value of a policy counts."""

    PODS = "Pods"
    PERCENT = "Percent"


class Select(Enum):
    """Which of several policies rules."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `value` pods, or percent of the pods, in any `period_s`."""

    kind: PolicyKind
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Rules:
    """One direction of `behavior`."""

    window_s: float
    policies: tuple[Policy, ...]
    select: Select = Select.MAX
    tolerance: float = TOLERANCE


UP_RULES = Rules(0.0, (Policy(PolicyKind.PODS, 4, 15.0), Policy(PolicyKind.PERCENT, 100, 15.0)))
DOWN_RULES = Rules(DOWN_WINDOW_S, (Policy(PolicyKind.PERCENT, 100, 15.0),))


@dataclass(frozen=True, slots=True)
class Behavior:
    """`spec.behavior`, with the defaults of the API filled in."""

    up: Rules = UP_RULES
    down: Rules = DOWN_RULES


@dataclass(frozen=True, slots=True)
class Step:
    """A number of replicas at a moment: a recommendation, or how many were added or removed."""

    at_s: float
    n_replicas: int


@dataclass(frozen=True, slots=True)
class History:
    """What the HPA controller remembers of one HPA between two periods.

    All of it but `is_scaled_to_zero`, which is a condition in the status, is lost with the controller.
    """

    recommendations: tuple[Step, ...] = ()
    added: tuple[Step, ...] = ()
    removed: tuple[Step, ...] = ()
    is_scaled_to_zero: bool = False


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number of replicas and what held it."""

    replicas: int
    reason: str = "DesiredWithinRange"
    message: str = "the desired count is within the acceptable range"

    @property
    def is_limited(self) -> bool:
        """Whether a limit or a policy changed the number."""
        return self.reason != "DesiredWithinRange"


def stabilised(
    behavior: Behavior | None, history: History, *, current: int, wanted: int, now_s: float
) -> tuple[int, History]:
    """The count after the windows, and the history with this recommendation in it.

    Up goes to the lowest recommendation of the up window, down to the highest of the down window.
    Without `behavior` the highest recommendation of the last 300 s holds in both directions.
    """
    up_s = behavior.up.window_s if behavior else 0.0
    down_s = behavior.down.window_s if behavior else DOWN_WINDOW_S
    lowest = min([wanted, *_within(history.recommendations, up_s, now_s)])
    highest = max([wanted, *_within(history.recommendations, down_s, now_s)])
    count = min(max(current, lowest), highest) if behavior else highest
    oldest_s = now_s - max(up_s, down_s)
    kept = [step for step in history.recommendations if step.at_s > oldest_s]
    return count, replace(history, recommendations=(*kept, Step(now_s, wanted)))


def bounded(
    behavior: Behavior | None,
    history: History,
    *,
    current: int,
    wanted: int,
    limits: tuple[int, int],
    now_s: float,
) -> Bounded:
    """The count after the policies and after minReplicas and maxReplicas (`limits`)."""
    least, most = limits
    if behavior is None:
        # "doubles once per sync": 2 -> 40 goes 4, 8, 16, 32, 40
        up_to, down_to = max(2 * current, 4), INT32_MIN
    else:
        up_to = max(current, _up_to(behavior.up, history, current, now_s))
        down_to = min(current, _down_to(behavior.down, history, current, now_s))
    if wanted > min(most, up_to):
        if up_to < most:
            message = "the desired replica count is increasing faster than the maximum scale rate"
            return Bounded(up_to, "ScaleUpLimit", message)
        message = "the desired replica count is more than the maximum replica count"
        return Bounded(most, "TooManyReplicas", message)
    if wanted < max(least, down_to):
        if down_to > least:
            message = "the desired replica count is decreasing faster than the maximum scale rate"
            return Bounded(down_to, "ScaleDownLimit", message)
        message = "the desired replica count is less than the minimum replica count"
        return Bounded(least, "TooFewReplicas", message)
    return Bounded(wanted)


def remembered(
    behavior: Behavior | None, history: History, *, change: int, now_s: float
) -> History:
    """The history after a rescale by `change`; policies look at it, so without any nothing is kept."""
    if behavior is None or change == 0:
        return history
    if change > 0:
        added = _recent(history.added, behavior.up, now_s)
        return replace(history, added=(*added, Step(now_s, change)))
    removed = _recent(history.removed, behavior.down, now_s)
    return replace(history, removed=(*removed, Step(now_s, -change)))


def _recent(steps: Iterable[Step], rules: Rules, now_s: float) -> list[Step]:
    longest_s = max((policy.period_s for policy in rules.policies), default=0.0)
    return [step for step in steps if step.at_s > now_s - longest_s]


def _within(steps: Iterable[Step], window_s: float, now_s: float) -> list[int]:
    return [step.n_replicas for step in steps if step.at_s > now_s - window_s]


def _up_to(rules: Rules, history: History, current: int, now_s: float) -> int:
    def proposed(policy: Policy, start: int) -> int:
        if policy.kind is PolicyKind.PODS:
            return start + policy.value
        # rounded up, or a small count could never grow
        return math.ceil(start * (1 + policy.value / 100))

    return _limit(rules, history, current, now_s, proposed)


def _down_to(rules: Rules, history: History, current: int, now_s: float) -> int:
    def proposed(policy: Policy, start: int) -> int:
        if policy.kind is PolicyKind.PODS:
            return start - policy.value
        return int(start * (1 - policy.value / 100))

    # negated, so that "the most change" is the maximum in both directions
    return -_limit(
        rules, history, current, now_s, lambda policy, start: -proposed(policy, start), sign=-1
    )


def _limit(
    rules: Rules,
    history: History,
    current: int,
    now_s: float,
    proposed: Callable[[Policy, int], int],
    *,
    sign: int = 1,
) -> int:
    """The furthest count that the rules allow now, times `sign`."""
    if rules.select is Select.DISABLED or not rules.policies:
        return sign * current
    reached = []
    for policy in rules.policies:
        added = sum(_within(history.added, policy.period_s, now_s))
        removed = sum(_within(history.removed, policy.period_s, now_s))
        reached.append(proposed(policy, current - added + removed))
    return min(reached) if rules.select is Select.MIN else max(reached)
