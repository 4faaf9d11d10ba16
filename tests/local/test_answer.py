"""What the load generator reads from the bytes of an answer."""

import json

import pytest

from llmd_autoscaler.local.answer import FailedError, Stream, error_reason
from llmd_autoscaler.local.ledger import Outcome
from llmd_autoscaler.router.replies import error_events, error_response
from llmd_autoscaler.simulator.vllm_server.answers import DONE, Answer, error_event
from llmd_autoscaler.simulator.vllm_server.prompts import Call

CALL = Call(is_chat=False, isl=7, max_tokens=3, is_streamed=True, wants_usage=True)


def answer():
    """An answer of the simulated server."""
    return Answer(CALL, model="m", request_id="r", now_s=0.0)


def read(*blocks):
    stream = Stream()
    for i, block in enumerate(blocks):
        stream.take(block, 100.0 + i)
    return stream.outcome()


def failure(*blocks):
    with pytest.raises(FailedError) as caught:
        read(*blocks)
    return str(caught.value)


def whole():
    """Three tokens in two events, then the usage and the end."""
    said = answer()
    return said.chunk((1.25, 1.5), None) + said.chunk((2.0,), "length") + said.end(3)


def test_the_first_and_the_last_stamp_are_the_times_of_an_answer():
    assert read(whole()) == Outcome(first_s=1.25, last_s=2.0, isl=7, osl=3)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_events_may_come_in_pieces(size):
    said = whole()
    pieces = [said[i : i + size] for i in range(0, len(said), size)]
    assert read(*pieces) == read(said)


def test_an_end_that_comes_without_tokens_does_not_hide_the_last_stamp():
    said = answer()
    blocks = said.chunk((1.25,), None), said.chunk((2.0,), None), said.chunk((), "length")
    assert read(*blocks, said.end(2)) == Outcome(1.25, 2.0, 7, 2)


def test_a_server_without_stamps_is_timed_by_the_arrival_of_its_blocks():
    said = whole().replace(b"llmd_token_at_s", b"other")
    assert read(said[:150], said[150:]) == Outcome(100.0, 101.0, 7, 3)


def test_an_answer_without_its_end_is_cut():
    assert failure(whole().removesuffix(DONE)) == "cut"


def test_nothing_at_all_is_cut():
    assert failure() == "cut"


def test_an_abort_is_a_failure_although_the_stream_ends_well():
    said = answer()
    assert failure(said.chunk((1.0,), None) + said.chunk((), "abort") + said.end(1)) == "abort"


def test_an_answer_without_usage_is_a_failure():
    said = answer()
    assert failure(said.chunk((1.0,), "length") + DONE) == "no_usage"


def test_the_routers_error_event_is_named_by_its_reason():
    said = answer()
    assert (
        failure(said.chunk((1.0,), None) + error_events("the server stopped", reason="cut"))
        == "cut"
    )


def test_a_servers_error_event_is_named_by_its_type():
    body = json.dumps(
        {"error": {"message": "no", "type": "BadRequestError"}}, separators=(",", ":")
    )
    assert failure(error_event(body.encode())) == "BadRequestError"


def test_the_routers_refusal_is_named_by_its_reason():
    body = error_response(503, "no instance", reason="no_instance", request_id="r").body
    assert error_reason(bytes(body)) == "no_instance"


@pytest.mark.parametrize(
    ("body", "reason"), [(b"<html>", "no_json"), (b"[]", "unknown"), (b'{"error": "x"}', "unknown")]
)
def test_a_refusal_of_another_make_has_a_name_too(body, reason):
    assert error_reason(body) == reason
