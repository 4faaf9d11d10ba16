"""The one clock of a process: simulated seconds that run at a given rate beside the wall clock."""

import time
from dataclasses import dataclass

from llmd_autoscaler.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Clock:
    """Maps wall time to the time that the system lives in.

    `now_s = sim_s + (wall now - wall_s) * rate`. Rate 1 with `sim_s == wall_s` is real time. Every
    process of a run is given the same three numbers, so that all agree on "now" without a server.
    """

    wall_s: float = 0.0
    sim_s: float = 0.0
    rate: float = 1.0

    def now_s(self) -> float:
        """Simulated Unix seconds."""
        return self.at_wall_s(time.time())  # noqa: TID251 (the one place that reads the wall clock)

    def at_wall_s(self, wall_s: float) -> float:
        """The simulated time at a wall time."""
        return self.sim_s + (wall_s - self.wall_s) * self.rate

    def wall_until_s(self, sim_s: float) -> float:
        """Wall seconds from now until a simulated time; 0 where it has passed."""
        return max(0.0, (sim_s - self.now_s()) / self.rate)

    def flag(self) -> str:
        """The text that `--clock` takes."""
        return f"{self.wall_s!r},{self.sim_s!r},{self.rate!r}"

    @staticmethod
    def parse(text: str) -> "Clock":
        """The clock of `--clock WALL_UNIX_S,SIM_UNIX_S,RATE`; an empty text is real time.

        Raises: ConfigError: not three numbers, or a rate that is not positive.
        """
        if not text:
            return Clock()
        try:
            wall_s, sim_s, rate = (float(part) for part in text.split(","))
        except ValueError as error:
            raise ConfigError(
                f"--clock {text!r} is not WALL_UNIX_S,SIM_UNIX_S,RATE: write three numbers, such as 1764000000,0,10"
            ) from error
        if not rate > 0:
            raise ConfigError(f"--clock has rate {rate:g}: write a rate above 0")
        return Clock(wall_s=wall_s, sim_s=sim_s, rate=rate)

    @staticmethod
    def starting_at(sim_s: float, rate: float) -> "Clock":
        """A clock that shows `sim_s` at this moment and runs at `rate`."""
        return Clock(wall_s=time.time(), sim_s=sim_s, rate=rate)  # noqa: TID251
