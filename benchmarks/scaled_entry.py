"""The entries of the catalogue that nobody measured: `llmd-autoscaler scale` makes them of one that was."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.catalog_entry import CATALOG, MADE_ON, MEASURED
from llmd_autoscaler.profiling.scaled_profile import (
    Wanted,
    profile_text,
    read_source,
    wanted_setup,
)


@dataclass(frozen=True, slots=True)
class ScaledEntry:
    """A prediction of the 8B on one accelerator of another maker."""

    name: str
    accelerator: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return CATALOG / f"{self.name}.yaml"

    def text(self) -> str:
        """What the file says: what the command writes, on the day of the catalogue."""
        source = read_source(MEASURED)
        setup = wanted_setup(source.setup, Wanted(accelerator=self.accelerator))
        return profile_text(source, setup, self.path.name, at=f"{MADE_ON}T00:00:00Z")


SCALED = (
    ScaledEntry("llama-3.1-8b-mi300x", "MI300X-192GB"),
    ScaledEntry("llama-3.1-8b-tpu-v6e", "TPU-v6e"),
    ScaledEntry("llama-3.1-8b-gaudi3", "Gaudi3-128GB"),
)
