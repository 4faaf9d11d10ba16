"""The process of one simulated server: listens, drains on SIGTERM, dies with its parent."""

import asyncio
import contextlib
import math
import os
import signal

from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.vllm_server.app import SimulatedServer

PARENT_POLL_WALL_S = 1.0
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
        await _listen(runner, *address)
        # A group: if the ticker fails the process ends, where it would else listen and never answer.
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(server.run())
            if await _is_told_to_stop(parent):
                await server.drain(timeout_s)
            ticker.cancel()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror}): give another --port or --host"
        ) from error


async def _is_told_to_stop(parent: int) -> bool:
    """Wait for the end: true for a signal, false when the parent is gone and nobody waits for a drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARENT_POLL_WALL_S):
                await stop.wait()
                return True
    return False
