"""Answers of the API server that are kept for a short while, each asked for once at a time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from adapter.refusal import UnansweredError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

KEPT_S = 10.0  # as upstream, for yes and for no: what is taken away is gone after this long
DEADLINE_S = 0.8  # so that whoever waits is told within a second, whatever the API server does


@dataclass(slots=True)
class _Answer(Generic[V]):
    value: V
    asked_at_s: float
    used_at_s: float


class Reviewed(Generic[K, V]):
    """A bounded number of answers by what was asked.

    A question that is being asked already is not asked again, and beyond a bound of questions under
    way none is asked at all: what a flood of strangers costs the API server has an end.
    """

    def __init__(self, *, most_kept: int, most_under_way: int) -> None:
        self._most_kept = most_kept
        self._most_under_way = most_under_way
        self._answers: OrderedDict[K, _Answer[V]] = OrderedDict()
        self._under_way: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    async def answer(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """What the API server says, or said a moment ago.

        Raises: UnansweredError: it does not say so in time.
        """
        now_s = time.monotonic()
        known = self._answers.get(key)
        if known is not None and now_s - known.asked_at_s < KEPT_S:
            known.used_at_s = now_s
            self._answers.move_to_end(key)
            return known.value
        # shielded: others wait for the same answer, and whoever leaves must not take it from them
        return await asyncio.shield(self._task(key, ask))

    def renew(self, key: K, ask: Callable[[], Awaitable[V]]) -> None:
        """Ask anew in the background; the old answer holds until then, or its time is over."""
        if len(self._under_way) < self._most_under_way:
            self._task(key, ask)

    def in_use(self, *, asked_before_s: float, used_after_s: float) -> Iterator[K]:
        """What somebody has asked for lately, and the API server was asked for not so lately."""
        for key, known in tuple(self._answers.items()):
            if known.asked_at_s < asked_before_s and known.used_at_s > used_after_s:
                yield key

    def _task(self, key: K, ask: Callable[[], Awaitable[V]]) -> asyncio.Task[V]:
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= self._most_under_way:
                raise UnansweredError(
                    f"{self._most_under_way} reviews are under way at the API server already"
                )
            task = self._under_way[key] = asyncio.create_task(self._asked(key, ask))
            task.add_done_callback(_retrieved)
        return task

    async def _asked(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        asked_at_s = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S):
                value = await ask()
        except TimeoutError as error:
            raise UnansweredError(
                f"the API server did not answer a review within {DEADLINE_S} s"
            ) from error
        finally:
            del self._under_way[key]
        known = self._answers.get(key)
        used_at_s = known.used_at_s if known else asked_at_s
        self._answers[key] = _Answer(value, asked_at_s, used_at_s)
        self._answers.move_to_end(key)
        while len(self._answers) > self._most_kept:
            self._answers.popitem(last=False)
        return value


def _retrieved(task: asyncio.Task[V]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
