"""The clients of a load: closed loops and Poisson arrivals over one server, and all that they saw."""

import asyncio
import json
from dataclasses import dataclass, field

import aiohttp
import numpy as np

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.profiling.point import Load, Shape
from llmd_autoscaler.profiling.stream import RefusedError, Stream, error_message

_OK = 200
# Below are control tokens in many vocabularies.
_FIRST_TOKEN = 300
# After a failure: a server that refuses everything must not be asked a thousand times a second.
_PAUSE_WALL_S = 0.2
# An error that says more than this says it to nobody.
_ERROR_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer."""

    sent_s: float
    at_s: tuple[float, ...]  # of its tokens
    is_whole: bool  # of the load's own length: the first of a closed loop is cut at random


@dataclass(slots=True)
class Seen:
    """What all clients of a load saw so far."""

    answers: list[Answer] = field(default_factory=list)
    first_s: list[tuple[float, float]] = field(default_factory=list)  # (at, TTFT)
    streams: list[Stream] = field(default_factory=list)  # of all requests, open ones too
    n_begun: int = 0
    errors: list[str] = field(default_factory=list)


class Clients:
    """Sends a load's requests; prompts are token ids that no request before them had, so that nothing is found cached."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        model: str,
        *,
        clock: Clock,
        vocabulary: int,
        seed: int,
    ) -> None:
        self._http, self._clock = http, clock
        self._url = f"{url}/v1/completions"
        self._head = json.dumps(
            {
                "model": model,
                "stream": True,
                "temperature": 0,
                "ignore_eos": True,
                # every event then says how many tokens there are, for one may bring several
                "stream_options": {"include_usage": True, "continuous_usage_stats": True},
            }
        )[:-1]
        self._vocabulary = vocabulary
        # Never the same prompts again, also by the same seed: a server that was asked before has them cached.
        self._rng = np.random.default_rng([seed, int(1e3 * clock.now_s())])

    async def run(self, load: Load, seen: Seen) -> None:
        """Keep a load up until cancelled."""
        prefixes = self._prefixes(load)
        if load.concurrency is not None:
            async with asyncio.TaskGroup() as group:
                for _ in range(load.concurrency):
                    group.create_task(self._loop(load, prefixes, seen))
        else:
            await self._arrivals(load, prefixes, seen)

    async def warm_prefixes(self, load: Load, seen: Seen) -> None:
        """Ask once with each shared beginning, so that the window finds them cached."""
        for prefix in self._prefixes(load):
            await self._ask(Shape(len(prefix) + 1, 1), 1, prefix, seen)

    async def _loop(self, load: Load, prefixes: list[list[int]], seen: Seen) -> None:
        is_first = load.concurrency != 1
        while True:
            shape = self._draw(load)
            # a first answer of random length, or all clients would run in step
            osl = int(self._rng.integers(1, shape.osl + 1)) if is_first else shape.osl
            is_first = False
            if not await self._ask(shape, osl, self._prefix(prefixes), seen):
                await asyncio.sleep(_PAUSE_WALL_S)

    async def _arrivals(self, load: Load, prefixes: list[list[int]], seen: Seen) -> None:
        next_s = self._clock.now_s()
        async with asyncio.TaskGroup() as group:
            while True:
                next_s += float(self._rng.exponential(1.0 / (load.rate_qps or 1.0)))
                await asyncio.sleep(self._clock.wall_until_s(next_s))
                shape = self._draw(load)
                group.create_task(self._ask(shape, shape.osl, self._prefix(prefixes), seen))

    async def _ask(self, shape: Shape, osl: int, prefix: list[int], seen: Seen) -> bool:
        body = self._body(shape, osl, prefix)  # before the clock starts
        stream = Stream()
        sent_s = self._clock.now_s()
        try:
            async with self._http.post(
                self._url, data=body, headers={"Content-Type": "application/json"}
            ) as response:
                await _check(response)
                await self._read(response, stream, sent_s, seen)
        except RefusedError as error:
            seen.errors.append(str(error))
            return False
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            seen.errors.append(f"connection lost ({type(error).__name__})")
            return False
        seen.answers.append(Answer(sent_s, tuple(stream.at_s), osl == shape.osl))
        return True

    async def _read(
        self, response: aiohttp.ClientResponse, stream: Stream, sent_s: float, seen: Seen
    ) -> None:
        seen.streams.append(stream)
        async for block in response.content.iter_any():
            is_new = not stream.at_s
            stream.take(block, self._clock.now_s())
            if is_new and stream.at_s:
                seen.n_begun += 1
                seen.first_s.append((stream.at_s[0], stream.at_s[0] - sent_s))
        if not stream.is_done or not stream.at_s:
            raise RefusedError("the answer was cut" if stream.at_s else "an answer without a token")

    def _body(self, shape: Shape, osl: int, prefix: list[int]) -> bytes:
        head = prefix[: shape.isl - 1]
        own = self._tokens(shape.isl - len(head))
        prompt = json.dumps(head + own, separators=(",", ":"))
        return (
            f'{self._head}, "max_tokens": {osl}, "min_tokens": {osl}, "prompt": {prompt}}}'.encode()
        )

    def _prefixes(self, load: Load) -> list[list[int]]:
        """The shared beginnings of a load, the same every time they are asked for."""
        if not load.prefix_frac:
            return []
        longest = max(shape.isl for shape in load.shapes)
        rng = np.random.default_rng([longest, load.n_prefixes])
        n = int(load.prefix_frac * longest)
        return [
            rng.integers(_FIRST_TOKEN, self._vocabulary, n).tolist() for _ in range(load.n_prefixes)
        ]

    def _prefix(self, prefixes: list[list[int]]) -> list[int]:
        return prefixes[int(self._rng.integers(len(prefixes)))] if prefixes else []

    def _draw(self, load: Load) -> Shape:
        if len(load.shapes) == 1:
            return load.shapes[0]
        weights = np.array([shape.weight for shape in load.shapes])
        return load.shapes[int(self._rng.choice(len(weights), p=weights / weights.sum()))]

    def _tokens(self, n: int) -> list[int]:
        return self._rng.integers(_FIRST_TOKEN, self._vocabulary, n).tolist()  # type: ignore[no-any-return]


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status != _OK:
        said = error_message(await response.content.read(_ERROR_BYTES))
        raise RefusedError(f"HTTP {response.status}: {said}")
