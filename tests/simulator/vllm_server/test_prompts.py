"""Reading requests: how long they are, and which ones vLLM would refuse."""

import json

import pytest

from llmd_autoscaler.simulator.vllm_server.prompts import (
    Call,
    RefusalError,
    ServedModel,
    read_call,
    read_json,
)

SERVED = ServedModel(name="m", max_model_len=1000)


def call_of(*, is_chat: bool = False, **body: object) -> Call:
    return read_call({"model": "m", **body}, SERVED, is_chat=is_chat)


@pytest.mark.parametrize(
    ("prompt", "isl"),
    [
        ("one", 1),
        (" two  words\n", 2),
        ([5, 6, 7], 3),
        ([[5, 6, 7]], 3),
        (["one text in a list"], 5),
    ],
)
def test_the_isl_is_the_number_of_words_or_of_token_ids(prompt, isl):
    assert call_of(prompt=prompt).isl == isl


def test_the_isl_of_a_chat_is_summed_over_its_messages_and_their_parts():
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "a b c"}, {"type": "image_url"}]},
    ]

    assert call_of(is_chat=True, messages=messages).isl == 5


def test_a_completion_without_max_tokens_gets_sixteen():
    assert call_of(prompt="a").max_tokens == 16


def test_a_chat_without_max_tokens_may_fill_the_model():
    assert call_of(is_chat=True, messages=[{"content": "a b"}]).max_tokens == 998


def test_a_chat_may_name_its_limit_max_completion_tokens():
    call = call_of(is_chat=True, messages=[{"content": "a"}], max_completion_tokens=7, max_tokens=9)

    assert call.max_tokens == 7


def test_usage_is_wanted_only_when_stream_options_say_so():
    assert call_of(prompt="a", stream=True).wants_usage is False
    assert call_of(prompt="a", stream_options={"include_usage": True}).wants_usage is True


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"prompt": 5}, "prompt is not a text"),
        ({"prompt": ["a", "b"]}, "prompt is not a text"),
        ({"prompt": [1, "b"]}, "prompt is not a text"),
        ({"prompt": [True]}, "prompt is not a text"),
        ({}, "prompt is not a text"),
        ({"prompt": "a", "max_tokens": "many"}, "max_tokens is not a whole number"),
        ({"prompt": "a", "max_tokens": True}, "max_tokens is not a whole number"),
        ({"prompt": "a", "stream": "yes"}, "stream is neither true nor false"),
        ({"prompt": "a", "stream_options": [1]}, "stream_options is not an object"),
        ({"prompt": "a", "n": 2}, "one answer a request"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_at_once_even_when_streamed(body, sentence):
    with pytest.raises(RefusalError, match=sentence) as refusal:
        call_of(**{"stream": True, **body})

    assert (refusal.value.status, refusal.value.is_validation) == (400, False)


@pytest.mark.parametrize("messages", [None, [], "hi", [{"role": "user"}], ["hi"], [{"content": 5}]])
def test_messages_that_are_none_are_refused(messages):
    with pytest.raises(RefusalError, match=r"messages is not|a message has no content"):
        call_of(is_chat=True, messages=messages)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"prompt": ""}, "no tokens"),
        ({"prompt": []}, "no tokens"),
        ({"prompt": "a", "max_tokens": 0}, "at least 1, got 0"),
        ({"prompt": "a", "max_tokens": 1000}, "1 prompt tokens and 1000 max_tokens exceed"),
        ({"prompt": [128_256]}, "outside the vocabulary"),
        ({"prompt": [-1]}, "outside the vocabulary"),
        ({"prompt": [[128_256]]}, "outside the vocabulary"),
    ],
)
def test_what_only_validation_finds_is_told_in_the_stream_if_there_is_one(body, sentence):
    for is_streamed in (True, False):
        with pytest.raises(RefusalError, match=sentence) as refusal:
            call_of(**body, stream=is_streamed)
        assert refusal.value.is_validation is is_streamed


def test_a_request_that_just_fits_is_served():
    assert call_of(prompt="a", max_tokens=999).max_tokens == 999


def test_another_model_is_not_found():
    with pytest.raises(RefusalError, match="`x` does not exist") as refusal:
        read_call({"model": "x", "prompt": "a"}, SERVED, is_chat=False)

    assert json.loads(refusal.value.body())["error"]["code"] == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(RefusalError, match="the body is not"):
        read_json(body)
