"""What a command line says of the variant that is profiled: what no server tells of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """The flags; None and "" where they were not given."""

    name: str
    like: str = ""  # a profile to take from what no flag says
    model: str = ""
    accelerator: str = ""
    accelerator_count: int | None = None
    engine_version: str = ""
    kv_tokens: int | None = None
    max_num_batched_tokens: int | None = None
    max_num_seqs: int | None = None
    api_servers: int | None = None
    precision: str = ""
    weights: str | None = None
    startup_s: float | None = None
