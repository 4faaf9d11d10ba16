"""What a client makes of the bytes of a stream, however they are cut."""

import pytest

from llmd_autoscaler.profiling.stream import RefusedError, Stream


def event(text: str, n: int | None = None) -> bytes:
    """One event of vLLM's completions, with the running count of tokens that it was asked for."""
    usage = f',"usage":{{"prompt_tokens":8,"completion_tokens":{n}}}' if n is not None else ""
    return b'data: {"choices":[{"text":"%s"}]%s}\n\n' % (text.encode(), usage.encode())


def test_each_event_is_a_token_where_nothing_is_counted():
    stream = Stream()
    stream.take(event(" a"), 1.0)
    stream.take(event(" b") + b"data: [DONE]\n\n", 1.5)
    assert stream.at_s == [1.0, 1.5]
    assert stream.is_done


def test_tokens_that_came_in_one_event_are_spread_over_the_time_since_the_last():
    stream = Stream()
    stream.take(event(" a", 1), 1.0)
    stream.take(event(" b c", 3), 1.4)
    assert stream.at_s == pytest.approx([1.0, 1.2, 1.4])


def test_the_last_event_with_the_whole_usage_brings_no_token():
    stream = Stream()
    stream.take(event(" a", 1), 1.0)
    stream.take(b'data: {"choices":[],"usage":{"completion_tokens":1}}\n\n', 1.1)
    assert stream.at_s == [1.0]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_an_event_that_comes_in_two_pieces_is_one(cut):
    whole = event(" a", 1) + event(" b", 2)
    stream = Stream()
    stream.take(whole[:cut], 1.0)
    stream.take(whole[cut:], 1.0)
    assert len(stream.at_s) == 2


def test_stamps_of_a_simulated_server_count_more_than_arrival():
    stream = Stream()
    stream.take(b'data: {"choices":[{"text":" a a"}],"llmd_token_at_s":[7.0,7.5]}\n\n', 99.0)
    assert stream.at_s == [7.0, 7.5]


def test_an_error_behind_http_200_is_an_error():
    with pytest.raises(RefusedError, match="too long"):
        Stream().take(b'data: {"error":{"message":"too long","code":400}}\n\n', 1.0)


def test_a_draining_server_is_told_from_a_fast_one():
    with pytest.raises(RefusedError, match="it is stopping"):
        Stream().take(b'data: {"choices":[{"text":"","finish_reason":"abort"}]}\n\n', 1.0)
