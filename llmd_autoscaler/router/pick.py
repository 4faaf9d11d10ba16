"""Picks the instance of a request: first the target by the routing fractions, then the least expected work.

Pure: numbers in, a choice out. What is remembered between two choices is one number per target (`Shares`).
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.translate.routing import Place, Route


@dataclass(frozen=True, slots=True)
class Work:
    """Engine seconds that one request is expected to cost, beyond the base of each step (capacity.md section 2)."""

    prefill_s: float
    decode_s: float

    @property
    def total_s(self) -> float:
        """Both phases."""
        return self.prefill_s + self.decode_s


def expected_work(step: StepModel, *, isl: float, osl: float, hit_frac: float = 0.0) -> Work:
    """The work of a request: `b OSL + k OSL (ISL + OSL/2) + c ISL (1 - h) + e ISL^2 / 2`.

    The attention term counts the whole prompt, as if nothing of it were cached: a prefix hit saves
    the square of its own length only, which for the usual fractions is within the error of OSL.
    """
    decode_s = step.per_decode_s * osl + step.per_context_token_s * osl * (isl + osl / 2)
    prefill_s = (
        step.per_prefill_token_s * isl * (1 - hit_frac)
        + step.per_attention_token_sq_s * isl * isl / 2
    )
    return Work(prefill_s=prefill_s, decode_s=decode_s)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One instance as a scorer sees it."""

    name: str
    place: Place
    n_own: int  # requests that this router has in flight there
    work_s: float  # their engine seconds
    n_foreign: float  # running + waiting beyond ours, by its last page
    request_work_s: float  # what this request would add


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request when it arrives."""

    model: str
    class_name: str
    isl: int
    max_tokens: int | None


class Scorer(Protocol):
    """Says how dear it is to send a request to each candidate; the cheapest is taken."""

    def costs(self, asked: Asked, candidates: Sequence[Candidate]) -> Sequence[float]:
        """One number a candidate, in the same order; lower is better, infinity is never taken."""
        ...


class LeastWork:
    """Engine seconds ahead of and including this request."""

    def costs(self, asked: Asked, candidates: Sequence[Candidate]) -> Sequence[float]:  # noqa: ARG002
        """Own work in flight + what others sent + the request itself."""
        return [_work_ahead_s(candidate) + candidate.request_work_s for candidate in candidates]


def _work_ahead_s(candidate: Candidate) -> float:
    # of the requests of others only the number is known: they count like ours there, or like this one
    each_s = candidate.work_s / candidate.n_own if candidate.n_own else candidate.request_work_s
    return candidate.work_s + candidate.n_foreign * each_s


def cheapest(scorer: Scorer, asked: Asked, candidates: Sequence[Candidate]) -> Candidate:
    """The candidate of least cost; of equals the one with fewer requests, then by name.

    Raises: ValueError: there is no candidate, or the scorer did not score each.
    """
    costs = scorer.costs(asked, candidates)
    ranked = zip(costs, candidates, strict=True)
    return min(ranked, key=lambda pair: (pair[0], pair[1].n_own, pair[1].name))[1]


@dataclass(slots=True)
class _Set:
    """The passes of one route set; a target's pass is what it was given ÷ its fraction."""

    routes: tuple[Route, ...]
    passes: dict[Place, float]
    virtual: float = 0.0


@dataclass(slots=True)
class Shares:
    """Deals requests to targets by fraction: the least served one is next, without any dice.

    Stride scheduling: after n requests each target has its fraction of n, to within one request. A
    target that had no instance for a while comes back level with the others: it is not owed what it
    could not serve, or it would get every request in a row.
    """

    _sets: dict[Hashable, _Set] = field(default_factory=dict)

    def next_place(
        self, key: Hashable, routes: tuple[Route, ...], available: Collection[Place]
    ) -> Place | None:
        """The least served target that has an instance, counted as served; None when none has one.

        Args: key: names the set. New fractions under an old key start from nothing.
        """
        dealt = self._sets.get(key)
        if dealt is None or dealt.routes != routes:
            dealt = self._sets[key] = _Set(routes, {route.place: 0.0 for route in routes})
        open_routes = [r for r in routes if r.fraction > 0 and r.place in available]
        if not open_routes:
            return None
        chosen = min(
            open_routes,
            key=lambda route: (
                max(dealt.passes[route.place], dealt.virtual),
                -route.fraction,
                route.place,
            ),
        )
        dealt.virtual = max(dealt.passes[chosen.place], dealt.virtual)
        dealt.passes[chosen.place] = dealt.virtual + 1 / chosen.fraction
        return chosen.place

    def keep_only(self, keys: Collection[Hashable]) -> None:
        """Forgets the sets that no table has any more."""
        self._sets = {key: dealt for key, dealt in self._sets.items() if key in keys}
