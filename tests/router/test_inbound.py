"""What is read of a request, and that its bytes stay as they are."""

import json

import pytest

from llmd_autoscaler.router.inbound import BadRequestError, read_inbound


def read(**body: object):
    return read_inbound(json.dumps({"model": "m"} | body).encode())


def test_a_request_that_is_not_streamed_goes_on_byte_for_byte() -> None:
    raw = b' { "model" : "m", "prompt": "\\u00e9" , "n":1 } '
    assert read_inbound(raw).body == raw


def test_only_the_question_for_usage_is_added_to_a_stream() -> None:
    raw = b' { "model" : "m", "stream": true }'
    inbound = read_inbound(raw)
    assert (
        inbound.body
        == b' {"stream_options":{"include_usage":true}, "model" : "m", "stream": true }'
    )
    assert json.loads(inbound.body)["stream_options"] == {"include_usage": True}
    assert inbound.strips_usage


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
def test_stream_options_that_do_not_ask_are_made_to_ask(options: object) -> None:
    inbound = read(stream=True, stream_options=options)
    assert json.loads(inbound.body)["stream_options"] == {"include_usage": True}
    assert inbound.strips_usage


def test_a_client_that_asks_for_usage_is_left_alone() -> None:
    inbound = read(stream=True, stream_options={"include_usage": True})
    assert not inbound.strips_usage


@pytest.mark.parametrize(
    ("body", "n_bytes", "n_tokens"),
    [
        ({"prompt": "abcd"}, 4, None),
        ({"prompt": "é"}, 2, None),  # two bytes of UTF-8
        ({"prompt": ["ab", "cde"]}, 5, None),
        ({"prompt": [1, 2, 3]}, 0, 3),
        ({"prompt": [[1, 2], [3]]}, 0, 3),
        (
            {"messages": [{"role": "user", "content": "abc"}, {"role": "user", "content": "de"}]},
            5,
            None,
        ),
        (
            {"messages": [{"content": [{"type": "text", "text": "abc"}, {"type": "image_url"}]}]},
            3,
            None,
        ),
        ({"messages": [{"role": "assistant", "content": None}, "odd"]}, 0, None),
        ({}, 0, None),
    ],
)
def test_the_size_of_a_prompt(body: dict[str, object], n_bytes: int, n_tokens: int | None) -> None:
    inbound = read(**body)
    assert (inbound.n_prompt_bytes, inbound.n_prompt_tokens) == (n_bytes, n_tokens)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 5, "max_tokens": 7}, 5),
        ({"max_tokens": True}, None),
        ({"max_tokens": "7"}, None),
        ({}, None),
    ],
)
def test_the_declared_length_of_the_answer(body: dict[str, object], expected: int | None) -> None:
    assert read(**body).max_tokens == expected


def test_what_is_wrong_is_said_without_the_prompt() -> None:
    with pytest.raises(BadRequestError) as caught:
        read_inbound(b'{"prompt": "a secret", "model": 7}')
    assert "secret" not in str(caught.value)
    with pytest.raises(BadRequestError) as caught:
        read_inbound(b'{"prompt": "a secret"')
    assert "secret" not in str(caught.value)


def test_nesting_without_end_is_a_bad_request_and_no_crash() -> None:
    with pytest.raises(BadRequestError):
        read_inbound(b"[" * 200_000)
