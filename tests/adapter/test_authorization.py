"""What is asked of the API server on behalf of others, and when."""

import asyncio

import pytest

import adapter.authorization
from adapter.authorization import Attributes, Authorizer
from adapter.identity import Caller, User
from adapter.refusal import RefusedError
from adapter.store import Store
from adapter.telemetry import Telemetry

WANTED = Attributes(
    group="custom.metrics.k8s.io",
    version="v1beta2",
    namespace="llm",
    resource="r",
    subresource="m",
    name="a",
)
BOB = User.of("bob", groups=["dev"])


class Reviews:
    """An API server that allows what it is told to, and remembers what it was asked."""

    def __init__(self, *allowed: Attributes) -> None:
        self.allowed = set(allowed)
        self.asked: list[Attributes] = []

    async def __call__(self, user: User, wanted: Attributes) -> bool:
        assert user == BOB
        self.asked.append(wanted)
        return wanted in self.allowed


def checking(reviews: Reviews) -> Authorizer:
    return Authorizer(reviews, Telemetry())


async def test_a_forwarded_user_with_the_whole_group_is_asked_about_once() -> None:
    reviews = Reviews(WANTED.whole_group())
    of = checking(reviews)
    for name in "abc":
        await of.check(Caller(BOB, is_forwarded=True), WANTED._replace(name=name))
    assert reviews.asked == [WANTED.whole_group()]


async def test_a_forwarded_user_with_less_is_asked_about_exactly() -> None:
    reviews = Reviews(WANTED)
    of = checking(reviews)
    await of.check(Caller(BOB, is_forwarded=True), WANTED)
    with pytest.raises(RefusedError, match='user "bob" may not get r/m'):
        await of.check(Caller(BOB, is_forwarded=True), WANTED._replace(name="b"))


async def test_a_user_who_comes_directly_is_asked_about_exactly() -> None:
    reviews = Reviews(WANTED.whole_group())
    with pytest.raises(RefusedError):
        await checking(reviews).check(Caller(BOB, is_forwarded=False), WANTED)
    assert reviews.asked == [WANTED]


async def test_a_page_belongs_to_no_group() -> None:
    page = Attributes(path="/apis")
    reviews = Reviews(page)
    await checking(reviews).check(Caller(BOB, is_forwarded=True), page)
    assert reviews.asked == [page]


@pytest.mark.parametrize("field", Attributes._fields)
async def test_an_answer_for_one_wish_is_none_for_another(field: str) -> None:
    reviews = Reviews(WANTED)
    of = checking(reviews)
    await of.check(Caller(BOB, is_forwarded=False), WANTED)
    with pytest.raises(RefusedError):
        await of.check(Caller(BOB, is_forwarded=False), WANTED._replace(**{field: "other"}))


@pytest.mark.parametrize(
    "other",
    [
        User.of("eve", groups=["dev"]),
        User.of("bob", "7", groups=["dev"]),
        User.of("bob", groups=["dev", "ops"]),
        User.of("bob", groups=["dev"], extra={"a": ["b"]}),
    ],
)
async def test_an_answer_for_one_user_is_none_for_another(other: User) -> None:
    async def only_bob(user: User, wanted: Attributes) -> bool:
        del wanted
        return user == BOB

    of = Authorizer(only_bob, Telemetry())
    await of.check(Caller(BOB, is_forwarded=True), WANTED)
    with pytest.raises(RefusedError):
        await of.check(Caller(other, is_forwarded=True), WANTED)


async def test_a_grant_in_use_is_asked_for_again_before_anybody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter.authorization, "_LOOK_S", 0.01)
    monkeypatch.setattr(adapter.authorization, "_RENEWED_AT_S", 0.02)
    reviews = Reviews(WANTED.whole_group())
    of = checking(reviews)
    running = asyncio.create_task(of.run())
    await of.check(Caller(BOB, is_forwarded=True), WANTED)
    async with asyncio.timeout(10):
        while len(reviews.asked) < 3:  # noqa: ASYNC110 (the authorizer's own doing)
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert set(reviews.asked) == {WANTED.whole_group()}


async def test_what_was_decided_is_counted() -> None:
    telemetry = Telemetry()
    of = Authorizer(Reviews(WANTED), telemetry)
    await of.check(Caller(BOB, is_forwarded=False), WANTED)
    with pytest.raises(RefusedError):
        await of.check(Caller(BOB, is_forwarded=False), WANTED._replace(name="b"))
    page = telemetry.page(Store()).decode().splitlines()
    assert 'llmd_adapter_authorizations_total{result="allowed"} 1.0' in page
    assert 'llmd_adapter_authorizations_total{result="denied"} 1.0' in page
