"""What every serving process does alike: take its port, and stop when it is told to."""

import asyncio
import contextlib
import os
import signal
import socket

from aiohttp import web

from llmd_autoscaler.errors import ConfigError

_BACKLOG = 128
_PARENT_CHECK_WALL_S = 1.0


async def listen(
    runner: web.AppRunner, host: str, port: int, *, who: str, backlog: int = _BACKLOG
) -> web.TCPSite:
    """Serve a runner's application on a port; the site is for who closes the door before the house.

    Raises: ConfigError: the port is taken, or the host is none of this machine.
    """
    site = web.TCPSite(runner, host, port, backlog=backlog)
    try:
        await site.start()
    except OSError as error:
        raise _cannot_listen(host, port, who, error) from error
    return site


def bound_socket(host: str, port: int, *, who: str, backlog: int = _BACKLOG) -> socket.socket:
    """A listening socket for who accepts connections itself; `::` takes IPv4 too.

    Raises: ConfigError: the port is taken, or the host is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server(
            (host, port), family=family, backlog=backlog, dualstack_ipv6=host == "::"
        )
    except OSError as error:
        raise _cannot_listen(host, port, who, error) from error
    bound.setblocking(False)
    return bound


def _cannot_listen(host: str, port: int, who: str, error: OSError) -> ConfigError:
    # a host that has no address is an error of the resolver, with a number of its own
    number = error.errno or 0
    why = os.strerror(number) if number > 0 else error.strerror
    return ConfigError(
        f"the {who} cannot listen on {host}:{port} ({why}): give another --port or --host"
    )


def stop_signal() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


async def told_to_stop(parent: int) -> bool:
    """Wait for the end of a child process: true for a signal, false when its parent is gone.

    A parent that was killed cannot tell its children to stop: they would run for ever.

    Args:
        parent: the process id of the parent, from before anything else was done.
    """
    stopped = stop_signal()
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PARENT_CHECK_WALL_S):
                await stopped.wait()
                return True
    return False
