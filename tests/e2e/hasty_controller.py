"""The controller as `llmd-autoscaler controller` runs it, but in a hurry, so that a test can wait for what time brings.

A tick a second, decisions that end after ten, a lease that is free after six; and a clock that is off by what a file says.
"""

import argparse
import asyncio
from pathlib import Path

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller import process
from llmd_autoscaler.controller.door import Door
from llmd_autoscaler.controller.election import Candidate, Election, LeaseTiming
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.logs import configure_logging
from llmd_autoscaler.settings import Settings, TickSettings
from tests.faults.controller_process import SteppedClock

VALID_S = 10.0
# Renewed at every second tick: whatever stops a controller meets one that is about to write.
TICK = TickSettings(period_s=1.0, valid_s=VALID_S, renew_at_s=VALID_S - 1.5)
TIMING = LeaseTiming(lease_s=6.0, renew_within_s=4.0, retry_s=0.5)


class HastyElection(Election):
    """An election with a short lease."""

    def __init__(self, door: Door, candidate: Candidate, **options) -> None:
        super().__init__(door, candidate, timing=TIMING, **options)


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in ("--namespace", "--identity", "--lease", "--offset-file"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    namespace, _, name = given.lease.partition("/")
    SteppedClock.offset_file = Path(given.offset_file)
    configure_logging(Clock().now_s)  # a log tells when things were, whatever the clock says
    process.Election = HastyElection
    asyncio.run(
        process.run_controller(
            api="",
            host="127.0.0.1",
            port=given.port,
            namespace=given.namespace,
            clock=SteppedClock(),
            routers=(),
            settings=Settings(tick=TICK),
            policy=Policy(),
            candidate=Candidate(given.identity, (namespace, name)),
        )
    )


if __name__ == "__main__":
    main()
