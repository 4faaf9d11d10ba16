"""The entries of the catalogue that `llmd-autoscaler fit` makes of points which stand beside them."""

from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.catalog_entry import CATALOG, COMMAND, MADE_ON, SEED
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.fit import Fit, fit
from llmd_autoscaler.profiling.given import Given
from llmd_autoscaler.profiling.points_file import read_points
from llmd_autoscaler.profiling.resource import Origin, profile_text
from llmd_autoscaler.profiling.variant import Variant, resolved

POINTS = CATALOG / "points"


@dataclass(frozen=True, slots=True)
class ProfiledEntry:
    """A profile of one file of points."""

    given: Given
    points: Path
    startup_p90_s: float
    by: str

    @property
    def name(self) -> str:
        """The profile's."""
        return self.given.name

    @property
    def path(self) -> Path:
        """Where the file is."""
        return CATALOG / f"{self.name}.yaml"

    @property
    def engine(self) -> EngineProfile:
        """The engine's memory and flags; its times are what is fitted."""
        return resolved(self.given)[1]

    @property
    def variant(self) -> Variant:
        """What was measured, in words."""
        return replace(resolved(self.given)[0], startup_p90_s=self.startup_p90_s)

    def fitted(self) -> Fit:
        """The fit to all points."""
        return fit(read_points([self.points]), self.engine, seed=SEED)

    def text(self) -> str:
        """What the file says."""
        origin = Origin(
            by=self.by,
            at=f"{MADE_ON}T00:00:00Z",
            command=COMMAND,
            points_file=f"models/catalog/points/{self.points.name}",
        )
        return profile_text(self.fitted(), self.variant, origin)


# Start-up is the cold start with dummy weights, compilation included, as it was seen: 91 and 105 s, and once 173 s.
PROFILED = (
    ProfiledEntry(
        given=Given(
            name="llama-3.1-8b-h200",
            model="meta-llama/Llama-3.1-8B-Instruct",
            accelerator="H200-141GB",
            accelerator_count=1,
            engine_version="0.26.0",
            kv_tokens=919_824,
            precision="bf16",
            weights="dummy",
            startup_s=91.0,
        ),
        points=POINTS / "llama-3.1-8b-h200.jsonl.gz",
        startup_p90_s=105.0,
        by="closed-loop grids on one H200 141 GB",
    ),
    ProfiledEntry(
        given=Given(
            name="llama-3.1-70b-fp8-h200",
            model="meta-llama/Llama-3.1-70B-Instruct",
            accelerator="H200-141GB",
            accelerator_count=1,
            engine_version="0.26.0",
            kv_tokens=191_440,
            precision="fp8",
            weights="dummy",
            startup_s=173.0,
        ),
        points=POINTS / "llama-3.1-70b-fp8-h200-profiler.jsonl.gz",
        startup_p90_s=260.0,
        by="llmd-autoscaler profile --budget 23m on one H200 141 GB",
    ),
)
