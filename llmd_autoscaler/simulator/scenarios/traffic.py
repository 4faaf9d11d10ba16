"""Requests of a scenario: pure, and drawn anew for each seed.

Arrivals of a kind are a Poisson process whose rate is modulated minute by minute (a Cox process):

    lambda(t) = qps(t) x F_i          qps(t) as the program says, i the minute of t
    F_i ~ Gamma(k_i, 1 / k_i)         mean 1, k_i = n_i / (D - 1), n_i = the minute's requests in the mean

A minute's count then has the mean n_i and the variance n_i + n_i^2 / k_i = D x n_i: D is the index of dispersion per
minute, whatever the rate. D = 1 leaves the Poisson process. Azure's chat has 21, code completion 100 and more.

    D     requests a minute in the mean     standard deviation
    1                  600                         24
    20                 600                        110
    150                600                        300
"""

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.scenarios.program import Kind, Lengths, Scenario, Sessions

Array = NDArray[np.float64]

MINUTE_S = 60
# Sessions have gone on for so long when a scenario starts, at its first rate: else its first minutes would be a ramp.
SESSIONS_BEFORE_S = 1200
_Z90 = 1.2815515655446004  # 90th percentile of the normal law


def replay(scenario: Scenario, *, seed: int) -> Replay:
    """The requests of a scenario; its kinds draw independently of each other."""
    parts = [
        _asked(scenario, name, kind, np.random.default_rng([seed, n]))
        for n, (name, kind) in enumerate(sorted(scenario.kinds.items()))
    ]
    at_s, isl, osl = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    # turns of a session may come before the scenario starts, or after its end
    inside = np.flatnonzero((at_s >= 0.0) & (at_s < scenario.duration_s))
    order = inside[np.argsort(at_s[inside], kind="stable")]
    return Replay(
        at_s=at_s[order],
        isl=isl[order].astype(np.int64),
        osl=osl[order].astype(np.int64),
        class_of=np.zeros(len(order), dtype=np.int64),
    )


def _asked(
    scenario: Scenario, name: str, kind: Kind, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """(request,) arrival, prompt and answer of one kind."""
    rates = rates_qps(scenario, name)
    if kind.sessions is None:
        at_s = arrivals(rates, kind.dispersion, rng)
        return at_s, _lengths(kind.isl, len(at_s), rng), _lengths(kind.osl, len(at_s), rng)
    rates = np.concatenate([np.full(SESSIONS_BEFORE_S, rates[0]), rates])
    at_s = arrivals(rates, kind.dispersion, rng) - SESSIONS_BEFORE_S
    isl = _lengths(kind.isl, len(at_s), rng)
    return _turns(at_s, isl, kind.osl, kind.sessions, rng)


def rates_qps(scenario: Scenario, kind: str) -> Array:
    """(second,) what the program says that a kind asks, in the middle of each second."""
    middle_s = np.arange(round(scenario.duration_s)) + 0.5
    rates = np.zeros(len(middle_s))
    start_s = 0.0
    for phase in scenario.program:
        here = (middle_s >= start_s) & (middle_s < start_s + phase.for_s)
        low, high = phase.qps.get(kind, (0.0, 0.0))
        rates[here] = low + (high - low) * (middle_s[here] - start_s) / phase.for_s
        start_s += phase.for_s
    return rates


def arrivals(rates: Array, dispersion: float, rng: np.random.Generator) -> Array:
    """Arrivals at (second,) rates with an index of dispersion per minute."""
    minute_of = np.arange(len(rates)) // MINUTE_S
    n_mean = np.bincount(minute_of, weights=rates)
    factors = np.ones(len(n_mean))
    if dispersion > 1.0:
        shape = np.maximum(n_mean, 1e-9) / (dispersion - 1.0)
        factors = rng.standard_gamma(shape) / shape
    n = rng.poisson(rates * factors[minute_of])
    second = np.repeat(np.arange(len(rates)), n)
    return np.sort(second + rng.random(len(second)))


def _lengths(law: Lengths, n: int, rng: np.random.Generator) -> Array:
    """Lognormal: the logarithm is normal about log(median), and reaches log(p90) at its 90th percentile."""
    sigma = np.log(law.p90 / law.median) / _Z90
    drawn = law.median * np.exp(sigma * rng.standard_normal(n))
    return np.asarray(np.clip(np.rint(drawn), 1.0, law.most))


def _turns(
    at_s: Array, isl: Array, osl_law: Lengths, law: Sessions, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """The turns of sessions that start at some times with some prompts.

    A turn's prompt is the whole conversation: the prompt and the answer before it, and what the client adds. The
    simulated engines have no prefix cache, so each is computed in full: sessions as cold caches see them.
    """
    n_turns = rng.geometric(1.0 / law.turns, len(at_s))
    session = np.repeat(np.arange(len(at_s)), n_turns)
    first = (np.cumsum(n_turns) - n_turns)[session]
    osl = _lengths(osl_law, len(session), rng)
    added = _lengths(law.adds, len(session), rng)
    think_s = rng.exponential(law.think_s, len(session))
    # what each turn leaves to the next, summed up within its session
    tokens = _before(osl, first) + _before(added, first)
    waited_s = _before(osl * law.per_token_s + think_s, first)
    return at_s[session] + waited_s, isl[session] + tokens, osl


def _before(values: Array, first: NDArray[np.intp]) -> Array:
    """(turn,) the sum over the earlier turns of the same session, which starts at `first`."""
    total = np.cumsum(values) - values
    return np.asarray(total - total[first])
