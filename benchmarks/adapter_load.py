"""An open load of GETs over TLS: each is due at its own time, whether those before it are answered or not."""

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# as many idle connections as an API server keeps to one host
N_CONNECTIONS = 25


@dataclass(slots=True)
class Outcome:
    """What a load saw."""

    latency_s: list[float] = field(default_factory=list)  # from when a request was due
    codes: dict[int, int] = field(default_factory=dict)
    wall_s: float = 0.0

    def percentile_s(self, q: float) -> float:
        """A latency that a share q of the requests kept."""
        ordered = sorted(self.latency_s)
        return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


class Connections:
    """Connections that are lent to one request at a time."""

    def __init__(self, context: ssl.SSLContext, host: str, port: int) -> None:
        self._context = context
        self._host, self._port = host, port
        self._idle: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.LifoQueue()
        )

    async def open(self, n: int) -> None:
        """Shake hands n times."""
        for _ in range(n):
            opened = await asyncio.open_connection(self._host, self._port, ssl=self._context)
            self._idle.put_nowait(opened)

    async def get(self, written: bytes) -> tuple[int, bytes]:
        """Code and body of the answer to a request."""
        reader, writer = await self._idle.get()
        writer.write(written)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        self._idle.put_nowait((reader, writer))
        return int(head.split(b" ", 2)[1]), body

    async def close(self) -> None:
        """Hang up."""
        while not self._idle.empty():
            _, writer = self._idle.get_nowait()
            writer.close()


async def load(
    connections: Connections,
    requests: Sequence[bytes],
    *,
    rate_qps: float,
    seed: int,
    say: Callable[[str], None],
) -> Outcome:
    """Send requests at random times of a given mean rate; the HPAs of a cluster are no metronome."""
    outcome, rng, loop = Outcome(), random.Random(seed), asyncio.get_running_loop()

    async def one(written: bytes, due_s: float) -> None:
        code, _ = await connections.get(written)
        outcome.latency_s.append(loop.time() - due_s)
        outcome.codes[code] = outcome.codes.get(code, 0) + 1

    began_s, due_s = time.perf_counter(), loop.time()
    async with asyncio.TaskGroup() as group:
        for written in requests:
            due_s += rng.expovariate(rate_qps)
            if (wait_s := due_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            group.create_task(one(written, due_s))
    outcome.wall_s = time.perf_counter() - began_s
    say(f"{len(requests)} requests in {outcome.wall_s:.1f} s: {outcome.codes}")
    return outcome
