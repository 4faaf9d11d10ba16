"""What the router itself says to a client, in the words of the OpenAI API."""

import json

from aiohttp import web

_TYPES = {
    400: "BadRequestError",
    404: "NotFoundError",
    429: "RateLimitError",
    502: "UpstreamError",
    503: "ServiceUnavailableError",
}


def error_object(code: int, message: str, *, reason: str) -> dict[str, object]:
    """An error as clients of the OpenAI API read it; `reason` is one word for programs."""
    return {
        "error": {
            "message": message,
            "type": _TYPES[code],
            "param": "model" if code == 404 else None,  # noqa: PLR2004
            "code": code,
            "reason": reason,
        }
    }


def error_response(code: int, message: str, *, reason: str, request_id: str) -> web.Response:
    """An error as the whole answer."""
    return web.json_response(
        error_object(code, message, reason=reason),
        status=code,
        headers={"x-request-id": request_id},
    )


def error_events(message: str, *, reason: str) -> bytes:
    """The end of a stream that cannot go on: an error event, then the mark that nothing follows."""
    text = json.dumps(error_object(502, message, reason=reason))
    return f"data: {text}\n\ndata: [DONE]\n\n".encode()


def model_list(names: list[str], created_s: float) -> web.Response:
    """The answer to GET /v1/models."""
    data = [
        {"id": name, "object": "model", "created": int(created_s), "owned_by": "llmd-autoscaler"}
        for name in names
    ]
    return web.json_response({"object": "list", "data": data})
