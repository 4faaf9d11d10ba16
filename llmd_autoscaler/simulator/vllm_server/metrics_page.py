"""The /metrics page of a simulated server: series, labels and bucket edges of vLLM 0.26.0.

The page is compared with a recorded one in tests/simulator/vllm_server/test_metrics_page.py; what
differs is named there, with the reason.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from llmd_autoscaler.core.engine.instance import EngineSnapshot
from llmd_autoscaler.simulator.vllm_server.tally import FINISHED_REASONS, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BLOCK_TOKENS = 16  # vLLM's default on a GPU


class Moment(NamedTuple):
    """What a page is made from."""

    tally: Tally
    engine: EngineSnapshot
    n_in_front: int
    kv_tokens: int


class _Family(NamedTuple):
    """A gauge or counter: its samples are label and value of a moment."""

    name: str
    kind: str
    help: str
    samples: Callable[[Moment], Mapping[str, float]]


def _one(value: Callable[[Moment], float]) -> Callable[[Moment], Mapping[str, float]]:
    return lambda moment: {"": value(moment)}


def _each(
    label: str, values: Callable[[Moment], Mapping[str, float]]
) -> Callable[[Moment], Mapping[str, float]]:
    return lambda moment: {f'{label}="{name}"': value for name, value in values(moment).items()}


def _nothing(_: Moment) -> float:
    return 0.0


def _waiting(moment: Moment) -> float:
    return moment.engine.n_waiting - moment.n_in_front


_FAMILIES = (
    _Family("estimated_flops_per_gpu", "counter", "Floating point operations a GPU did.", _one(_nothing)),
    _Family("estimated_read_bytes_per_gpu", "counter", "Bytes a GPU read.", _one(_nothing)),
    _Family("estimated_write_bytes_per_gpu", "counter", "Bytes a GPU wrote.", _one(_nothing)),
    _Family("num_requests_running", "gauge", "Requests in the batch.", _one(lambda m: m.engine.n_running)),
    _Family("num_requests_waiting", "gauge", "Requests queued in the engine.", _one(_waiting)),
    _Family(
        "num_requests_waiting_by_reason",
        "gauge",
        "Requests queued in the engine, by what they wait for.",
        _each("reason", lambda m: {"capacity": _waiting(m), "deferred": 0}),
    ),
    _Family(
        "engine_sleep_state",
        "gauge",
        "1 for the state that the engine is in.",
        _each("sleep_state", lambda _: {"awake": 1, "weights_offloaded": 0, "discard_all": 0}),
    ),
    _Family(
        "kv_cache_usage_perc",
        "gauge",
        "Fraction of the KV cache in use, 0 to 1.",
        _one(lambda m: m.engine.kv_used_tokens / m.kv_tokens),
    ),
    # No prompt shares a prefix with another here: every query misses.
    _Family("prefix_cache_queries", "counter", "Prompt tokens looked up.", _one(lambda m: m.tally.prompt_tokens)),
    _Family("prefix_cache_hits", "counter", "Prompt tokens found.", _one(_nothing)),
    _Family("external_prefix_cache_queries", "counter", "Prompt tokens looked up elsewhere.", _one(_nothing)),
    _Family("external_prefix_cache_hits", "counter", "Prompt tokens found elsewhere.", _one(_nothing)),
    _Family("mm_cache_queries", "counter", "Media items looked up.", _one(_nothing)),
    _Family("mm_cache_hits", "counter", "Media items found.", _one(_nothing)),
    _Family("num_preemptions", "counter", "Requests put back into the queue.", _one(_nothing)),
    _Family("prompt_tokens", "counter", "Prompt tokens, found ones included.", _one(lambda m: m.tally.prompt_tokens)),
    _Family(
        "prompt_tokens_by_source",
        "counter",
        "Prompt tokens, by where their KV came from.",
        _each(
            "source",
            lambda m: {"local_compute": m.tally.prompt_tokens, "local_cache_hit": 0, "external_kv_transfer": 0},
        ),
    ),
    _Family("prompt_tokens_cached", "counter", "Prompt tokens not computed here.", _one(_nothing)),
    _Family("generation_tokens", "counter", "Output tokens.", _one(lambda m: m.tally.generation_tokens)),
    _Family(
        "request_success",
        "counter",
        "Requests that ended, by how.",
        _each("finished_reason", lambda m: {reason: m.tally.success[reason] for reason in FINISHED_REASONS}),
    ),
)  # fmt: skip

_HISTOGRAM_HELP = {
    "request_prompt_tokens": "ISL of finished requests.",
    "request_generation_tokens": "OSL of finished requests.",
    "iteration_tokens_total": "Tokens of an engine step.",
    "request_max_num_generation_tokens": "Longest answer of a finished request.",
    "request_params_n": "Parameter n of finished requests.",
    "request_params_max_tokens": "Parameter max_tokens of finished requests.",
    "time_to_first_token_seconds": "From arrival to the first token.",
    "inter_token_latency_seconds": "Gap between two tokens.",
    "request_time_per_output_token_seconds": "Mean gap between the tokens of a request.",
    "e2e_request_latency_seconds": "From arrival to the last token.",
    "request_queue_time_seconds": "In the engine's queue.",
    "request_inference_time_seconds": "In the batch.",
    "request_prefill_time_seconds": "In the batch, until the first token.",
    "request_decode_time_seconds": "In the batch, from the first token on.",
    "request_prefill_kv_computed_tokens": "Prompt tokens computed for a finished request.",
}


class MetricsPage:
    """Renders the page of one server."""

    def __init__(self, *, model: str, max_model_len: int, kv_tokens: int, started_s: float) -> None:
        name = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self._before, self._after = 'engine="0"', f'model_name="{name}"'
        self._kv_tokens = kv_tokens
        self._max_model_len = max_model_len
        self._started_s = started_s

    def render(self, tally: Tally, engine: EngineSnapshot, *, n_in_front: int) -> bytes:
        """The page of this moment."""
        moment = Moment(tally, engine, n_in_front, self._kv_tokens)
        lines = [
            *_header("process_start_time_seconds", "gauge", "When the process started, in Unix seconds."),
            f"process_start_time_seconds {self._started_s!r}",
            *self._counted(moment),
            *self._histograms(tally),
            *_header("vllm:cache_config_info", "gauge", "The KV cache's configuration, in its labels."),
            f"vllm:cache_config_info{{{self._cache_config()}}} 1.0",
            "",
        ]  # fmt: skip
        return "\n".join(lines).encode()

    def _counted(self, moment: Moment) -> Iterator[str]:
        for family in _FAMILIES:
            is_counter = family.kind == "counter"
            name = f"vllm:{family.name}_total" if is_counter else f"vllm:{family.name}"
            samples = family.samples(moment)
            yield from _header(name, family.kind, family.help)
            for label, value in samples.items():
                yield f"{name}{{{self._labels(label)}}} {float(value)!r}"
            if is_counter:
                yield from self._created(family.name, family.help, samples)

    def _histograms(self, tally: Tally) -> Iterator[str]:
        for name, histogram in tally.histograms.items():
            yield from _header(f"vllm:{name}", "histogram", _HISTOGRAM_HELP[name])
            counts = histogram.cumulative()
            edges = (*(repr(edge) for edge in histogram.edges), "+Inf")
            for edge, count in zip(edges, counts, strict=True):
                label = self._labels(f'le="{edge}"')
                yield f"vllm:{name}_bucket{{{label}}} {float(count)!r}"
            yield f"vllm:{name}_count{{{self._labels('')}}} {float(counts[-1])!r}"
            yield f"vllm:{name}_sum{{{self._labels('')}}} {float(histogram.sum)!r}"
            yield from self._created(name, _HISTOGRAM_HELP[name], [""])

    def _created(self, name: str, text: str, labels: Iterable[str]) -> Iterator[str]:
        yield from _header(f"vllm:{name}_created", "gauge", text)
        for label in labels:
            yield f"vllm:{name}_created{{{self._labels(label)}}} {self._started_s!r}"

    def _labels(self, label: str) -> str:
        """The labels of a sample in the order of the alphabet, as the Prometheus client writes them."""
        own = (label,) if label else ()
        return ",".join(sorted((self._before, self._after, *own)))

    def _cache_config(self) -> str:
        labels = {
            "_block_size_resolved": "True",
            "block_size": BLOCK_TOKENS,
            "cache_dtype": "auto",
            "calculate_kv_scales": "False",
            "enable_prefix_caching": "True",
            "engine": 0,
            "gpu_memory_utilization": 0.92,
            "is_attention_free": "False",
            "kv_cache_dtype_skip_layers": "[]",
            "kv_cache_max_concurrency": self._kv_tokens / self._max_model_len,
            "kv_cache_memory_bytes": None,
            "kv_cache_size_tokens": self._kv_tokens,
            "kv_offloading_backend": "native",
            "kv_offloading_size": None,
            "kv_sharing_fast_prefill": "False",
            "mamba_block_size": None,
            "mamba_cache_dtype": "auto",
            "mamba_cache_mode": "none",
            "mamba_page_size_padded": None,
            "mamba_ssm_cache_dtype": "auto",
            "num_cpu_blocks": None,
            "num_gpu_blocks": self._kv_tokens // BLOCK_TOKENS,
            "num_gpu_blocks_override": None,
            "prefix_caching_hash_algo": "sha256",
            "prefix_match_unit": None,
            "skip_page_size_padded": None,
            "sliding_window": None,
            "user_specified_block_size": "False",
            "user_specified_mamba_block_size": "False",
        }
        return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _header(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
