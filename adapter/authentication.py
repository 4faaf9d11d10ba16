"""Who a request is from: the front proxy's word, or a bearer token that the API server knows."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable

from adapter.front_proxy import FrontProxy, Subject
from adapter.identity import Caller, User
from adapter.refusal import RefusedError, UnansweredError, unauthorized
from adapter.reviewed import Reviewed
from adapter.telemetry import Telemetry

_MOST_TOKENS = 1024
# a flood of made-up tokens is never more than this many calls at a time, on connections of its own kind
_MOST_UNDER_WAY = 16
_LONGEST_TOKEN = 16 * 1024  # a service account's token has about 1 KiB

ReviewToken = Callable[[str], Awaitable[User | None]]


class Authenticator:
    """Tells callers apart, in the order of upstream: front proxy, then token; nobody is anonymous."""

    def __init__(self, review: ReviewToken, telemetry: Telemetry) -> None:
        self.front_proxy: FrontProxy | None = None  # until the cluster has said whom to believe
        self._review = review
        self._telemetry = telemetry
        self._tokens: Reviewed[bytes, User | None] = Reviewed(
            most_kept=_MOST_TOKENS, most_under_way=_MOST_UNDER_WAY
        )
        self._salt = secrets.token_bytes(
            32
        )  # tokens are kept as hashes that mean nothing elsewhere

    async def caller(self, subject: Subject | None, headers: Iterable[tuple[str, str]]) -> Caller:
        """Who sent a request.

        Args:
            subject: of the certificate that the TLS peer has shown and that was verified by the
                requestheader CA; None where it has shown none.
            headers: all of the request's.

        Raises:
            RefusedError: 401, it is from nobody that is known.
            UnansweredError: the API server does not say whose a token is.
        """
        written = tuple(headers)
        if (user := self._forwarded(subject, written)) is not None:
            self._telemetry.authenticated("front_proxy", "known")
            return Caller(user, is_forwarded=True)
        try:
            user = await self._user_of_token(_token(written))
        except RefusedError:
            self._telemetry.authenticated("none", "refused")
            raise
        except UnansweredError:
            self._telemetry.authenticated("token", "unanswered")
            raise
        if user is None:
            self._telemetry.authenticated("token", "refused")
            raise unauthorized("the API server does not know this bearer token: get a new one")
        self._telemetry.authenticated("token", "known")
        return Caller(user, is_forwarded=False)

    def _forwarded(
        self, subject: Subject | None, headers: Iterable[tuple[str, str]]
    ) -> User | None:
        if subject is None or self.front_proxy is None or not self.front_proxy.is_allowed(subject):
            return None
        return self.front_proxy.user(headers)

    async def _user_of_token(self, token: str) -> User | None:
        digest = hashlib.blake2b(token.encode(), key=self._salt).digest()
        return await self._tokens.answer(digest, lambda: self._review(token))


def _token(headers: Iterable[tuple[str, str]]) -> str:
    written = [value for key, value in headers if key.lower() == "authorization"]
    scheme, _, token = (written[0] if len(written) == 1 else "").partition(" ")
    token = token.strip()
    is_one = token.isascii() and token.isprintable() and " " not in token
    if scheme.lower() != "bearer" or not token or not is_one or len(token) > _LONGEST_TOKEN:
        raise unauthorized(
            "who are you? ask through the API server (kubectl get --raw), or send a service account's token"
            " as Authorization: Bearer"
        )
    return token
