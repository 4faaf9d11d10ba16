"""What one instance of a variant can do: the numbers of a capacity profile, as the engine model takes them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepModel:
    """Seconds of one engine step: `t = a + b d + c p + k C + e W` (capacity.md section 1).

    d decode sequences with contexts summing to C tokens, p prompt tokens computed with attention
    work W = sum of chunk * (context before it + chunk / 2) token^2. A step of prompts alone takes at least
    `least_prefill_s`: that long the host takes to start its kernels.
    """

    base_s: float
    per_decode_s: float
    per_prefill_token_s: float
    per_context_token_s: float
    per_attention_token_sq_s: float
    least_prefill_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """What a request pays outside the engine: a latency of its own, and the API server's time, which is shared."""

    per_request_s: float = 0.0
    per_prompt_token_s: float = 0.0
    api_server_per_request_s: float = 0.0
    api_server_per_token_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """One variant as the engine model needs it."""

    step: StepModel
    front_end: FrontEnd
    kv_tokens: int
    max_num_batched_tokens: int = 8192
    max_num_seqs: int = 256
    n_api_servers: int = 1


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Seconds from "decide" to "ready to serve"."""

    p50_s: float
    p90_s: float
