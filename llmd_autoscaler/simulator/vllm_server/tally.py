"""What a server counts of its requests, when vLLM counts it."""

import itertools
from collections import Counter
from collections.abc import Sequence

from llmd_autoscaler.core.engine.instance import EngineSnapshot, RequestTimings
from llmd_autoscaler.simulator.vllm_server.histogram import (
    N_EDGES,
    PHASE_EDGES_S,
    STEP_EDGES_TOKENS,
    TOKEN_GAP_EDGES_S,
    TTFT_EDGES_S,
    Histogram,
    length_edges_tokens,
)

FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")


class Tally:
    """Counters and histograms of one server, by the series' names without `vllm:`.

    A request whose client left is in no `request_*` series: on the recorded page 13,009 requests had a
    first token and 10,261 ended, for the load generator cancels what is open at the end of a cell, and
    yet `abort` is 0 [vLLM 0.26.0 on an H100, tests/data/vllm].
    """

    def __init__(self, max_model_len: int) -> None:
        lengths = length_edges_tokens(max_model_len)
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.success: Counter[str] = Counter()
        self.histograms = {
            "request_prompt_tokens": Histogram(lengths),
            "request_generation_tokens": Histogram(lengths),
            "iteration_tokens_total": Histogram(STEP_EDGES_TOKENS),
            "request_max_num_generation_tokens": Histogram(lengths),
            "request_params_n": Histogram(N_EDGES),
            "request_params_max_tokens": Histogram(lengths),
            "time_to_first_token_seconds": Histogram(TTFT_EDGES_S),
            "inter_token_latency_seconds": Histogram(TOKEN_GAP_EDGES_S),
            "request_time_per_output_token_seconds": Histogram(TOKEN_GAP_EDGES_S),
            "e2e_request_latency_seconds": Histogram(PHASE_EDGES_S),
            "request_queue_time_seconds": Histogram(PHASE_EDGES_S),
            "request_inference_time_seconds": Histogram(PHASE_EDGES_S),
            "request_prefill_time_seconds": Histogram(PHASE_EDGES_S),
            "request_decode_time_seconds": Histogram(PHASE_EDGES_S),
            "request_prefill_kv_computed_tokens": Histogram(lengths),
        }
        self._n_steps = 0
        self._n_step_tokens = 0

    def first_token(self, *, isl: int, ttft_s: float) -> None:
        """A prompt is computed: vLLM counts its tokens now, and the client's wait."""
        self.prompt_tokens += isl
        self.histograms["time_to_first_token_seconds"].observe(ttft_s)

    def tokens(self, stamps_s: Sequence[float], previous_s: float | None) -> None:
        """Tokens came out, one a stamp; `previous_s` is the token before them, if there was one."""
        self.generation_tokens += len(stamps_s)
        times = stamps_s if previous_s is None else (previous_s, *stamps_s)
        gaps = self.histograms["inter_token_latency_seconds"]
        for earlier_s, later_s in itertools.pairwise(times):
            gaps.observe(later_s - earlier_s)

    def steps(self, snapshot: EngineSnapshot) -> None:
        """Engine steps since the last call; sum and count are exact, all steps of a call share one bucket."""
        n = snapshot.n_steps - self._n_steps
        if n:
            n_tokens = snapshot.n_step_tokens - self._n_step_tokens
            self.histograms["iteration_tokens_total"].observe(n_tokens / n, n)
            self._n_steps, self._n_step_tokens = snapshot.n_steps, snapshot.n_step_tokens

    def finished(self, reason: str, *, isl: int, osl: int, max_tokens: int, e2e_s: float) -> None:
        """A request got its last token, or its `abort`."""
        self.success[reason] += 1
        observe = self._observe
        observe("request_prompt_tokens", isl)
        observe("request_generation_tokens", osl)
        observe("request_max_num_generation_tokens", osl)
        observe("request_params_n", 1)
        observe("request_params_max_tokens", max_tokens)
        observe("request_prefill_kv_computed_tokens", isl)
        observe("e2e_request_latency_seconds", e2e_s)

    def phases(self, timings: RequestTimings, osl: int) -> None:
        """Where the time of a request went that ran to its end."""
        decode_s = timings.last_token_s - timings.first_token_s
        observe = self._observe
        observe("request_queue_time_seconds", timings.scheduled_s - timings.queued_s)
        observe("request_prefill_time_seconds", timings.first_token_s - timings.scheduled_s)
        observe("request_inference_time_seconds", timings.last_token_s - timings.scheduled_s)
        observe("request_decode_time_seconds", decode_s)
        observe("request_time_per_output_token_seconds", decode_s / (osl - 1) if osl > 1 else 0.0)

    def _observe(self, name: str, value: float) -> None:
        self.histograms[name].observe(value)
