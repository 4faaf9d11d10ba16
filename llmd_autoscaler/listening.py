"""What every serving process does alike: take its port, and stop when it is told to."""

import asyncio
import os
import signal

from aiohttp import web

from llmd_autoscaler.errors import ConfigError


async def listen(runner: web.AppRunner, host: str, port: int, *, who: str) -> None:
    """Serve a runner's application on a port.

    Raises: ConfigError: the port is taken, or the host is none of this machine.
    """
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        # a host that has no address is an error of the resolver, with a number of its own
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror
        raise ConfigError(
            f"the {who} cannot listen on {host}:{port} ({why}): give another --port or --host"
        ) from error


def stop_signal() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped
