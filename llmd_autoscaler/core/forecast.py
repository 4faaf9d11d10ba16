"""Demand at the end of the lead time, with a quantile from the forecast's own past errors.

Candidates are persistence and damped trends over several windows. Each tick every candidate is
replayed over the last hour's arrivals, the one that erred least of late is used, and its errors (realised
÷ forecast) give the quantile: nothing is stored but the arrivals, nothing is assumed about their law.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.traffic import TrafficMemory

Array = NDArray[np.float64]

# (window of the level in seconds, how much of the trend is carried to the horizon)
CANDIDATES: tuple[tuple[float, float], ...] = (
    (60.0, 0.0),
    (120.0, 0.0),
    (300.0, 0.0),
    (120.0, 0.5),
    (300.0, 0.5),
    (300.0, 1.0),
)
# The demand that a decision must carry is judged over this window: shorter is noise of single arrivals.
REALISED_S = 60.0
# An error of so long ago counts half as much as one of now: the law of a ramp is not that of the hour before it.
HALF_LIFE_S = 900.0
# Nothing that happened once may ask for more than this much of what is expected: the fleet would stand for an hour.
MOST_UPLIFT = 2.0
# A candidate that was replayed less often than this is not trusted.
MIN_REPLAYED = 8
# Errors before any was seen: a tenth either way, worth this many observations.
PRIOR_ERRORS = np.exp(
    0.10 * np.array([-1.64, -1.04, -0.67, -0.39, -0.13, 0.13, 0.39, 0.67, 1.04, 1.64])
)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Arrivals a second at the horizon."""

    horizon_s: float
    p50_qps: Array  # (class,)
    uplift: float  # the wanted quantile of all classes together ÷ their p50: they share instances
    uplift_p90: float  # the same for the 90th percentile, for people to compare
    error_frac: float  # median |error| of the candidate in use, over the replay

    @property
    def p90_qps(self) -> Array:
        """(class,) the 90th percentile of the demand."""
        return self.p50_qps * self.uplift_p90

    @property
    def quantile_qps(self) -> Array:
        """(class,) the demand to provision for."""
        return self.p50_qps * self.uplift


def forecast(
    memory: TrafficMemory, weights: Array, *, horizon_s: float, quantile: float
) -> Forecast:
    """Forecast each class's arrivals at the horizon.

    Args:
        memory: the arrivals seen so far.
        weights: (class,) work of one request, so that errors count as the load they make.
        horizon_s: lead time from now.
        quantile: which quantile of the forecast's errors to provision for, 0 to 1.
    """
    now_s = float(memory.times_s[-1]) if len(memory.times_s) else 0.0
    series = memory.arrived @ weights
    best = CANDIDATES[0]
    best_errors = np.zeros(0)
    best_score, best_weight = np.inf, np.zeros(0)
    starts = memory.times_s[memory.times_s + horizon_s + 0.5 * REALISED_S <= now_s]
    for candidate in CANDIDATES:
        ratios, at_s = _replay(memory.times_s, series, starts, horizon_s, candidate)
        weight = 0.5 ** ((now_s - horizon_s - at_s) / HALF_LIFE_S)
        score = (
            float(np.average(np.abs(np.log(ratios)), weights=weight))
            if len(ratios) >= MIN_REPLAYED
            else np.inf
        )
        if score < best_score:
            best, best_errors, best_score, best_weight = candidate, ratios, score, weight
    window_s, damping = best
    level = memory.rate_qps(window_s)
    trend = _trend_factor(memory.times_s, series, np.array([now_s]), horizon_s, best)
    errors = np.concatenate([best_errors, PRIOR_ERRORS])
    weight = np.concatenate([best_weight, np.ones(len(PRIOR_ERRORS))])
    return Forecast(
        horizon_s=horizon_s,
        p50_qps=level * (float(trend[0]) if damping > 0.0 and len(series) > 1 else 1.0),
        uplift=_uplift(errors, weight, quantile),
        uplift_p90=_uplift(errors, weight, 0.9),
        error_frac=_quantile(np.abs(errors - 1.0), weight, 0.5),
    )


def _rate(times_s: Array, series: Array, start_s: Array, end_s: Array) -> Array:
    """Mean rate of a cumulative series between two times."""
    start_s = np.maximum(start_s, times_s[0])
    span = np.maximum(end_s - start_s, 1e-9)
    return np.asarray(
        (np.interp(end_s, times_s, series) - np.interp(start_s, times_s, series)) / span
    )


def _trend_factor(
    times_s: Array, series: Array, at_s: Array, horizon_s: float, candidate: tuple[float, float]
) -> Array:
    """By how much a candidate's trend changes its level by the horizon; bounded to a third and three times."""
    window_s, damping = candidate
    if len(times_s) <= 1 or damping == 0.0:
        return np.ones(len(at_s))
    half = 0.5 * window_s
    late = _rate(times_s, series, at_s - half, at_s)
    early = _rate(times_s, series, at_s - window_s, at_s - half)
    level = 0.5 * (late + early)
    # The level stands at the window's middle, so the trend runs from there to the horizon.
    slope = np.where(at_s - window_s >= times_s[0], (late - early) / half, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(level > 0, 1.0 + damping * slope * (horizon_s + half) / level, 1.0)
    return np.asarray(np.clip(factor, 1 / 3, 3.0))


def _replay(
    times_s: Array, series: Array, starts_s: Array, horizon_s: float, candidate: tuple[float, float]
) -> tuple[Array, Array]:
    """(realised ÷ forecast, when it was forecast); times with too little before them, or no demand, tell nothing."""
    window_s = candidate[0]
    starts_s = starts_s[starts_s - window_s >= times_s[0]] if len(times_s) else starts_s
    if len(starts_s) == 0:
        return np.zeros(0), np.zeros(0)
    level = _rate(times_s, series, starts_s - window_s, starts_s)
    predicted = level * _trend_factor(times_s, series, starts_s, horizon_s, candidate)
    ends_s = starts_s + horizon_s + 0.5 * REALISED_S
    realised = _rate(times_s, series, ends_s - REALISED_S, ends_s)
    good = (predicted > 0) & (realised > 0)
    return np.asarray(realised[good] / predicted[good]), starts_s[good]


def _uplift(errors: Array, weights: Array, q: float) -> float:
    """What a quantile of the errors asks for over the forecast itself, within bounds."""
    return min(max(1.0, _quantile(errors, weights, q)), MOST_UPLIFT)


def _quantile(values: Array, weights: Array, q: float) -> float:
    """The quantile of two or more weighted values; with equal weights that of numpy."""
    order = np.argsort(values)
    middle = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(middle[0] + q * (middle[-1] - middle[0]), middle, values[order]))
