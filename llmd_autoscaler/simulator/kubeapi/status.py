"""The failures that the API server answers, as Kubernetes words them."""

from llmd_autoscaler.errors import AutoscalerError
from llmd_autoscaler.simulator.kubeapi.objects import Json


class ApiError(AutoscalerError):
    """An answer other than success; becomes a Status object at the HTTP face."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    def status(self) -> Json:
        """The Status object of this failure."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def not_found(resource: str, name: str) -> ApiError:
    """404: there is no such object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found')


def no_such_path() -> ApiError:
    """404: nothing is served here."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> ApiError:
    """405: the path exists, the verb does not."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def already_exists(resource: str, name: str) -> ApiError:
    """409: a create found the name taken."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists')


def conflict(resource: str, name: str, why: str) -> ApiError:
    """409: the object has moved on, or a field has another owner."""
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": {why}')


def expired(revision: int, oldest: int) -> ApiError:
    """410: the log no longer reaches back to where a watch wants to start."""
    return ApiError(410, "Expired", f"too old resource version: {revision} ({oldest})")


def unsupported_media_type(found: str, accepted: str) -> ApiError:
    """415: a body in a format that this server does not read."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - {found} - accepted media types include: {accepted}",
    )


def invalid(kind: str, name: str, why: str) -> ApiError:
    """422: understood, and refused."""
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {why}')
