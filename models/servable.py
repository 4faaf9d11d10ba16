"""The one rule of when a published value may be served; the adapter and virtual time both ask it."""


def servable(*, epoch: int, newest_epoch: int, valid_until_s: float, now_s: float) -> bool:
    """Whether a status may still be acted on: made by the newest leader seen, and not past its time.

    An older leader may still write after it lost its lease, and a controller that hangs leaves its
    last value behind: both would move a fleet by numbers that nobody stands for any more.

    Args:
        epoch: of the status's decisionID.
        newest_epoch: the highest that was ever seen for this object.
        valid_until_s: the status's validUntil, in Unix seconds.
        now_s: of the process's clock.

    Returns: False too where a time is NaN, since no comparison with it holds.
    """
    return epoch >= newest_epoch and now_s <= valid_until_s
