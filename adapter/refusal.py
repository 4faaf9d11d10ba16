"""Why a request is not answered, as the Status that says so."""

from llmd_autoscaler.errors import AutoscalerError, ObservationError


class UnansweredError(ObservationError):
    """The API server did not say in time whether somebody may ask; so nobody may."""


class RefusedError(AutoscalerError):
    """An answer other than 200; the text is shown to whoever asked, often within an HPA's condition."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


def bad_request(message: str) -> RefusedError:
    """400."""
    return RefusedError(400, "BadRequest", message)


def unauthorized(message: str) -> RefusedError:
    """401."""
    return RefusedError(401, "Unauthorized", message)


def forbidden(message: str) -> RefusedError:
    """403."""
    return RefusedError(403, "Forbidden", message)


def method_not_allowed(method: str) -> RefusedError:
    """405."""
    return RefusedError(405, "MethodNotAllowed", f"{method} is not supported here: only GET is")


def too_many(n_under_way: int) -> RefusedError:
    """429, without a Retry-After: a client that sleeps on one blocks a worker of the HPA controller."""
    message = f"the adapter answers {n_under_way} requests already: ask again at the next sync"
    return RefusedError(429, "TooManyRequests", message)


def failed() -> RefusedError:
    """500; what went wrong is for the log."""
    return RefusedError(500, "InternalError", "the adapter failed: its log says why")


def unanswered(error: UnansweredError) -> RefusedError:
    """503, without a Retry-After too."""
    return RefusedError(503, "ServiceUnavailable", str(error))
