"""Answers of the API server that are kept for a while."""

import asyncio

import pytest

import adapter.reviewed
from adapter.refusal import UnansweredError
from adapter.reviewed import Reviewed


class Asked:
    """An API server that counts, and answers with its count."""

    def __init__(self) -> None:
        self.n = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> int:
        self.n += 1
        n = self.n
        await self.gate.wait()
        return n


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the module, in a list of one."""
    at = [1000.0]

    class _Time:
        @staticmethod
        def monotonic() -> float:
            return at[0]

    monkeypatch.setattr(adapter.reviewed, "time", _Time)
    return at


def reviewed(**limits: int) -> Reviewed[str, int]:
    return Reviewed(**{"most_kept": 3, "most_under_way": 2, **limits})


async def test_an_answer_holds_for_ten_seconds_and_not_longer(now: list[float]) -> None:
    of, ask = reviewed(), Asked()
    assert await of.answer("k", ask) == 1
    now[0] += 9.9
    assert await of.answer("k", ask) == 1
    now[0] += 0.1  # from when it was asked, however often it was used since
    assert await of.answer("k", ask) == 2


async def test_the_same_question_at_once_is_asked_once() -> None:
    of, ask = reviewed(), Asked()
    ask.gate.clear()
    waiting = [asyncio.create_task(of.answer("k", ask)) for _ in range(10)]
    await asyncio.sleep(0)
    ask.gate.set()
    assert await asyncio.gather(*waiting) == [1] * 10


async def test_whoever_stops_waiting_does_not_take_the_answer_from_others() -> None:
    of, ask = reviewed(), Asked()
    ask.gate.clear()
    first, second = (asyncio.create_task(of.answer("k", ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    ask.gate.set()
    assert await second == 1


async def test_beyond_the_bound_of_questions_under_way_none_is_asked() -> None:
    of, ask = reviewed(), Asked()
    ask.gate.clear()
    waiting = [asyncio.create_task(of.answer(key, ask)) for key in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(UnansweredError, match="2 reviews are under way"):
        await of.answer("c", ask)
    ask.gate.set()
    await asyncio.gather(*waiting)
    assert await of.answer("c", ask) == 3


async def test_the_number_of_answers_is_bounded_and_the_least_used_goes_first() -> None:
    of, ask = reviewed(), Asked()
    for key in "abc":
        await of.answer(key, ask)
    await of.answer("a", ask)
    await of.answer("d", ask)
    assert len(of) == 3
    assert await of.answer("a", ask) == 1
    assert await of.answer("b", ask) == 5


async def test_a_question_without_an_answer_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter.reviewed, "DEADLINE_S", 0.01)
    of, ask = reviewed(), Asked()
    ask.gate.clear()
    with pytest.raises(UnansweredError, match="did not answer a review"):
        await of.answer("k", ask)
    ask.gate.set()
    assert await of.answer("k", ask) == 2  # nothing was remembered of it


async def test_an_answer_in_use_is_renewed_before_it_ends(now: list[float]) -> None:
    of, ask = reviewed(), Asked()
    await of.answer("k", ask)
    now[0] += 6.0
    due = list(of.in_use(asked_before_s=now[0] - 5.0, used_after_s=now[0] - 60.0))
    assert due == ["k"]
    of.renew("k", ask)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    now[0] += 6.0  # 12 s after the first answer
    assert await of.answer("k", ask) == 2
    assert ask.n == 2


async def test_an_answer_that_nobody_uses_is_not_renewed(now: list[float]) -> None:
    of, ask = reviewed(), Asked()
    await of.answer("k", ask)
    now[0] += 61.0
    assert list(of.in_use(asked_before_s=now[0] - 5.0, used_after_s=now[0] - 60.0)) == []


async def test_a_renewal_that_fails_leaves_the_answer_until_its_end(now: list[float]) -> None:
    async def fails() -> int:
        raise UnansweredError("etcd is away")

    of, ask = reviewed(), Asked()
    await of.answer("k", ask)
    now[0] += 6.0
    of.renew("k", fails)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await of.answer("k", ask) == 1
    now[0] += 4.0
    with pytest.raises(UnansweredError):
        await of.answer("k", fails)
