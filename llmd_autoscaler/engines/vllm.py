"""What a page of vLLM says, whichever version wrote it: concepts resolved to series, absent ones named.

Rules for editors: a new version's name goes in front of its concept's candidates, nothing else
changes. Versions are told apart by which series exist, never by a version string (forks mix eras).
A concept that cannot be read is None and its reason stands in `missing`; it is never 0.
Read from vLLM 0.8.5 to 0.33: the names from the wheels, the pages of 0.26 and 0.32 recorded.
"""

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llmd_autoscaler.engines.exposition import Sample, samples_by_name
from llmd_autoscaler.errors import ObservationError

Samples = Mapping[str, Sequence[Sample]]
Value = TypeVar("Value")

# concept: series, newest first; the first that has samples wins
CANDIDATES: Mapping[str, tuple[str, ...]] = {
    "running": ("vllm:num_requests_running",),
    "waiting": ("vllm:num_requests_waiting",),
    # a fraction 0-1 in spite of its name; gpu_ until 0.8, both from 0.9 to 0.10
    "kv_usage": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    "kv_capacity": ("vllm:cache_config_info",),
    "sleeping": ("vllm:engine_sleep_state",),  # since 0.12
    "prompt_tokens": ("vllm:prompt_tokens_total",),
    "generation_tokens": ("vllm:generation_tokens_total",),
    "prefix_queries": ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
    "prefix_hits": ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
    "success": ("vllm:request_success_total",),
    "isl": ("vllm:request_prompt_tokens",),
    "osl": ("vllm:request_generation_tokens",),
    # `_total` is part of the histogram's own name here
    "steps": ("vllm:iteration_tokens_total",),
    "ttft": ("vllm:time_to_first_token_seconds",),
    # Both are per gap between tokens. `request_time_per_output_token_seconds` is per request: never that.
    "itl": ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
    "queue": ("vllm:request_queue_time_seconds",),
    "prefill": ("vllm:request_prefill_time_seconds",),
    "process_start": ("process_start_time_seconds",),
}
_LENGTHS = ("isl", "osl")
_COUNT = re.compile(r"[0-9]{1,15}")  # what stands there else is "None"
_WITH_COUNT = (*_LENGTHS, "steps", "ttft", "itl", "queue", "prefill")


def _wanted_names() -> frozenset[str]:
    names: set[str] = set()
    for concept, candidates in CANDIDATES.items():
        for series in candidates:
            if concept in _WITH_COUNT:
                names |= {f"{series}_sum", f"{series}_count"}
            if concept in _LENGTHS:
                names.add(f"{series}_bucket")
            if concept not in _WITH_COUNT:
                names.add(series)
    return frozenset(names)


_WANTED = _wanted_names()


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative counts: `counts[i]` observations were at most `edges[i]`; `count` is all of them."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float
    count: float


@dataclass(frozen=True, slots=True)
class Durations:
    """Sum and count of a latency: its buckets are too coarse to be worth reading (first edges 10 and 300 ms)."""

    sum_s: float
    count: float


@dataclass(frozen=True, slots=True)
class VllmPage:
    """What one pod said about itself, summed over its engines; None is "not said", never 0.

    Counters only ever grow, but for a restart of the process (`started_at_s` moves then).
    `names` tells which series answered each concept, `missing` why a concept is None.
    """

    model_name: str | None
    started_at_s: float | None
    n_running: float | None
    n_waiting: float | None
    kv_usage_frac: float | None  # mean over the engines
    kv_capacity_tokens: int | None
    is_sleeping: bool | None
    prompt_tokens: float | None
    generation_tokens: float | None
    prefix_queries_tokens: float | None
    prefix_hits_tokens: float | None
    success_by_reason: Mapping[str, float] | None
    isl: Histogram | None
    osl: Histogram | None
    ttft: Durations | None
    itl: Durations | None
    queue: Durations | None
    prefill: Durations | None
    n_steps: float | None
    names: Mapping[str, str]
    missing: Mapping[str, str]


def read_page(page: bytes) -> VllmPage:
    """The page of one vLLM pod.

    Raises: ObservationError: it is no page of metrics, or none of vLLM's.
    """
    return _Reader(samples_by_name(page, _WANTED)).page()


class _Reader:
    """Resolves concepts on one page and remembers how that went."""

    def __init__(self, samples: Samples) -> None:
        if not any(name.startswith("vllm:") for name in samples):
            raise ObservationError(
                "the page has none of vLLM's series (vllm:num_requests_running ...): check the port, and the engine"
            )
        self._samples = samples
        self._names: dict[str, str] = {}
        self._missing: dict[str, str] = {}

    def page(self) -> VllmPage:
        total, durations, lengths = self._total, self._durations, self._lengths
        return VllmPage(
            model_name=self._model_name(),
            started_at_s=self._read("process_start", total),
            n_running=self._read("running", total),
            n_waiting=self._read("waiting", total),
            kv_usage_frac=self._read("kv_usage", self._mean),
            kv_capacity_tokens=self._read("kv_capacity", self._kv_capacity_tokens),
            is_sleeping=self._read("sleeping", self._is_sleeping),
            prompt_tokens=self._read("prompt_tokens", total),
            generation_tokens=self._read("generation_tokens", total),
            prefix_queries_tokens=self._read("prefix_queries", total),
            prefix_hits_tokens=self._read("prefix_hits", total),
            success_by_reason=self._read("success", self._by_reason),
            isl=self._read("isl", lengths),
            osl=self._read("osl", lengths),
            ttft=self._read("ttft", durations),
            itl=self._read("itl", durations),
            queue=self._read("queue", durations),
            prefill=self._read("prefill", durations),
            n_steps=self._read("steps", self._n_steps),
            names=self._names,
            missing=self._missing,
        )

    def _read(self, concept: str, reader: Callable[[str], Value]) -> Value | None:
        candidates = CANDIDATES[concept]
        suffix = "_count" if concept in _WITH_COUNT else ""
        series = next((name for name in candidates if name + suffix in self._samples), None)
        if series is None:
            self._missing[concept] = f"no samples of {' or '.join(candidates)}"
            return None
        try:
            value = reader(series)
        except ObservationError as error:
            self._missing[concept] = str(error)
            return None
        self._names[concept] = series
        return value

    def _model_name(self) -> str | None:
        for samples in self._samples.values():
            name = samples[0].labels.get("model_name")
            if name is not None:
                return name
        return None

    def _total(self, name: str) -> float:
        if name not in self._samples:
            raise ObservationError(f"no samples of {name}")
        return _amount(name, sum(_amount(name, sample.value) for sample in self._samples[name]))

    def _mean(self, name: str) -> float:
        return self._total(name) / len(self._samples[name])

    def _by_reason(self, name: str) -> Mapping[str, float]:
        counts: dict[str, float] = {}
        for sample in self._samples[name]:
            reason = _label(name, sample, "finished_reason")
            counts[reason] = counts.get(reason, 0.0) + _amount(name, sample.value)
        return counts

    def _is_sleeping(self, name: str) -> bool:
        awake = [s.value for s in self._samples[name] if _label(name, s, "sleep_state") == "awake"]
        if not awake:
            raise ObservationError(f"{name} has no sample of the state awake")
        return max(awake) == 0.0

    def _kv_capacity_tokens(self, name: str) -> int:
        return sum(_kv_tokens(name, sample.labels) for sample in self._samples[name])

    def _durations(self, series: str) -> Durations:
        return Durations(sum_s=self._total(f"{series}_sum"), count=self._total(f"{series}_count"))

    def _n_steps(self, series: str) -> float:
        # Behind N API servers every step is counted N times, and no series tells N; such a page (Prometheus
        # multiprocess mode) is known by its lack of process_* series [0.26, recorded].
        if "process_start_time_seconds" not in self._samples:
            raise ObservationError(
                f"{series} counts each step once per API server, of which there may be several"
            )
        return self._total(f"{series}_count")

    def _lengths(self, series: str) -> Histogram:
        name = f"{series}_bucket"
        below: dict[float, list[float]] = {}
        for sample in self._samples.get(name, ()):
            edge = _edge(name, _label(name, sample, "le"))
            below.setdefault(edge, []).append(_amount(name, sample.value))
        if math.inf not in below:
            raise ObservationError(f"{name} has no sample of le +Inf")
        if len({len(values) for values in below.values()}) > 1:
            raise ObservationError(f"the engines behind {name} do not have the same bucket edges")
        edges = sorted(below)
        counts = [_amount(name, sum(below[edge])) for edge in edges]
        if any(high < low for low, high in itertools.pairwise(counts)):
            raise ObservationError(
                f"{name} is not cumulative: a bucket holds less than the one before it"
            )
        return Histogram(
            edges=tuple(edges[:-1]),
            counts=tuple(counts[:-1]),
            sum=self._total(f"{series}_sum"),
            count=counts[-1],
        )


def _amount(name: str, value: float) -> float:
    if not 0.0 <= value < math.inf:  # false for NaN, too
        raise ObservationError(f"{name} is {value:g}, which is no count and no fraction")
    return value


def _label(name: str, sample: Sample, label: str) -> str:
    try:
        return sample.labels[label]
    except KeyError as error:
        raise ObservationError(f"{name} has a sample without the label {label}") from error


def _edge(name: str, text: str) -> float:
    try:
        edge = float(text)
    except ValueError as error:
        raise ObservationError(
            f"{name} has the bucket edge {text[:40]!r}, which is not a number"
        ) from error
    if math.isnan(edge):
        raise ObservationError(f"{name} has a bucket edge that is NaN")
    return edge


def _kv_tokens(name: str, labels: Mapping[str, str]) -> int:
    """KV tokens of one engine: said since 0.26, blocks x size before."""
    size = labels.get("kv_cache_size_tokens", "")
    if _COUNT.fullmatch(size):
        return int(size)
    n_blocks, block_size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
    if _COUNT.fullmatch(n_blocks) and _COUNT.fullmatch(block_size):
        return int(n_blocks) * int(block_size)
    raise ObservationError(
        f"{name} tells neither kv_cache_size_tokens nor num_gpu_blocks and block_size"
    )


_RUNNING_LINES = tuple(b"\n" + name.encode() + b"{" for name in CANDIDATES["running"])


def is_page(page: bytes) -> bool:
    """Whether this is a whole page of a vLLM, by the one series that every version has; nothing else is read."""
    return page.endswith(b"\n") and any(line in page for line in _RUNNING_LINES)
