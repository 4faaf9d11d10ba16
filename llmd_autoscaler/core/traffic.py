"""From cumulative counts to the traffic mix: what arrived, in which shapes, at which rate.

Counters only ever grow, except when their process restarts; then what stands there has been counted
since. Demand comes from arrivals, the answer's length given class and ISL from completions.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS

Array = NDArray[np.float64]

# Shapes are remembered with this half-life: a mix that shifts within 30 minutes is followed, while a
# class of one request a second still has some 600 completions to tell its answers' lengths from.
SHAPE_HALF_LIFE_S = 600.0
# Rates are kept this long, for the forecast to test itself on.
HISTORY_S = 3600.0
# A class that has answered nothing yet: the mean answer of the public chat traces (Azure 2023: 211 tokens).
PRIOR_OSL_TOKENS = 211.0


@dataclass(frozen=True, slots=True, eq=False)
class CountSnapshot:
    """The cumulative counters of one router; arrays are (class, isl) and (class, isl, osl)."""

    started_at_s: float
    arrivals: Array
    arrival_isl_tokens: Array
    completions: Array
    isl_tokens: Array
    osl_tokens: Array
    hit_tokens: Array
    arrivals_squared: float = (
        0.0  # sum over whole seconds of the square of all arrivals in each; 0: not counted
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @staticmethod
    def zero(n_classes: int, *, started_at_s: float = 0.0) -> "CountSnapshot":
        """Counters of a router that has seen nothing."""
        cells = np.zeros((n_classes, N_BINS))
        answers = np.zeros((n_classes, N_BINS, N_BINS))
        return CountSnapshot(
            started_at_s=started_at_s,
            arrivals=cells,
            arrival_isl_tokens=cells.copy(),
            completions=answers,
            isl_tokens=answers.copy(),
            osl_tokens=answers.copy(),
            hit_tokens=answers.copy(),
        )

    def since(self, before: "CountSnapshot") -> "CountSnapshot":
        """What was counted after an earlier snapshot of the same router; never negative."""
        # A start time that moved, or any counter that fell, means a restart: all that stands here is new.
        restarted = self.started_at_s != before.started_at_s or bool(
            np.any(self.arrivals < before.arrivals)
        )
        if restarted or bool(np.any(self.completions < before.completions)):
            return self
        return CountSnapshot(
            started_at_s=self.started_at_s,
            arrivals=self.arrivals - before.arrivals,
            arrival_isl_tokens=np.maximum(self.arrival_isl_tokens - before.arrival_isl_tokens, 0.0),
            completions=self.completions - before.completions,
            isl_tokens=np.maximum(self.isl_tokens - before.isl_tokens, 0.0),
            osl_tokens=np.maximum(self.osl_tokens - before.osl_tokens, 0.0),
            hit_tokens=np.maximum(self.hit_tokens - before.hit_tokens, 0.0),
            arrivals_squared=max(self.arrivals_squared - before.arrivals_squared, 0.0),
        )

    def plus(self, other: "CountSnapshot", *, weight: float = 1.0) -> "CountSnapshot":
        """Both together, the first times a weight."""
        return CountSnapshot(
            started_at_s=self.started_at_s,
            arrivals=self.arrivals * weight + other.arrivals,
            arrival_isl_tokens=self.arrival_isl_tokens * weight + other.arrival_isl_tokens,
            completions=self.completions * weight + other.completions,
            isl_tokens=self.isl_tokens * weight + other.isl_tokens,
            osl_tokens=self.osl_tokens * weight + other.osl_tokens,
            hit_tokens=self.hit_tokens * weight + other.hit_tokens,
            arrivals_squared=self.arrivals_squared * weight + other.arrivals_squared,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A router's counters and when they were read."""

    at_s: float
    counts: CountSnapshot


@dataclass(frozen=True, slots=True, eq=False)
class TrafficMemory:
    """What is remembered of a model's traffic between ticks."""

    last: Mapping[str, Reading]  # by router
    shapes: CountSnapshot  # decayed sums
    times_s: Array  # (tick,) ends of the observed windows, the first entry being their start
    arrived: Array  # (tick, class) cumulative arrivals at those times
    swelling: (
        Array  # (tick,) cumulative: seconds x variance of the rate within a tick, second by second
    )

    @staticmethod
    def empty(n_classes: int) -> "TrafficMemory":
        """Nothing seen yet."""
        return TrafficMemory(
            {}, CountSnapshot.zero(n_classes), np.zeros(0), np.zeros((0, n_classes)), np.zeros(0)
        )

    @property
    def observed_s(self) -> float:
        """How long a span of traffic was seen without a gap."""
        return float(self.times_s[-1] - self.times_s[0]) if len(self.times_s) > 1 else 0.0

    def observe(self, counts: Mapping[str, CountSnapshot], *, now_s: float) -> "TrafficMemory":
        """Take in what the routers have counted by now.

        A router that is seen for the first time only sets its zero, unless it has started since we look:
        then all that it counted is new. What one counted while it could not be asked is spread over that
        while, not taken for one tick's demand. A clock that steps back is a gap.
        """
        if not counts:
            return self
        elapsed_s = now_s - float(self.times_s[-1]) if len(self.times_s) else 0.0
        if len(self.times_s) and elapsed_s <= 0.0:
            return self._restarted(counts, now_s)
        if not self.last:
            return self._restarted(counts, now_s)
        new = CountSnapshot.zero(self.arrived.shape[1])
        arrived = self.arrived
        punctual: list[CountSnapshot] = []
        for router, snapshot in counts.items():
            before = self.last.get(router)
            if before is None and snapshot.started_at_s < self.times_s[0]:
                continue  # it only did not answer so far: its whole past is not this tick's demand
            if before is not None and before.counts is snapshot:
                continue  # the very same reading: nothing came
            delta = snapshot if before is None else snapshot.since(before.counts)
            new = new.plus(delta)
            if before is not None and now_s - before.at_s > elapsed_s:
                arrived = arrived + self._backlog(delta, before.at_s, now_s)
            else:
                punctual.append(delta)
        weight = 0.5 ** (elapsed_s / SHAPE_HALF_LIFE_S)
        total = self.arrived[-1] + new.arrivals.sum(axis=1)
        keep = self.times_s >= now_s - HISTORY_S
        return TrafficMemory(
            last=self._readings(counts, now_s),
            shapes=self.shapes.plus(new, weight=weight),
            times_s=np.append(self.times_s[keep], now_s),
            arrived=np.vstack([arrived[keep], total]),
            swelling=np.append(
                self.swelling[keep], self.swelling[-1] + elapsed_s * _swelling(punctual, elapsed_s)
            ),
        )

    def after_gap(self) -> "TrafficMemory":
        """The same shapes, and rates from the next look on: how long ago the last one was is not known."""
        n_classes = self.arrived.shape[1]
        return TrafficMemory({}, self.shapes, np.zeros(0), np.zeros((0, n_classes)), np.zeros(0))

    def _restarted(self, counts: Mapping[str, CountSnapshot], now_s: float) -> "TrafficMemory":
        """A new series from here on; shapes that were learnt stay."""
        n_classes = self.arrived.shape[1]
        readings = {router: Reading(now_s, snapshot) for router, snapshot in counts.items()}
        return TrafficMemory(
            readings, self.shapes, np.array([now_s]), np.zeros((1, n_classes)), np.zeros(1)
        )

    def _backlog(self, delta: CountSnapshot, since_s: float, now_s: float) -> Array:
        """(tick, class) what of a late router's arrivals had come by each earlier tick, at an even rate."""
        shares = np.clip((self.times_s - since_s) / (now_s - since_s), 0.0, 1.0)
        return np.asarray(shares[:, None] * delta.arrivals.sum(axis=1)[None, :])

    def _readings(self, counts: Mapping[str, CountSnapshot], now_s: float) -> Mapping[str, Reading]:
        """The newest reading of each router; one that was silent for the whole history is gone."""
        kept = {router: r for router, r in self.last.items() if r.at_s >= now_s - HISTORY_S}
        return {**kept, **{router: Reading(now_s, snapshot) for router, snapshot in counts.items()}}

    def rate_qps(self, window_s: float) -> Array:
        """(class,) arrivals a second over the last window, or over what was seen of it."""
        if len(self.times_s) <= 1:
            return np.zeros(self.arrived.shape[1])
        end_s = float(self.times_s[-1])
        start_s = max(end_s - window_s, float(self.times_s[0]))
        before = np.array([np.interp(start_s, self.times_s, column) for column in self.arrived.T])
        return np.asarray((self.arrived[-1] - before) / (end_s - start_s))


def _swelling(deltas: Sequence[CountSnapshot], span_s: float) -> float:
    """Variance of the rate from second to second within a tick, beyond that of Poisson arrivals; may be negative.

    Each router sees a random share of the requests, and of a share p only p squared of the variance.
    """
    if span_s < 2.0:  # noqa: PLR2004 (a variance takes two seconds)
        return 0.0
    excess = of_shares = whole = 0.0
    for delta in deltas:
        n = float(delta.arrivals.sum())
        if delta.arrivals_squared < n or n == 0.0:
            continue  # it does not count them by the second
        excess += (delta.arrivals_squared - n * n / span_s) / (span_s - 1.0) - n / span_s
        of_shares += n * n
        whole += n
    return excess * whole * whole / of_shares if of_shares > 0.0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TrafficMix:
    """Shapes of each class: all arrays (class, isl)."""

    share: Array  # of the class's arrivals; each class sums to 1, or to 0 where nothing is known
    isl_tokens: Array  # mean ISL of the cell
    osl_tokens: Array  # mean OSL given the cell
    osl_squared: Array  # mean of OSL^2 given the cell
    hit_frac: Array  # share of the prompt found in the prefix cache


def traffic_mix(shapes: CountSnapshot) -> TrafficMix:
    """The mix that decayed counts tell; a cell without answers takes its class's, a class without any the prior's."""
    edges = np.array(EDGES_TOKENS, dtype=np.float64)
    middles = np.append(edges[0] * 0.5, np.sqrt(edges[1:] * edges[:-1]))
    total = shapes.arrivals.sum(axis=1, keepdims=True)
    share = np.divide(shapes.arrivals, total, out=np.zeros_like(shapes.arrivals), where=total > 0)
    # Estimates at arrival are bytes / ratio; the engine's own count of the same cell is better where there is one.
    answered = shapes.completions.sum(axis=2)
    isl = _mean(
        shapes.isl_tokens.sum(axis=2),
        answered,
        _mean(shapes.arrival_isl_tokens, shapes.arrivals, middles),
    )
    per_answer = _mean(shapes.osl_tokens, shapes.completions, middles)
    class_answers = answered.sum(axis=1, keepdims=True)
    class_osl = _mean(
        shapes.osl_tokens.sum(axis=(1, 2), keepdims=False)[:, None],
        class_answers,
        np.array([[PRIOR_OSL_TOKENS]]),
    )
    class_sq = _mean(
        (shapes.completions * per_answer**2).sum(axis=(1, 2))[:, None],
        class_answers,
        2.0 * class_osl**2,
    )
    # A cell's own answers count as they come in, against a prior of ten answers of its class.
    osl = (shapes.osl_tokens.sum(axis=2) + 10.0 * class_osl) / (answered + 10.0)
    squared = ((shapes.completions * per_answer**2).sum(axis=2) + 10.0 * class_sq) / (
        answered + 10.0
    )
    hit = _mean(shapes.hit_tokens.sum(axis=2), shapes.isl_tokens.sum(axis=2), np.zeros((1, 1)))
    return TrafficMix(share, isl, osl, squared, np.clip(hit, 0.0, 1.0))


def _mean(total: Array, count: Array, otherwise: Array) -> Array:
    """The mean, or the other value where nothing was counted."""
    fallback = np.broadcast_to(otherwise, total.shape).astype(np.float64).copy()
    return np.divide(total, count, out=fallback, where=count > 0)
