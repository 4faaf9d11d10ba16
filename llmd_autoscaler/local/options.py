"""What a local run is told on its command line."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `local`."""

    trace: Path | None = None
    scenario: str | None = None  # one of simulator/scenarios, in place of a trace
    config: Path | None = None
    # Ten times as fast is what two cores carry of the default: 94 requests/s of 3 ms and their writes.
    speed: float = 10.0
    until_s: float | None = None
    # The default trace then needs up to ten of the default instances.
    rate_scale: float = 1.7
    seed: int = 1
    is_virtual: bool = False
    record: Path | None = None
    report: Path | None = None  # the live page as one file, when the run is over
    is_json: bool = False
