"""Who asks: an identity as Kubernetes describes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
_UNAUTHENTICATED = "system:unauthenticated"


@dataclass(frozen=True, slots=True)
class User:
    """A user with everything that an authorizer may look at; equal where all of it is equal."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        uid: str = "",
        groups: Iterable[str] = (),
        extra: Mapping[str, Iterable[str]] | None = None,
    ) -> Self:
        """The user of somebody else's description, with the group that every known user is in.

        The aggregator names users without it (`system:kube-aggregator` has no group at all), and
        stock roles such as system:discovery are bound to it.
        """
        listed = tuple(groups)
        is_told = AUTHENTICATED in listed or _UNAUTHENTICATED in listed
        return cls(
            name=name,
            uid=uid,
            groups=listed if is_told else (*listed, AUTHENTICATED),
            extra=tuple(sorted((key, tuple(values)) for key, values in (extra or {}).items())),
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, and who vouches for it."""

    user: User
    # by an API server's front proxy, which has authorised this very request before it passed it on
    is_forwarded: bool
