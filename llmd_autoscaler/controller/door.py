"""What the parts of the controller ask of an API server: objects by kind and key, JSON in and out."""

from typing import Protocol

from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.translate.json_object import Json


class NoScaleError(ObservationError):
    """The API server knows no such kind, or the kind has no `/scale`."""


class Door(Protocol):
    """One API server. Every call may raise ObservationError: no answer, or a refusal."""

    async def get(self, kind: str, key: Key) -> Json | None:
        """One object; None where there is none."""
        ...

    async def create(self, kind: str, namespace: str, body: dict[str, object]) -> None:
        """A new object."""
        ...

    async def apply_status(self, kind: str, key: Key, status: dict[str, object]) -> bool:
        """A status as it should stand; False where the object is gone."""
        ...

    async def merge(self, kind: str, key: Key, patch: dict[str, object]) -> bool:
        """An object changed by a merge patch; False where it is gone."""
        ...

    async def scale_of(self, api_version: str, kind: str, key: Key) -> Json | None:
        """The `/scale` of an object of any kind; None where there is no such object.

        Raises: NoScaleError: the kind has none.
        """
        ...

    async def write_scale(self, api_version: str, kind: str, key: Key, replicas: int) -> bool:
        """Another number of replicas in the `/scale` of an object; False where it is gone.

        Raises: NoScaleError: the kind has none.
        """
        ...


class Leadership(Protocol):
    """Whether this process may write now."""

    @property
    def is_leader(self) -> bool:
        """Asked before every write: a lease may end in the middle of a tick."""
        ...


class Alone:
    """The leadership of a controller that nobody else stands beside."""

    is_leader = True
