"""The process of one simulated server: listens, drains on SIGTERM, dies with its parent."""

import asyncio
import math
import os

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.listening import listen, told_to_stop
from llmd_autoscaler.simulator.vllm_server.app import SimulatedServer

# After the drain, the last bytes of aborted streams leave within this; a client that does not read loses them.
FLUSH_WALL_S = 1.0
BACKLOG = 1024


def serve(
    *,
    profile: EngineProfile,
    model: str,
    host: str,
    port: int,
    clock: Clock,
    shutdown_timeout_s: float = 0.0,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; end at once when the parent process is gone.

    Args: shutdown_timeout_s: simulated seconds that open requests get to finish; 0 aborts them.
    Raises: ConfigError: the address cannot be listened on.
    """
    parent = os.getppid()
    _load_kernels(profile)
    server = SimulatedServer(profile, model=model, clock=clock)
    asyncio.run(_serve(server, address=(host, port), parent=parent, timeout_s=shutdown_timeout_s))


def _load_kernels(profile: EngineProfile) -> None:
    """Run the compiled engine once: loading takes 0.3 s, which on a fast clock would be a first client's latency."""
    engine = Engine(profile, now_s=0.0)
    served, aborted = (engine.submit(arrival_s=0.0, isl=1, osl=2) for _ in range(2))
    engine.abort(aborted, now_s=0.0)
    while engine.wake_s < math.inf:
        engine.advance(engine.wake_s)
    engine.stamps(served, 0, until_s=math.inf)


async def _serve(
    server: SimulatedServer, *, address: tuple[str, int], parent: int, timeout_s: float
) -> None:
    runner = web.AppRunner(
        server.app(),
        access_log=None,
        # A client that leaves must free its place in the batch.
        handler_cancellation=True,
        shutdown_timeout=FLUSH_WALL_S,
    )
    await runner.setup()
    try:
        host, port = address
        await listen(runner, host, port, who="server", backlog=BACKLOG)
        # A group: if the ticker fails the process ends, where it would else listen and never answer.
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(server.run())
            if await told_to_stop(parent):
                await server.drain(timeout_s)
            ticker.cancel()
    finally:
        await runner.cleanup()
