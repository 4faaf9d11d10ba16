"""CapacityProfile: what one instance of a variant was measured, or predicted, to do."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from models.condition import Condition
from models.count import Count, PositiveCount
from models.decimal_text import AmountText
from models.duration import Duration, write_duration
from models.name import Text
from models.resource import Resource
from models.timestamp import Timestamp
from models.wire import WireModel


class Trust(StrEnum):
    """Where the numbers of a profile come from."""

    MEASURED = "measured"
    PREDICTED = "predicted"


class EngineSpec(WireModel):
    """The model server that was measured, and its flags that matter for capacity."""

    name: Text = Field(description="Model server, such as vllm.")
    version: Text = Field(description="Its version.")
    flags: tuple[Text, ...] = Field(default=(), description="Flags that it was started with.")
    max_num_batched_tokens: PositiveCount = Field(
        default=8192, description="Most tokens of one engine step."
    )
    max_num_seqs: PositiveCount = Field(default=256, description="Most requests that run at once.")
    api_servers: PositiveCount = Field(
        default=1, description="API server processes in front of the engine."
    )


class Provenance(WireModel):
    """Who obtained the numbers, when and how."""

    by: Text = Field(description="Who or what made the profile.")
    at_s: Timestamp = Field(alias="at", description="When.")
    command: str | None = Field(default=None, description="The command that gives it again.")
    weights: str | None = Field(
        default=None, description="real, or dummy where the weights were random."
    )
    source: str | None = Field(
        default=None, description="The data that it was fitted to, and its licence."
    )


class StepSpec(WireModel):
    """Time of one engine step: t = a + b·d + c·p + k·C + e·W, all 0 or more; of prompts alone at least leastPrefillMs.

    d decode sequences whose contexts sum to C tokens, p prompt tokens with attention work W token².
    """

    base_ms: AmountText = Field(description="a: milliseconds of any step.")
    per_decode_ms: AmountText = Field(description="b: milliseconds a decode sequence.")
    per_prefill_token_ms: AmountText = Field(description="c: milliseconds a prompt token.")
    per_context_k_token_ms: AmountText = Field(
        alias="perContextKTokenMs",
        description="k: milliseconds a thousand tokens of decode context.",
    )
    per_attention_m_token_sq_ms: AmountText = Field(
        alias="perAttentionMTokenSqMs",
        description="e: milliseconds a million token² of prefill attention.",
    )
    least_prefill_ms: AmountText = Field(
        default=0.0,
        description="Milliseconds that a step of prompts alone takes at least: the start of its kernels.",
    )

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.base_ms == 0 and self.per_decode_ms == 0:
            raise ValueError(
                "a decode step would take no time; write baseMs or perDecodeMs above 0"
            )
        return self


class StepError(WireModel):
    """How far the step model is from the points it was checked on."""

    median_frac: AmountText = Field(description="Median relative error.")
    p95_frac: AmountText = Field(description="95th percentile of the relative error.")


class FrontEndSpec(WireModel):
    """What a request pays outside the engine."""

    per_request_ms: AmountText = Field(default=0.0, description="Latency that each request adds.")
    per_prompt_k_token_ms: AmountText = Field(
        default=0.0,
        alias="perPromptKTokenMs",
        description="Latency a thousand prompt tokens (tokenising).",
    )
    api_server_per_request_ms: AmountText = Field(
        default=0.0, description="API server time a request."
    )
    api_server_per_token_ms: AmountText = Field(
        default=0.0, description="API server time a streamed token."
    )


class KvSpec(WireModel):
    """KV cache memory of one instance."""

    tokens: PositiveCount = Field(description="Tokens that fit at once.")
    block_size: PositiveCount = Field(default=16, description="Tokens of one block.")
    bytes_per_token: PositiveCount | None = Field(
        default=None, description="Bytes that a token takes."
    )


class StartupSpec(WireModel):
    """Time from the start of an instance to its first request."""

    p50_s: Duration = Field(alias="p50", description="Median.")
    p90_s: Duration = Field(alias="p90", description="90th percentile.")
    sleep_level1_wake_s: Duration | None = Field(
        default=None,
        alias="sleepLevel1Wake",
        description="Time to wake from the engine's sleep level 1.",
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.p90_s < self.p50_s:
            found = f"found p90 {write_duration(self.p90_s)} below p50 {write_duration(self.p50_s)}"
            raise ValueError(f"{found}; write p90 at least as long")
        return self


class Points(WireModel):
    """The measured points that the step model was fitted to."""

    file: Text = Field(description="File of the points, beside the profile.")
    count: Count = Field(description="How many there are.")


class CapacityProfileSpec(WireModel):
    """One variant and what an instance of it can do."""

    model: Text = Field(description="What clients name, such as meta-llama/Llama-3.1-8B-Instruct.")
    accelerator: Text = Field(description="Accelerator, as AcceleratorStock names it.")
    accelerator_count: PositiveCount = Field(default=1, description="Accelerators of one instance.")
    precision: str | None = Field(
        default=None, description="Precision of weights and arithmetic, such as bf16."
    )
    engine: EngineSpec = Field(description="The model server and its flags.")
    trust: Trust = Field(description="measured or predicted.")
    provenance: Provenance = Field(description="Who obtained the numbers, when and how.")
    step: StepSpec = Field(description="Time of one engine step.")
    step_error: StepError | None = Field(default=None, description="Error of the step model.")
    front_end: FrontEndSpec | None = Field(
        default=None, description="What a request pays outside the engine."
    )
    kv: KvSpec = Field(description="KV cache memory of one instance.")
    startup: StartupSpec = Field(description="Time until an instance serves.")
    points: Points | None = Field(default=None, description="The points behind the fit.")


class CapacityProfileStatus(WireModel):
    """What the controller says of a profile."""

    observed_generation: Count | None = Field(
        default=None, description="Generation of the spec that was read."
    )
    conditions: tuple[Condition, ...] = Field(default=(), description="Fitted, InUse.")


class CapacityProfile(Resource):
    """A profile of one variant, with its provenance and its errors."""

    kind: Literal["CapacityProfile"] = Field(
        default="CapacityProfile", description="CapacityProfile."
    )
    spec: CapacityProfileSpec = Field(description="The profile.")
    status: CapacityProfileStatus | None = Field(
        default=None, description="What the controller says of it."
    )
