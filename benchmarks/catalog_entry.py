"""The entries of the catalogue: what each profile says, and where it has it from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import yaml

from benchmarks.step_fit import Point, StepFit, fit_step, significant
from benchmarks.step_points import (
    API_SERVER_PER_REQUEST_MS,
    API_SERVER_PER_TOKEN_MS,
    OPERATOR_TABLES,
    SILICON,
    Cell,
    is_engine_bound,
    silicon_cells,
    silicon_facts,
    silicon_point,
    table_point,
    table_rows,
    table_tokens,
)

CATALOG = Path(__file__).parent.parent / "models" / "catalog"
MADE_ON = "2026-11-24"
COMMAND = "python -m benchmarks.catalog --write"
SEED = 0
MEASURED = "llama-3.1-8b-h100"

STEP_FIELDS = (
    "baseMs",
    "perDecodeMs",
    "perPrefillTokenMs",
    "perContextKTokenMs",
    "perAttentionMTokenSqMs",
)
MAX_NUM_BATCHED_TOKENS = 8192
# the most clients of any measured cell: what larger batches do is not known
MAX_NUM_SEQS = 256

# Lone prompts below this are shorter than what starting their kernels takes.
LEAST_ISL_FREE = 512
# HTTP path of client and server that a request adds: measured by hand, H100, vLLM 0.26.0.
PER_REQUEST_MS = 6.0

# An 80 GB card as a process sees it, and the share that vLLM 0.26.0 takes by default.
GPU_GIB = 79.15
GPU_MEMORY_UTILIZATION = 0.92
# Activations, CUDA graphs and NCCL's buffers; the 8B on one H100 took 1.3 GiB for its own.
OVERHEAD_GIB = 3.0
TENSOR_PARALLEL = 4
# 80 layers x 2 (key and value) x 8 heads x 128 x 2 bytes
KV_BYTES_PER_TOKEN_70B = 327_680
BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile of the catalogue: its resource, and how its step model was fitted."""

    name: str
    resource: dict[str, object]
    points: list[Point]
    fit: StepFit

    def text(self) -> str:
        """What the file says."""
        header = f"# Made by `{COMMAND}`, {MADE_ON}: change the command, not this file.\n"
        return header + yaml.safe_dump(
            self.resource, sort_keys=False, allow_unicode=True, width=110
        )

    @property
    def path(self) -> Path:
        """Where the file is."""
        return CATALOG / f"{self.name}.yaml"


def decimal(value: float) -> str:
    """A number as the wire has it: text in plain digits, four of them significant."""
    return format(Decimal(f"{significant(value):.12g}"), "f")


def per_prompt_k_token_ms(cells: Sequence[Cell]) -> float:
    """Front-end milliseconds a thousand prompt tokens: of the unloaded TTFT, what no request and no step explain.

    The TTFT is the client's, queue and prefill are the server's. Plain least squares: below a thousand
    tokens the term is too small to be told from the jitter of the HTTP path.
    """
    unloaded = [cell for cell in cells if cell["grid"] == "ttft"]
    k_tokens = np.array([cell["isl"] / 1e3 for cell in unloaded])
    engine_s = np.array([cell["srv"]["queue"] + cell["srv"]["prefill"] for cell in unloaded])
    ttft_s = np.array([cell["ttft_p50"] for cell in unloaded])
    rest_ms = 1e3 * (ttft_s - engine_s) - PER_REQUEST_MS
    return max(0.0, float(k_tokens @ rest_ms / (k_tokens @ k_tokens)))


def least_prefill_ms(cells: Sequence[Cell]) -> float:
    """The least that any lone prompt below 512 tokens takes beside the front end: the start of a step's kernels."""
    per_k_token_ms = per_prompt_k_token_ms(cells)
    return min(
        1e3 * cell["ttft_p50"] - PER_REQUEST_MS - per_k_token_ms * cell["isl"] / 1e3
        for cell in cells
        if cell["grid"] == "ttft" and cell["isl"] < LEAST_ISL_FREE
    )


def front_end(cells: Sequence[Cell]) -> dict[str, str]:
    """The front end of every profile: the HTTP path and the tokeniser do not depend on the model's size."""
    return {
        "perRequestMs": decimal(PER_REQUEST_MS),
        "perPromptKTokenMs": decimal(per_prompt_k_token_ms(cells)),
        "apiServerPerRequestMs": decimal(API_SERVER_PER_REQUEST_MS),
        "apiServerPerTokenMs": decimal(API_SERVER_PER_TOKEN_MS),
    }


def kv_tokens_70b(weights_gib: float) -> int:
    """Tokens of KV cache that four cards hold beside the weights, in whole blocks."""
    free_gib = GPU_MEMORY_UTILIZATION * GPU_GIB - weights_gib - OVERHEAD_GIB
    tokens = math.floor(free_gib * 2**30 / (KV_BYTES_PER_TOKEN_70B / TENSOR_PARALLEL))
    return tokens // BLOCK_TOKENS * BLOCK_TOKENS


def fitted_fields(fit: StepFit) -> dict[str, dict[str, str]]:
    """The fields of a profile that come from the fit."""
    step = {field: decimal(c) for field, c in zip(STEP_FIELDS, fit.coefficients, strict=True)}
    return {
        "step": step,
        "stepError": {"medianFrac": decimal(fit.median_frac), "p95Frac": decimal(fit.p95_frac)},
    }


def how_fitted(fit: StepFit) -> str:
    """The sentence about the split."""
    return (
        f"The coefficients are the fit to {fit.n_fitted} points; stepError is that of the {fit.n_held_out} others "
        f"(one third, drawn with seed {SEED}; the ends of the range are always fitted), the worst of which is {100 * fit.worst_frac:.1f} % off."
    )


def resource(name: str, spec: dict[str, object]) -> dict[str, object]:
    """A CapacityProfile of no namespace: whoever applies it chooses one."""
    return {
        "apiVersion": "autoscaling.llmd.ai/v1alpha1",
        "kind": "CapacityProfile",
        "metadata": {"name": name},
        "spec": spec,
    }


def engine(version: str, flags: Sequence[str]) -> dict[str, object]:
    """The model server of a profile."""
    return {
        "name": "vllm",
        "version": version,
        "flags": list(flags),
        "maxNumBatchedTokens": MAX_NUM_BATCHED_TOKENS,
        "maxNumSeqs": MAX_NUM_SEQS,
        "apiServers": 1,
    }


def measured_8b(cells: Sequence[Cell]) -> Entry:
    """Llama-3.1-8B on one H100, from our own closed-loop grid."""
    name = MEASURED
    points = [silicon_point(cell) for cell in cells if is_engine_bound(cell)]
    fit = fit_step(points, seed=SEED)
    facts = silicon_facts()
    kv, startup_s = facts["kv"], facts["startup_s"]
    cold_s, slowest_s = startup_s["ready_cold"], startup_s["ready_mbt2048_new_compile_key"]
    warm_s = startup_s["ready_fully_warm_4_api_servers"]
    source = (
        f"{len(points)} engine-bound cells of a closed-loop grid without prefix hits, one H100 80 GB HBM3 at 700 W, "
        f"vLLM 0.26.0, own data, Apache-2.0. {how_fitted(fit)} Front end: a request and the API server's times "
        "measured by hand, H100, vLLM 0.26.0; prompt tokens from the unloaded TTFT less the server's prefill time. "
        "Start-up, dummy weights: p50 is the cold start with these flags, p90 the slowest of three cold starts; "
        f"real weights add their 16 GB / storage bandwidth; {warm_s:g} s where the compile caches are kept. "
        "maxNumSeqs is the most that was measured, not a limit of the server."
    )
    fields = fitted_fields(fit)
    fields["step"] |= {"leastPrefillMs": decimal(least_prefill_ms(cells))}
    spec = {
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "accelerator": "H100-80GB",
        "acceleratorCount": 1,
        "precision": "bf16",
        "engine": engine("0.26.0", ["--max-model-len=32768"]),
        "trust": "measured",
        "provenance": {
            "by": "closed-loop grid on one H100 80 GB",
            "at": f"{MADE_ON}T00:00:00Z",
            "command": COMMAND,
            "weights": "dummy",
            "source": source,
        },
        **fields,
        "frontEnd": front_end(cells),
        "kv": {
            "tokens": int(kv["tokens"]),
            "blockSize": int(kv["block_size"]),
            "bytesPerToken": int(kv["bytes_per_token"]),
        },
        "startup": {
            "p50": f"{cold_s:g}s",
            "p90": f"{slowest_s:g}s",
            "sleepLevel1Wake": f"{facts['sleep_mode']['level1_wake_ms']:g}ms",
        },
        "points": {"file": f"benchmarks/data/{SILICON.name}", "count": len(points)},
    }
    return Entry(name, resource(name, spec), points, fit)


def predicted_70b(accelerator: str, system: str, version: str, cells: Sequence[Cell]) -> Entry:
    """Llama-3.1-70B on four cards, from public operator tables.

    Args:
        accelerator: as AcceleratorStock names it.
        system: as the tables name it.
        version: the vLLM whose operators the tables timed.
        cells: the H100 grid, for the front end.
    """
    name = f"llama-3.1-70b-{accelerator.split('-', maxsplit=1)[0].lower()}-tp{TENSOR_PARALLEL}"
    rows = table_rows(system)
    kv_tokens = kv_tokens_70b(min(float(row["memory_gib"]) for row in rows))
    # the tables also give steps over more context than the cards can hold
    points = [table_point(row) for row in rows if table_tokens(row) <= kv_tokens]
    fit = fit_step(points, seed=SEED)
    source = (
        f"{len(points)} prefill passes and decode steps predicted by aiconfigurator-core 0.12.0 (Apache-2.0) from its "
        f"operator tables of {system}, vLLM {version}. {how_fitted(fit)} That is the error against the tables. The "
        "tables themselves were 28-54 % off silicon in TTFT and 5-14 % in TPOT, on 92 points of other cards and "
        "precisions (H100 and H200 fp8, B200, Qwen3-32B). kv.tokens is derived: "
        f"{GPU_MEMORY_UTILIZATION} x {GPU_GIB} GiB less the tables' weights and {OVERHEAD_GIB:g} GiB. frontEnd is that "
        f"of {MEASURED}: same HTTP path and tokeniser. startup is an assumption."
    )
    spec = {
        "model": "meta-llama/Llama-3.1-70B-Instruct",
        "accelerator": accelerator,
        "acceleratorCount": TENSOR_PARALLEL,
        "precision": "bf16",
        "engine": engine(
            version,
            [
                f"--tensor-parallel-size={TENSOR_PARALLEL}",
                f"--max-num-batched-tokens={MAX_NUM_BATCHED_TOKENS}",
                f"--max-num-seqs={MAX_NUM_SEQS}",
            ],
        ),
        "trust": "predicted",
        "provenance": {
            "by": "operator tables",
            "at": f"{MADE_ON}T00:00:00Z",
            "command": COMMAND,
            "source": source,
        },
        **fitted_fields(fit),
        "frontEnd": front_end(cells),
        "kv": {
            "tokens": kv_tokens,
            "blockSize": BLOCK_TOKENS,
            "bytesPerToken": KV_BYTES_PER_TOKEN_70B,
        },
        "startup": {"p50": "120s", "p90": "200s"},
        "points": {"file": f"benchmarks/data/{OPERATOR_TABLES.name}", "count": len(points)},
    }
    return Entry(name, resource(name, spec), points, fit)


def entries() -> list[Entry]:
    """The whole catalogue."""
    cells = silicon_cells()
    return [
        measured_8b(cells),
        predicted_70b("A100-80GB", "a100_sxm", "0.14.0", cells),
        predicted_70b("H100-80GB", "h100_sxm", "0.24.0", cells),
    ]
