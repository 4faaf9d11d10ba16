"""The port that a command listens on."""

from llmd_autoscaler.local.ports import next_free_port


def listening_port(host: str, given: int | None, *, default: int) -> int:
    """The port that was asked for, or else the default or the next free one after it.

    A given port is not looked at: whoever listens there says what is wrong with it.

    Raises: ConfigError: no default port is free, or the host is no address of this machine.
    """
    return next_free_port(host, default) if given is None else given
