"""Points measured on silicon, and the memory and flags of the engines that they are of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmd_autoscaler.core.variant import EngineProfile, FrontEnd, StepModel
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.points_file import read_points

_ROOT = Path(__file__).parent.parent
_POINTS = _ROOT / "models" / "catalog" / "points"
_BLANK = EngineProfile(
    StepModel(0.0, 0.0, 0.0, 0.0, 0.0), FrontEnd(), kv_tokens=1, max_num_seqs=512
)


@dataclass(frozen=True, slots=True)
class Silicon:
    """Points of one model on one accelerator."""

    name: str
    file: Path
    kv_tokens: int

    @property
    def engine(self) -> EngineProfile:
        """The engine without its times."""
        return replace(_BLANK, kv_tokens=self.kv_tokens)

    def points(self) -> Sequence[Point]:
        """The points, in the order in which they were measured."""
        return read_points([self.file])


H100_8B = Silicon("H100", _ROOT / "benchmarks" / "data" / "llama-3.1-8b-h100.jsonl.gz", 462_944)
H200_8B = Silicon("H200", _POINTS / "llama-3.1-8b-h200.jsonl.gz", 919_824)
PROFILED_8B = Silicon(
    "8B on H100, profiled", _POINTS / "llama-3.1-8b-h100-profiler.jsonl.gz", 462_944
)
PROFILED_70B = Silicon(
    "70B fp8 on H200, profiled", _POINTS / "llama-3.1-70b-fp8-h200-profiler.jsonl.gz", 191_440
)
