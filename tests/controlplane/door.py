"""One port before several servers, as a Service is: it passes bytes on, so TLS and client certificates stay whole."""

import argparse
import asyncio
import contextlib
import random
from collections.abc import Sequence

HOST = "127.0.0.1"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while written := await reader.read(65536):
            writer.write(written)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def _first_open(
    ports: Sequence[int],
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """A connection to one of the servers, chosen by chance; another where that one is dead."""
    for port in random.sample(ports, len(ports)):
        with contextlib.suppress(OSError):
            return await asyncio.open_connection(HOST, port)
    return None


async def serve(port: int, behind: Sequence[int]) -> None:
    """Until cancelled; while nobody is behind the door, it closes at once, as a dead server would."""

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = await _first_open(behind)
        if inner is None:
            writer.close()
            return
        await asyncio.gather(_pipe(reader, inner[1]), _pipe(inner[0], writer))

    server = await asyncio.start_server(passed, HOST, port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="one port before several servers on loopback")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behind", type=int, required=True, action="append")
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.behind))


if __name__ == "__main__":
    main()
