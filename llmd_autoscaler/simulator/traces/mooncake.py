"""The Mooncake traces: one JSON object a line, with the time in milliseconds.

`hash_ids`, the identity of each block of 512 prompt tokens, is not read: the simulated engines have no
prefix cache, so that every prompt is computed in full. Figures on these traces are those of cold caches.
"""

import json

from llmd_autoscaler.simulator.traces.request import Form, Request

EXAMPLE = '{"timestamp": 3000, "input_length": 6758, "output_length": 500}'
_MS_PER_S = 1000.0


def _read_row(row: str) -> Request:
    try:
        data: object = json.loads(row)
    except RecursionError as error:
        raise ValueError(row) from error
    if not isinstance(data, dict):
        raise TypeError(row)
    when = data.get("timestamp")
    if isinstance(when, bool) or not isinstance(when, int | float):
        raise TypeError(row)
    return Request(
        float(when) / _MS_PER_S, _whole(data.get("input_length")), _whole(data.get("output_length"))
    )


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    return value


FORM = Form(
    _read_row,
    has_header=False,
    row=f"an object with a time in milliseconds and two whole numbers of tokens, such as {EXAMPLE}",
)
