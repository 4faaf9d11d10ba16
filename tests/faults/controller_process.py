"""The controller as `llmd-autoscaler controller` runs it, but for two things that a test of faults needs.

Its decisions are valid for six ticks, so that one can run out while a test waits, and its clock is off by
what a file says at each look: a clock that somebody steps.
"""

import argparse
import asyncio
from pathlib import Path

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.process import run_controller
from llmd_autoscaler.core.world import Policy
from llmd_autoscaler.logs import configure_logging
from llmd_autoscaler.settings import Settings, TickSettings

PERIOD_S, VALID_S = 15.0, 90.0
TICK = TickSettings(period_s=PERIOD_S, valid_s=VALID_S, renew_at_s=VALID_S / 2)


class SteppedClock(Clock):
    """A clock with an error."""

    __slots__ = ()
    offset_file = Path()

    def now_s(self) -> float:
        """What it shows."""
        return Clock.now_s(self) + float(self.offset_file.read_text() or 0.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in ("--api", "--namespace", "--router", "--host", "--clock", "--offset-file"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    right = Clock.parse(given.clock)
    SteppedClock.offset_file = Path(given.offset_file)
    configure_logging(right.now_s)  # a log tells when things were, whatever the clock says
    asyncio.run(
        run_controller(
            api=given.api,
            host=given.host,
            port=given.port,
            namespace=given.namespace,
            clock=SteppedClock(right.wall_s, right.sim_s, right.rate),
            routers=(given.router,),
            settings=Settings(tick=TICK),
            policy=Policy(),
        )
    )


if __name__ == "__main__":
    main()
