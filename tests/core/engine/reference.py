"""The engine as a plain loop over steps: what the compiled one, which jumps over equal steps, is measured against.

Nothing is shared with the kernel but the text of capacity.md section 1: lists and a loop, one step at a
time, a backlog that is brought up to date at every event.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmd_autoscaler.core.variant import EngineProfile


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrives."""

    arrival_s: float
    isl: int
    osl: int
    hit_tokens: int = 0


@dataclass(slots=True)
class _Request:
    asked: Asked
    queued_s: float
    n_computed: int
    n_answered: int = 0
    stamps_s: list[float] = field(default_factory=list)

    @property
    def kv_tokens(self) -> int:
        return self.asked.isl + self.asked.osl

    @property
    def is_done(self) -> bool:
        return self.n_answered == self.asked.osl


@dataclass(slots=True)
class _ApiServer:
    """A tank of work that drains at one second a second."""

    backlog_s: float = 0.0
    at_s: float = 0.0

    def wait_s(self, at_s: float) -> float:
        self.backlog_s = max(0.0, self.backlog_s - (at_s - self.at_s))
        self.at_s = at_s
        return self.backlog_s

    def add(self, work_s: float) -> None:
        self.backlog_s += work_s


class StepByStep:
    """One instance, one step after another."""

    def __init__(self, profile: EngineProfile) -> None:
        self._profile = profile
        self._api = _ApiServer()
        self._queue: deque[_Request] = deque()
        self._prefilling: list[_Request] = []
        self._decoding: list[_Request] = []
        self._step_from_s = math.nan
        self._boundary_s = math.inf
        self._is_stepping = False
        self._fills: list[_Request] = []
        self._last_queued_s = 0.0

    def stamps_s(self, asked: Sequence[Asked]) -> list[list[float]]:
        """When each token of each request reaches its client; requests come in order of arrival."""
        requests: list[_Request] = []
        upcoming = deque(asked)
        while upcoming or self._boundary_s < math.inf:
            if upcoming and upcoming[0].arrival_s < self._boundary_s:
                requests.append(self._arrive(upcoming.popleft()))
            else:
                self._finish_step()
                self._begin_step()
        return [request.stamps_s for request in requests]

    def _arrive(self, asked: Asked) -> _Request:
        front = self._profile.front_end
        queued_s = (
            asked.arrival_s
            + self._api.wait_s(asked.arrival_s)
            + front.per_request_s
            + front.per_prompt_token_s * asked.isl
        )
        self._last_queued_s = max(self._last_queued_s, queued_s)
        self._api.add(front.api_server_per_request_s / self._profile.n_api_servers)
        request = _Request(asked, self._last_queued_s, min(asked.hit_tokens, asked.isl - 1))
        self._queue.append(request)
        if self._boundary_s == math.inf:
            self._boundary_s = self._last_queued_s
        return request

    def _finish_step(self) -> None:
        if not self._is_stepping:
            self._step_from_s = self._boundary_s
            return
        wait_s = self._api.wait_s(self._boundary_s)
        answered = self._decoding + [r for r in self._fills if r.n_computed == r.asked.isl]
        for request in answered:
            request.n_answered += 1
            request.stamps_s.append(self._boundary_s + wait_s)
        per_token_s = self._profile.front_end.api_server_per_token_s
        self._api.add(len(answered) * per_token_s / self._profile.n_api_servers)
        self._prefilling = [r for r in self._prefilling if r.n_answered == 0]
        self._decoding = [r for r in answered if not r.is_done]

    def _begin_step(self) -> None:
        at_s, step = self._boundary_s, self._profile.step
        # What was scheduled ahead did not know of what arrived while the last step ran.
        is_busy = bool(self._decoding or self._prefilling)
        seen_until_s = self._step_from_s if is_busy else at_s
        budget = self._profile.max_num_batched_tokens - len(self._decoding)
        n_prefill, attention, self._fills = 0, 0.0, []
        for request in [*self._prefilling, *self._queue]:
            if budget <= 0 or (
                request not in self._prefilling and not self._admits(request, seen_until_s)
            ):
                break
            if request not in self._prefilling:
                self._prefilling.append(self._queue.popleft())
            chunk = min(request.asked.isl - request.n_computed, budget)
            attention += chunk * (request.n_computed + chunk / 2)
            request.n_computed += chunk
            budget -= chunk
            n_prefill += chunk
            self._fills.append(request)
        self._is_stepping = bool(self._decoding or n_prefill)
        if not self._is_stepping:
            self._boundary_s = max(at_s, self._queue[0].queued_s) if self._queue else math.inf
            return
        context = sum(r.asked.isl + r.n_answered for r in self._decoding)
        self._step_from_s = at_s
        step_s = (
            step.base_s
            + step.per_decode_s * len(self._decoding)
            + step.per_context_token_s * context
            + step.per_prefill_token_s * n_prefill
            + step.per_attention_token_sq_s * attention
        )
        is_prompts_alone = n_prefill > 0 and not self._decoding
        self._boundary_s = at_s + (
            max(step_s, step.least_prefill_s) if is_prompts_alone else step_s
        )

    def _admits(self, request: _Request, seen_until_s: float) -> bool:
        running = self._decoding + self._prefilling
        return (
            request.queued_s <= seen_until_s
            and len(running) < self._profile.max_num_seqs
            and sum(r.kv_tokens for r in running) + request.kv_tokens <= self._profile.kv_tokens
        )
