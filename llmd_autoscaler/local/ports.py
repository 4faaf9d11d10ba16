"""Ports on this machine that nobody listens on."""

import errno
import socket
from collections.abc import Container

from llmd_autoscaler.errors import ConfigError

_N_TRIED = 100


def next_free_port(host: str, first: int, *, taken: Container[int] = ()) -> int:
    """The first free port from `first` on; another process may still take it before it is used.

    Args:
        host: the address to listen on.
        first: where to begin.
        taken: ports that are promised to somebody already.

    Raises: ConfigError: none of a hundred is free, or the host is no address of this machine.
    """
    for port in range(first, min(first + _N_TRIED, 65536)):
        if port not in taken and _is_free(host, port):
            return port
    raise ConfigError(f"no port from {first} to {first + _N_TRIED - 1} is free on {host}: give one")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        # as servers do it: the connections of an ended one, in TIME_WAIT, hold no port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise ConfigError(
                f"cannot listen on {host} ({error.strerror}): give another --host"
            ) from error
    return True
