"""Events and what they say."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.router.stream import EventCutter, Opening, Tap, Usage, events, opening_of
from tests.router.conftest import DONE, event, token, usage

STREAM = token("a", at_s=[1.0]) + token("b", at_s=[2.0, 3.0]) + usage(5, 3) + DONE


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_however_a_stream_is_cut_its_events_come_out_whole_and_in_order(cuts: list[int]) -> None:
    cutter, edges = EventCutter(), [0, *sorted(cuts), len(STREAM)]
    blocks = [cutter.feed(STREAM[a:b]) for a, b in itertools.pairwise(edges)]
    assert b"".join(blocks) == STREAM
    assert all(block.endswith(b"\n\n") for block in blocks if block)


@given(data=st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_make_the_reader_fail(data: list[bytes]) -> None:
    cutter, tap = EventCutter(), Tap(strips_usage=True)
    for part in data:
        tap.passes(cutter.feed(part), 0.0)
        for each in events(part):
            opening_of(each)
    tap.last_token_s()


def test_an_event_without_end_is_an_error_and_not_all_memory() -> None:
    cutter = EventCutter()
    for _ in range(16):
        cutter.feed(b"x" * 2**20)
    with pytest.raises(ObservationError, match="blank line"):
        cutter.feed(b"x")


def test_the_end_mark_counts_without_its_blank_line_and_half_an_event_does_not() -> None:
    cutter = EventCutter()
    cutter.feed(DONE[:-2])
    assert cutter.last() == b"data: [DONE]"
    cutter.feed(b'data: {"choi')
    assert cutter.last() == b""


def chat(delta: dict[str, object], reason: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (token("a"), Opening.ANSWER),
        (token("", at_s=[1.0]), Opening.ANSWER),  # a token without text of its own
        (token("", reason="stop"), Opening.ANSWER),
        (token("", reason="abort"), Opening.ABORT),
        (token("a", reason="abort"), Opening.ANSWER),
        (chat({"role": "assistant", "content": ""}), Opening.UNDECIDED),
        (chat({"content": "a"}), Opening.ANSWER),
        (chat({"tool_calls": [{"index": 0}]}), Opening.ANSWER),
        (chat({}, "abort"), Opening.ABORT),
        (chat({}, "stop"), Opening.ANSWER),
        (event({"error": {"code": 500}}), Opening.ERROR),
        (event({"error": {"code": 429}}), Opening.ERROR),
        (event({"error": {"code": 400}}), Opening.CLIENT_ERROR),
        (event({"error": "dead"}), Opening.ERROR),
        (b": a comment\n\n", Opening.UNDECIDED),
        (DONE, Opening.EMPTY),
    ],
)
def test_what_the_first_event_says(said: bytes, expected: Opening) -> None:
    assert opening_of(said) is expected


def test_first_and_last_token_come_from_the_stamps() -> None:
    tap = Tap(strips_usage=True)
    for part in events(STREAM):
        tap.passes(part, 99.0)
    assert (tap.first_token_s(), tap.last_token_s()) == (1.0, 3.0)
    assert tap.usage == Usage(isl=5, osl=3, n_hit=0)
    assert tap.is_done


def test_without_stamps_the_clock_tells() -> None:
    tap = Tap(strips_usage=True)
    tap.passes(token("a"), 5.0)
    tap.passes(token("b"), 7.0)
    assert (tap.first_token_s(), tap.last_token_s()) == (5.0, 7.0)


def test_an_empty_usage_on_every_event_is_no_usage_event() -> None:
    tap = Tap(strips_usage=True)
    part = event({"choices": [{"index": 0, "text": "a"}], "usage": None})
    assert tap.passes(part, 0.0) == part
    assert tap.usage is None


def test_an_ordinary_block_goes_on_as_the_very_same_bytes() -> None:
    block = token("a", at_s=[1.0])
    assert Tap(strips_usage=True).passes(block, 0.0) is block
