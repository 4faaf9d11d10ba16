"""Whether a user may ask for something: what the API server says, remembered for ten seconds.

How this squares with "never an upstream call while the HPA waits". Upstream asks the API server in
the request, for up to 10 s with retries. Here three things keep the HPA from waiting:

- A forwarded request was authorised by the API server before it was passed on, for the very path
  that arrives here. As a second look it is enough that its user may read *all* of the group, which
  the HPA controller may by a stock role: one question a user, not one an object.
- That answer is asked for again before it ends, as long as its user comes back.
- Whoever has to wait all the same (a first request, a user with narrower rights, a bearer token) waits
  a second at most, and without an answer nothing is served.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from adapter.identity import MASTERS, Caller, User
from adapter.refusal import UnansweredError, forbidden
from adapter.reviewed import KEPT_S, Reviewed
from adapter.telemetry import Telemetry

ALL = "*"

_MOST_ANSWERS = 8192  # 5,000 objects that a user without a wide grant reads one by one, and room
_MOST_GRANTS = 256
_MOST_UNDER_WAY = 64
_RENEWED_AT_S = KEPT_S / 2
_FORGOTTEN_AFTER_S = 60.0  # four syncs of an HPA
_LOOK_S = 1.0


class Attributes(NamedTuple):
    """What somebody wants to do, in the words of a SubjectAccessReview: a path, or a resource."""

    path: str = ""
    verb: str = "get"
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""

    def whole_group(self) -> "Attributes":
        """The same verb on everything of the group, in all namespaces."""
        part = ALL if self.subresource else ""
        return Attributes("", self.verb, self.group, ALL, "", ALL, part, "")

    def text(self) -> str:
        """The wish as a clause."""
        if self.path:
            return f"get {self.path}"
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {what}.{self.group} in namespace {self.namespace}"


Question = tuple[User, Attributes]
ReviewAccess = Callable[[User, Attributes], Awaitable[bool]]


class Authorizer:
    """Asks the API server on behalf of others, and remembers what it said."""

    def __init__(self, review: ReviewAccess, telemetry: Telemetry) -> None:
        self._review = review
        self._telemetry = telemetry
        self._answers: Reviewed[Question, bool] = Reviewed(
            most_kept=_MOST_ANSWERS, most_under_way=_MOST_UNDER_WAY
        )
        self._grants: Reviewed[Question, bool] = Reviewed(
            most_kept=_MOST_GRANTS, most_under_way=_MOST_UNDER_WAY
        )

    async def check(self, caller: Caller, wanted: Attributes) -> None:
        """Nothing where it is allowed.

        Raises:
            RefusedError: 403, it is not.
            UnansweredError: the API server does not say.
        """
        try:
            is_allowed = await self._is_allowed(caller, wanted)
        except UnansweredError:
            self._telemetry.authorized("unanswered")
            raise
        self._telemetry.authorized("allowed" if is_allowed else "denied")
        if not is_allowed:
            raise forbidden(f'user "{caller.user.name}" may not {wanted.text()}')

    async def run(self) -> None:
        """Renews the grants in use before they end, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = time.monotonic()
            due = self._grants.in_use(
                asked_before_s=now_s - _RENEWED_AT_S, used_after_s=now_s - _FORGOTTEN_AFTER_S
            )
            for question in due:
                self._grants.renew(question, self._asking(question))

    async def _is_allowed(self, caller: Caller, wanted: Attributes) -> bool:
        user = caller.user
        if MASTERS in user.groups:
            return True  # as upstream: they own the cluster
        if caller.is_forwarded and wanted.group:
            grant = user, wanted.whole_group()
            if await self._grants.answer(grant, self._asking(grant)):
                return True
        question = user, wanted
        return await self._answers.answer(question, self._asking(question))

    def _asking(self, question: Question) -> Callable[[], Awaitable[bool]]:
        return lambda: self._review(*question)
